"""`python -m engine.training RUN --workspace DIR`: the process of one training run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from engine.errors import SonotuneError
from engine.jobs.session import JobSession
from engine.training.start import prepare_environment, run_training
from engine.types import JobKind
from engine.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one run to its end; 0 when it succeeded or ended as the user asked, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m engine.training", description="Train one run of the workspace.")
    parser.add_argument("run", type=int, help="number of the run")
    parser.add_argument("--workspace", help="folder of runs.db (default: SONOTUNE_WORKSPACE, else the current one)")
    given = parser.parse_args(arguments)
    workspace = Workspace.find(given.workspace)
    prepare_environment(workspace)
    try:
        with JobSession(workspace, JobKind.TRAINING, given.run) as session:
            run_training(workspace, session)
    except SonotuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
