"""How a job process starts and ends: its two arguments, its environment, errors in words, its exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from engine.errors import SonotuneError
from engine.training.start import prepare_environment
from engine.workspace import Workspace


def run_job(
    name: str, purpose: str, work: Callable[[Workspace, int], None], arguments: Sequence[str] | None = None
) -> int:
    """Parse `NUMBER [--workspace DIR]` and do the work.

    Args:
        name: of the number, such as run; the module is `engine.` and the kind of job.
        purpose: one sentence for --help.
        work: what is done with the workspace and the number; a SonotuneError is printed, others go on.
        arguments: None takes those of the process.

    Returns:
        0 when it succeeded or ended as the user asked, the error's exit code otherwise.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument(name, type=int, help=f"number of the {name}")
    parser.add_argument("--workspace", help="folder of runs.db (default: SONOTUNE_WORKSPACE, else the current one)")
    given = parser.parse_args(arguments)
    workspace = Workspace.find(given.workspace)
    prepare_environment()
    try:
        work(workspace, getattr(given, name))
    except SonotuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0
