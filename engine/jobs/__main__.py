"""`python -m engine.jobs --workspace DIR`: the worker process (what `sonotune worker --detach` starts)."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from engine.jobs.worker import IDLE_EXIT_SECONDS, run_worker
from engine.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the worker; 0 also when another one is there already."""
    parser = argparse.ArgumentParser(prog="python -m engine.jobs", description="Start the queued jobs of a workspace.")
    parser.add_argument("--workspace", help="folder of runs.db (default: SONOTUNE_WORKSPACE, else the current one)")
    parser.add_argument("--idle-exit", type=float, default=IDLE_EXIT_SECONDS, help="seconds without jobs until it ends")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not run_worker(Workspace.find(given.workspace), idle_exit_seconds=given.idle_exit):
        logging.getLogger(__name__).info("another worker is at work here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
