"""The worker's watch over jobs that live but do not get on: it marks them, and takes the mark away again."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.formatting import duration
from engine.jobs.liveness import LOST_AFTER_SECONDS
from engine.jobs.stalling import SHORTEST_STALL_SECONDS, Stall, evaluation_stall, run_stall
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import JobKind, State

STALLED_EVENT, GOES_ON_EVENT = "stalled", "gets on"
STEPS = 32
"""Newest steps whose median counts."""
COUNT_EVERY_SECONDS = 5.0
"""How often the predictions of an evaluation are counted."""
LONGEST_GAP_SECONDS = 30.0
"""Between two looks: a worker that was itself stopped for longer has seen nothing in that time."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """What the watch knows of one attempt."""

    attempt: object
    mark: object
    """What changes when the job gets on."""
    since: float
    """When it did so last; monotonic, like all times here."""
    heartbeat: float | None
    beat_at: float
    counted_at: float = 0.0
    done: int = 0
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=STEPS))
    told: bool = False
    """Its history says already that it has stalled."""


class StallWatch:
    """Looks at the active jobs each time the worker does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        """Args: `clock`: monotonic seconds; `wall`: Unix time, for `runs.stalled_at` alone."""
        self._clock, self._wall = clock, wall
        self._seen: dict[tuple[JobKind, int], _Seen] = {}
        self._looked_at = clock()

    def look(self, writer: Writer, reader: Reader, living: Sequence[JobRow]) -> None:
        """Mark the runs among `living` that have stalled, unmark those that get on; evaluations get an event.

        Args:
            writer: writes marks and events.
            reader: of the same database.
            living: the active jobs, as just read.
        """
        now = self._clock()
        blind = now - self._looked_at
        self._looked_at = now
        running = {(job.kind, job.id): job for job in living if job.state == State.RUNNING}
        self._seen = {key: seen for key, seen in self._seen.items() if key in running}
        for key, job in running.items():
            seen = self._seen.get(key)
            if seen is None or seen.attempt != _attempt(job):
                self._seen[key] = self._first(reader, job, now)
                continue
            if blind > LONGEST_GAP_SECONDS:
                seen.since = seen.beat_at = now
            self._judge(writer, reader, job, seen, now)

    def _first(self, reader: Reader, job: JobRow, now: float) -> _Seen:
        done = 0 if job.kind == JobKind.TRAINING else reader.prediction_count(job.id)
        mark = _mark(job, done)
        return _Seen(_attempt(job), mark, now, job.heartbeat, now, now, done, told=job.stalled_at is not None)

    def _judge(self, writer: Writer, reader: Reader, job: JobRow, seen: _Seen, now: float) -> None:
        if job.heartbeat != seen.heartbeat:
            seen.heartbeat, seen.beat_at = job.heartbeat, now
        if job.kind == JobKind.EVALUATION and now - seen.counted_at >= COUNT_EVERY_SECONDS:
            seen.counted_at, seen.done = now, reader.prediction_count(job.id)
        mark = _mark(job, seen.done)
        if mark != seen.mark:
            self._goes_on(writer, job, seen, now)
            seen.mark, seen.since = mark, now
        elif now - seen.beat_at > LOST_AFTER_SECONDS:
            seen.since = now  # silent, which is told elsewhere: what it does meanwhile nobody sees
        elif not seen.told and now - seen.since > SHORTEST_STALL_SECONDS:
            stall = _stall(reader, job, seen, now - seen.since)
            if stall is not None:
                self._tell(writer, job, seen, stall)

    def _tell(self, writer: Writer, job: JobRow, seen: _Seen, stall: Stall) -> None:
        seen.told = True
        if job.kind == JobKind.TRAINING:
            writer.update(job.kind, job.id, stalled_at=self._wall() - stall.seconds)
        writer.add_event(job.kind, job.id, STALLED_EVENT, stall.words)
        logger.warning("%s job %d has stalled: %s", job.kind, job.id, stall.words)

    @staticmethod
    def _goes_on(writer: Writer, job: JobRow, seen: _Seen, now: float) -> None:
        still = now - seen.since
        if not seen.told:
            if job.kind == JobKind.EVALUATION and seen.done:
                seen.gaps.append(still)
            return
        seen.told = False
        if job.kind == JobKind.TRAINING:
            writer.update(job.kind, job.id, stalled_at=None)
        writer.add_event(job.kind, job.id, GOES_ON_EVENT, f"after it had stalled for {duration(still)}")
        logger.info("%s job %d gets on again", job.kind, job.id)


def _attempt(job: JobRow) -> object:
    return job.pid, job.process_start, job.started_at


def _mark(job: JobRow, done: int) -> object:
    return (job.phase, job.step) if job.kind == JobKind.TRAINING else done


def _stall(reader: Reader, job: JobRow, seen: _Seen, still: float) -> Stall | None:
    if job.kind == JobKind.EVALUATION:
        return evaluation_stall(seen.done, job.planned_steps, still, seen.gaps)
    steps = reader.recent_values(job.id, "step_seconds", STEPS, since=job.started_at or 0.0)
    return run_stall(job.phase, job.step, still, steps)
