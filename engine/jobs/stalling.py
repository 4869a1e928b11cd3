"""When a job that lives has stopped getting on. Pure: what was seen, and for how long, comes in; words come out.

All durations are differences that one observer has measured with a monotonic clock: a clock that is set, or a machine
that slept, makes no stall. Silence (no heartbeat) is another thing: see `engine.jobs.liveness`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from engine.formatting import duration
from engine.jobs.phases import Phase

TIMES_MEDIAN = 20.0
"""A step that takes so many times the median of those before it is a stall."""
SHORTEST_STALL_SECONDS = 60.0
"""With fast steps a pause of a second (a swap, a slow disk) is no stall."""
OTHER_SECONDS = 1800.0
"""For everything that has no median: loading a model, compiling for the first steps, a validation loss, saving."""
FEWEST_STEPS = 5
"""Before so many steps of an attempt its kernels may still be compiling, which takes minutes."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A job has not got on for longer than it should need."""

    seconds: float
    """Since its last sign of progress."""
    words: str
    """What is missing, with figures; one sentence for its history."""


def bound_seconds(typical: Sequence[float]) -> float:
    """How long the next step may take.

    Args:
        typical: seconds of the steps (or batches) before it, of this attempt; fewer than five tell nothing.
    """
    if len(typical) < FEWEST_STEPS:
        return OTHER_SECONDS
    return max(SHORTEST_STALL_SECONDS, TIMES_MEDIAN * statistics.median(typical))


def run_stall(phase: str | None, step: int, still_seconds: float, step_seconds: Sequence[float]) -> Stall | None:
    """Whether a living run has stalled; None while it gets on, or takes no longer than it may.

    Args:
        phase: of `runs.phase`; None where the process has not said.
        step: its last step.
        still_seconds: for how long neither step nor phase has changed.
        step_seconds: of its newest steps in this attempt.
    """
    if phase == Phase.WAITING_FOR_DISK:
        return None  # it waits on purpose, and has said for what
    still = duration(still_seconds)
    if phase == Phase.TRAINING:
        bound = bound_seconds(step_seconds)
        if still_seconds <= bound:
            return None
        if len(step_seconds) < FEWEST_STEPS:
            return Stall(still_seconds, f"no step for {still} after step {step}; too few steps to say what is usual")
        median = statistics.median(step_seconds)
        times = f"{still_seconds / median:.0f} times" if median > 0 else "many times"
        return Stall(still_seconds, f"no step for {still} after step {step}, {times} the median of {median:.2g} s")
    if still_seconds <= OTHER_SECONDS:
        return None
    return Stall(still_seconds, f"busy with {phase or 'something that it has not named'} for {still}")


def evaluation_stall(done: int, planned: int | None, still_seconds: float, gaps: Sequence[float]) -> Stall | None:
    """Whether a living evaluation has stalled.

    Args:
        done: cases that it has measured.
        planned: cases in all, where that is known.
        still_seconds: for how long `done` has not changed.
        gaps: seconds between the newest changes of `done`: its batches, as the observer saw them.
    """
    measuring = done > 0 and (planned is None or done < planned)
    bound = bound_seconds(gaps) if measuring else OTHER_SECONDS
    if still_seconds <= bound:
        return None
    still = duration(still_seconds)
    if measuring:
        return Stall(still_seconds, f"no case for {still} after {done} of {planned or '?'}")
    doing = "loading its model" if done == 0 else "scoring"
    return Stall(still_seconds, f"{doing} for {still}")


def what_to_do(job: str, pid: int | None) -> str:
    """What a user can look at and do, in a line each.

    Args:
        job: as commands name it, such as `3` or `--evaluation 7`.
        pid: of its process.
    """
    lines = [f"`sonotune log {job}` shows what it wrote last; `nvidia-smi` whether its GPU still works."]
    if pid is not None:
        lines.append(f"`py-spy dump --pid {pid}` (where py-spy is installed) shows where it hangs.")
    lines.append(f"`sonotune stop {job}` saves and ends it, if it still answers; `sonotune resume {job}` goes on.")
    if pid is not None:
        lines.append(f"`kill -9 {pid}` ends one that does not answer; its checkpoints stay, and resume goes on.")
    return "\n".join(lines)
