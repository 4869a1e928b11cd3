"""`python -m engine.evaluation ID --workspace DIR`: the process of one evaluation, and of its subject's other ones."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from functools import partial

from engine.evaluation.process import evaluate_from
from engine.jobs.log_output import outlast_full_log
from engine.private_files import keep_files_private
from engine.training.entry import run_job


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one evaluation; 0 when it succeeded or ended as the user asked, 1 when it failed."""
    work = partial(evaluate_from, keep_worker=True)
    return run_job("evaluation", "Evaluate one model.", work, arguments)


if __name__ == "__main__":
    keep_files_private()
    outlast_full_log()
    # The terminal that closes is that of who started it; SIGTERM is how an evaluation is asked to end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
