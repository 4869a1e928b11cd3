"""In which order queued jobs are started, and what keeps one waiting. Pure: all that it knows is in the job rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.types import ACTIVE, JobKind, Split, State

PAUSED = "queue_paused"
"""Key of the setting that pauses the queue: `{"since": Unix time, "reason": text}`; absent while it goes on."""
_FAR_FUTURE = 1e11
"""Unix time that no calendar knows."""

_SPLIT_ORDER = (None, Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One queued job in its place."""

    job: JobRow
    blocked: str
    """Why it cannot start yet, with the way out; "" when it waits for a free device alone."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The queue is paused."""

    since: float | None
    """Unix time; None where another program has paused it without saying when."""
    reason: str
    """In the words of whoever paused it; untrusted text, may be empty."""


def pause_of(reader: Reader) -> Pause | None:
    """Whether and why nothing is started; None while the queue goes on."""
    value = reader.setting(PAUSED)
    if not value:
        return None
    given: Mapping[str, object] = value if isinstance(value, dict) else {}
    since = given.get("since")
    if not isinstance(since, (int, float)) or not 0 <= since < _FAR_FUTURE:
        since = None
    return Pause(since, str(given.get("reason", "")))


def queue(reader: Reader) -> list[QueueEntry]:
    """All queued jobs in the order in which they will be started: by priority, then by their place
    (the time of queueing, unless somebody moved them)."""
    return order(reader.jobs())


def next_job(
    reader: Reader,
    loaded: Iterable[str] = (),
    gpus: int | None = None,
    passed_over: Collection[tuple[JobKind, int]] = (),
) -> JobRow | None:
    """The job that should start now, as soon as as many devices are free as it wants (any of them will do).

    It keeps its turn while it waits for several: later jobs that want fewer would pass it for ever.

    None when nothing can start, as long as the queue is paused too.

    Args:
        reader: the workspace's records.
        loaded: subjects that some living process serves, besides those of active rows: between two evaluations of
            one process neither row is active.
        gpus: of this machine; a job that wants more never starts here, and is passed over. None: not known, or no GPU,
            where the processes of a run share the CPU.
        passed_over: jobs that could not be started a moment ago: the others need not wait for them.
    """
    if pause_of(reader) is not None:
        return None
    taken = set(loaded)
    entries = order(reader.sound_jobs()[0], gpus)
    startable = (each.job for each in entries if not each.blocked and each.job.subject not in taken)
    return next((job for job in startable if (job.kind, job.id) not in passed_over), None)


def order(jobs: Sequence[JobRow], gpus: int | None = None) -> list[QueueEntry]:
    """Queue entries of the queued ones among `jobs`; the active ones among them may block others.

    Args:
        jobs: queued and active ones.
        gpus: of this machine, where known: a job that wants more is blocked.
    """
    at_work = {job.subject: job for job in jobs if job.state in ACTIVE and job.subject}
    queued = sorted((job for job in jobs if job.state == State.QUEUED), key=_place)
    return [QueueEntry(job, _too_wide(job, gpus) or _blocked(job, at_work.get(job.subject))) for job in queued]


def _place(job: JobRow) -> tuple[int, float, int, bool, int]:
    # Validation before test: the threshold of the one is used by the other.
    return -job.priority, job.queue_rank, _SPLIT_ORDER.index(job.split), job.kind == JobKind.EVALUATION, job.id


def _too_wide(job: JobRow, gpus: int | None) -> str:
    if gpus is None or job.devices <= gpus:
        return ""
    return (
        f"wants {job.devices} GPUs at once, and this machine has {gpus}: `sonotune cancel {job.id}` drops it; "
        f"launched with training.devices={gpus}, its steps are the same"
    )


def _blocked(job: JobRow, neighbour: JobRow | None) -> str:
    if job.kind == JobKind.TRAINING:
        return ""
    if job.after_run and job.run_state != State.SUCCEEDED:
        return _waits_for_run(job)
    if neighbour is not None:
        # One process serves all evaluations of a subject, so that the model is loaded once.
        return f"evaluation {neighbour.id} has the same model loaded and will take this one next"
    return ""


def _waits_for_run(job: JobRow) -> str:
    if job.run_state in (State.FAILED, State.INTERRUPTED):
        return (
            f"run {job.run_id} {_was(job.run_state)}: `sonotune resume {job.run_id}` goes on with it, "
            f"`sonotune cancel --evaluation {job.id}` drops this evaluation"
        )
    if job.run_state == State.CANCELLED:
        return f"run {job.run_id} was cancelled: `sonotune cancel --evaluation {job.id}` drops this evaluation"
    return f"waits for run {job.run_id} ({job.run_state})"


def _was(state: State) -> str:
    return "failed" if state == State.FAILED else "was interrupted"
