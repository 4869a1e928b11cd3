"""`python -m engine.evaluation ID --workspace DIR`: the process of one evaluation, and of its subject's other ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from engine.errors import SonotuneError
from engine.evaluation.process import evaluate_from
from engine.training.start import prepare_environment
from engine.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one evaluation; 0 when it succeeded or ended as the user asked, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m engine.evaluation", description="Evaluate one model.")
    parser.add_argument("evaluation", type=int, help="number of the evaluation")
    parser.add_argument("--workspace", help="folder of runs.db (default: SONOTUNE_WORKSPACE, else the current one)")
    given = parser.parse_args(arguments)
    workspace = Workspace.find(given.workspace)
    prepare_environment(workspace)
    try:
        evaluate_from(workspace, given.evaluation)
    except SonotuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
