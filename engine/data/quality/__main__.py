"""`python -m engine.data.quality NAME --workspace DIR`: the image check of one dataset, in the background."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.data.quality.background import run_in_background
from engine.errors import SonotuneError
from engine.evaluation.leaks import settle_leaks
from engine.private_files import keep_files_private
from engine.workspace import Workspace


def main() -> int:
    """Check the images; what goes wrong stands in the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of the dataset")
    parser.add_argument("--workspace", type=Path, required=True, help="folder with datasets/")
    arguments = parser.parse_args()
    try:
        workspace = Workspace.find(arguments.workspace)
        run_in_background(workspace, arguments.name, lambda: settle_leaks(workspace, arguments.name))
    except SonotuneError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main())
