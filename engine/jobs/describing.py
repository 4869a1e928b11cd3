"""Errors in the words in which the row of a job keeps them."""

from __future__ import annotations

import traceback

from engine.errors import SonotuneError
from engine.types import JobKind


def describe_error(error: BaseException, kind: JobKind, job_id: int) -> tuple[str, str, str]:
    """Title, detail and next step of an error, for the row of a job."""
    again = f"`sonotune resume {job_id}` tries again" if kind == JobKind.TRAINING else "queue the evaluation again"
    if isinstance(error, SonotuneError):
        step = error.next_step or "Mend the cause."
        return error.title, error.reason, step if "sonotune resume" in step else f"{step} Then {again}."
    trace = "".join(traceback.format_exception(error)[-6:]).strip()
    # By name: importing torch here to compare classes would cost every job that has none.
    if type(error).__name__ == "OutOfMemoryError":
        return (
            "The GPU ran out of memory",
            trace,
            "Launch it with a smaller micro-batch (--set training.batch=...), with 4-bit quantization, or with "
            "training.gradient_checkpointing=on.",
        )
    if isinstance(error, MemoryError) or "DataLoader worker" in str(error):
        return (
            "The memory of the machine ran out"
            if isinstance(error, MemoryError)
            else "A data loader process was ended",
            trace,
            "End what else takes memory (`sonotune show` tells the run's own peak; a data loader that is killed most "
            f"often met the same), then {again} from its last checkpoint.",
        )
    first = str(error).strip().partition("\n")[0]
    title = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return title, trace, f"Read its log; then {again}."
