"""How long a job that cannot be looked for by its PID has been silent, whatever the wall clock does meanwhile.

A heartbeat is a time of the wall clock, and that may be set by hours: a job that beats every two seconds then looks
silent for hours, or beats in the future. So its silence counts only where this process has seen it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

SILENT_SECONDS = 600.0
"""A job of another host name (most often a container that came back under a new name) is dead after so long."""
CONFIRM_SECONDS = 5.0
"""Where the clock says so already, two missed beats that were watched are enough."""


class Silences:
    """What one process has seen of heartbeats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[Hashable, tuple[float | None, float]] = {}

    def watched(self, job: Hashable, heartbeat: float | None) -> float:
        """Seconds for which this process has seen no other heartbeat of the job; 0 at the first look."""
        now = self._clock()
        before = self._seen.get(job)
        if before is None or before[0] != heartbeat:
            self._seen[job] = before = (heartbeat, now)
        return now - before[1]

    def is_dead(self, job: Hashable, heartbeat: float | None, since: float, now: float) -> bool:
        """Whether it has been silent for too long.

        Args:
            job: which one.
            heartbeat: as its row says, Unix time.
            since: where it has none: when it was queued, Unix time.
            now: Unix time.
        """
        watched = self.watched(job, heartbeat)
        last = since if heartbeat is None else heartbeat
        return watched >= SILENT_SECONDS or (now - last > SILENT_SECONDS and watched >= CONFIRM_SECONDS)

    def is_doubtful(self, job: Hashable, heartbeat: float | None, since: float, now: float) -> bool:
        """Whether it looks dead by the clock alone: a second look after `CONFIRM_SECONDS` tells."""
        watched = self.watched(job, heartbeat)
        return now - (since if heartbeat is None else heartbeat) > SILENT_SECONDS and watched < CONFIRM_SECONDS
