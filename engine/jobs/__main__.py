"""`python -m engine.jobs --workspace DIR`: the worker process (what `sonotune worker --detach` starts)."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from engine.jobs.log_output import outlast_full_log
from engine.jobs.worker import IDLE_EXIT_SECONDS, run_worker
from engine.private_files import keep_files_private
from engine.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the worker; 0 also when another one is there already."""
    parser = argparse.ArgumentParser(prog="python -m engine.jobs", description="Start the queued jobs of a workspace.")
    parser.add_argument("--workspace", help="folder of runs.db (default: SONOTUNE_WORKSPACE, else the current one)")
    parser.add_argument("--idle-exit", type=float, default=IDLE_EXIT_SECONDS, help="seconds without jobs until it ends")
    parser.add_argument("--stay", action="store_true", help="wait for another worker to end, and never end by itself")
    parser.add_argument("--resume", action="store_true", help="queue again what died without a word")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # A log that cannot be written (a full disk) is no reason to end, nor to write about it into the same log.
    logging.raiseExceptions = False
    workspace = Workspace.find(given.workspace)
    if not run_worker(workspace, idle_exit_seconds=given.idle_exit, stay=given.stay, resume=given.resume):
        logging.getLogger(__name__).info("another worker is at work here")
    return 0


if __name__ == "__main__":
    keep_files_private()
    outlast_full_log()
    sys.exit(main())
