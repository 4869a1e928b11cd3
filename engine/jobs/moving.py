"""Moving a queued job among the others: it takes the priority of its new neighbour and a rank beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from engine.errors import JobError, UsageError
from engine.jobs.control import find_job, title_of
from engine.jobs.queue import order
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.store.writer_queue import Place
from engine.types import ACTIVE, JobKind, State
from engine.workspace import Workspace


class Move(StrEnum):
    """Where a queued job can go."""

    UP = "up"
    DOWN = "down"
    TOP = "top"
    BOTTOM = "bottom"


def move_job(workspace: Workspace, kind: JobKind, job_id: int | str, where: str) -> str:
    """Move a queued job one place up or down, or to an end of the queue.

    It takes the priority of the job that it is now beside, because priority goes before place. A job that is at that
    end already stays where it is.

    Args:
        workspace: where the job is recorded.
        kind: what `job_id` is.
        job_id: number of the run or evaluation, or name of the run.
        where: up, down, top or bottom.

    Returns:
        A sentence that says where it is now.

    Raises:
        JobError: it does not exist, or is not queued (any more).
        UsageError: `where` is none of the four.
    """
    if where not in tuple(Move):
        raise UsageError(f"A job cannot be moved {where}", next_step=f"Choose: {', '.join(Move)}.")
    row = find_job(workspace, kind, job_id)
    said = ""

    def arrange(jobs: Sequence[JobRow], now: float) -> list[Place]:
        nonlocal said
        queued = [entry.job for entry in order(jobs)]
        place = next((place for place, job in enumerate(queued) if (job.kind, job.id) == (row.kind, row.id)), None)
        if place is None:
            raise _not_queued(workspace, row)
        target = _target(Move(where), place, len(queued))
        changed = places(queued, place, target, now)
        said = _sentence(row, target, len(queued), changed)
        return changed

    with Writer.open(workspace) as writer:
        writer.arrange_queue(arrange)
    return said


def places(queued: Sequence[JobRow], place: int, target: int, now: float) -> list[Place]:
    """The places that change when the job at `place` goes to `target`; most often its own alone.

    Args:
        queued: all queued jobs in the order in which they are started.
        place: index of the job.
        target: index that it shall have.
        now: Unix time; what is queued later gets a higher rank and so comes after it.
    """
    if place == target:
        return []
    job = queued[place]
    others = [each for each in queued if each is not job]
    before = others[target - 1] if target > 0 else None
    after = others[target] if target < len(others) else None
    # Where the neighbours differ in priority, the one that was passed gives its own.
    passed = after if target < place else before
    assert passed is not None  # noqa: S101 - whoever changes place has passed somebody
    peers = [each for each in others if each.priority == passed.priority]
    low = None if before is None or before.priority != passed.priority else before.queue_rank
    high = None if after is None or after.priority != passed.priority else after.queue_rank
    rank = _between(low, high, now)
    if rank is not None:
        return [(job.kind, job.id, passed.priority, rank)]
    peers.insert(peers.index(passed) + (target > place), job)
    return _renumbered(peers, passed.priority)


def _between(low: float | None, high: float | None, now: float) -> float | None:
    """A rank above `low` and below `high`, where given; None where no number lies between them."""
    if low is None:
        return None if high is None else high - 1.0
    if high is None:
        # Not simply a second later: who is queued after this move must come after this job.
        return max(now, math.nextafter(low, math.inf))
    middle = low + (high - low) / 2
    return middle if low < middle < high else None


def _renumbered(peers: Sequence[JobRow], priority: int) -> list[Place]:
    """New ranks a second apart for all jobs of one priority; the last keeps the highest, so none comes after `now`."""
    highest = max(job.queue_rank for job in peers)
    return [(job.kind, job.id, priority, highest - (len(peers) - 1 - place)) for place, job in enumerate(peers)]


def _target(where: Move, place: int, count: int) -> int:
    last = count - 1
    return {Move.UP: max(0, place - 1), Move.DOWN: min(last, place + 1), Move.TOP: 0, Move.BOTTOM: last}[where]


def _sentence(job: JobRow, target: int, count: int, changed: Sequence[Place]) -> str:
    title = title_of(job)
    if not changed:
        return f"{title} is {'first' if target == 0 else 'last'} in the queue already."
    priority = next(priority for kind, job_id, priority, _ in changed if (kind, job_id) == (job.kind, job.id))
    more = "" if priority == job.priority else f" Its priority is {priority} now, like that of its neighbour."
    return f"{title} is number {target + 1} of {count} in the queue now.{more}"


def _not_queued(workspace: Workspace, row: JobRow) -> JobError:
    state = find_job(workspace, row.kind, row.id).state
    if state in ACTIVE:
        which = f"`sonotune cancel {'' if row.kind == JobKind.TRAINING else '--evaluation '}{row.id}` ends it."
        reason = "It was queued a moment ago." if row.state == State.QUEUED else ""
        return JobError(f"{title_of(row)} has been started: it cannot be moved any more", reason, which)
    return JobError(
        f"{title_of(row)} is {state}: it is not in the queue", next_step="`sonotune queue` lists what is queued."
    )
