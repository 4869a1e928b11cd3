"""`python -m engine.training.distributed RUN ...`: one rank of a run. The job process starts it, nobody else."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import SonotuneError
from engine.jobs.describing import describe_error
from engine.jobs.log_output import outlast_full_log
from engine.private_files import keep_files_private
from engine.training.distributed.reports import Failure, Outcome, Report
from engine.training.distributed.session import RankSession, Wishes
from engine.training.start import prepare_environment, train_run
from engine.types import JobKind
from engine.workspace import Workspace

_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as one rank; how it ended is in its report."""
    parser = argparse.ArgumentParser(description="One rank of a training run.")
    parser.add_argument("run", type=int, help="number of the run")
    parser.add_argument("--workspace", required=True, help="folder of runs.db")
    parser.add_argument("--rank", required=True, type=int, help="which one, from 0")
    parser.add_argument("--ranks", required=True, type=int, help="how many there are")
    parser.add_argument("--rendezvous", required=True, help="file through which the ranks find each other")
    parser.add_argument("--report", required=True, type=Path, help="file for the report")
    given = parser.parse_args(arguments)
    wishes = Wishes()
    end_with_parent(wishes)
    workspace = Workspace.find(given.workspace)
    try:
        outcome = _train(workspace, given, wishes)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the job process must hear of it
        sys.stderr.write(f"{error}\n")
        _report(error, given.run).write(given.report)
        sys.stderr.flush()
        # Not by `sys.exit`: what the libraries tidy up at the end would wait for the other ranks.
        os._exit(_FAILED)
    Report(outcome=outcome).write(given.report)
    return 0


def _train(workspace: Workspace, given: argparse.Namespace, wishes: Wishes) -> Outcome | None:
    prepare_environment()
    from engine.training.distributed.ranks import join, leave

    ranks = join(given.rendezvous, given.rank, given.ranks)
    with RankSession(workspace, given.run, ranks, wishes) as session:
        train_run(workspace, session, ranks)
    ranks.wait()
    leave()
    return session.outcome


def _report(error: BaseException, run_id: int) -> Report:
    understood = isinstance(error, SonotuneError) or type(error).__name__ == "OutOfMemoryError"
    return Report(failure=Failure(*describe_error(error, JobKind.TRAINING, run_id), understood))


def end_with_parent(wishes: Wishes) -> None:
    """End when the job process does, however it ends, and leave signals of the terminal to it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform.startswith("linux"):
        # At once, also while a library holds Python's lock.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Everywhere, and for a parent that was gone before: its end of our standard input closes with it.
    wishes.listen(lambda: os._exit(_FAILED))


if __name__ == "__main__":
    keep_files_private()
    outlast_full_log()
    sys.exit(main())
