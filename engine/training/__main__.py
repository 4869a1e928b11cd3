"""`python -m engine.training RUN --workspace DIR`: the process of one training run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from engine.jobs.log_output import outlast_full_log
from engine.jobs.session import JobSession
from engine.private_files import keep_files_private
from engine.training.entry import run_job
from engine.training.start import run_training
from engine.types import JobKind
from engine.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one run to its end; 0 when it succeeded or ended as the user asked, 1 when it failed."""
    return run_job("run", "Train one run of the workspace.", _train, arguments)


def _train(workspace: Workspace, run_id: int) -> None:
    with JobSession(workspace, JobKind.TRAINING, run_id, keep_worker=True) as session:
        run_training(workspace, session)


if __name__ == "__main__":
    keep_files_private()
    outlast_full_log()
    sys.exit(main())
