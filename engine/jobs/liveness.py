"""Whether an active job still gives signs of life. Pure: for a reader, silence is all that can be seen of a process."""

from __future__ import annotations

import time
from typing import Protocol

from engine.types import ACTIVE, State

LOST_AFTER_SECONDS = 15.0
"""A job beats every 2 s (`engine.jobs.heartbeat`), and one beat may wait 10 s for a locked database: only a longer
silence means something."""

LOST = "lost"
"""Shown instead of the state; never stored, because the job may only be stuck and beat again."""
STALLED = "stalled"
"""Shown instead of the state of a run that lives but takes no step (`runs.stalled_at`, set by the worker)."""


class Beating(Protocol):
    """What is looked at: a row of a run, of an evaluation or of a job."""

    @property
    def state(self) -> State:
        """As recorded."""

    @property
    def heartbeat(self) -> float | None:
        """Unix time of the last sign of life."""


def is_lost(state: State, heartbeat: float | None, now: float, after: float = LOST_AFTER_SECONDS) -> bool:
    """Whether a job should be alive but has been silent for more than `after` seconds.

    Args:
        state: as recorded.
        heartbeat: Unix time of the last sign of life; None: there was none.
        now: Unix time.
        after: seconds of silence.
    """
    return state in ACTIVE and (heartbeat is None or now - heartbeat > after)


def shown_state(job: Beating, now: float | None = None) -> str:
    """`lost` for an active job that has gone silent, `stalled` for one that lives but takes no step, else its state.

    `now` is Unix time, the present by default.
    """
    if is_lost(job.state, job.heartbeat, time.time() if now is None else now):
        return LOST
    return STALLED if stalled_since(job) is not None else job.state.value


def stalled_since(job: Beating) -> float | None:
    """Unix time since when an active run has taken no step; None while it gets on, and for an evaluation."""
    since: float | None = getattr(job, "stalled_at", None)  # evaluations have none
    return since if job.state in ACTIVE else None
