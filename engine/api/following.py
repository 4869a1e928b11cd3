"""Watching jobs from outside: their states and progress as they change, and their logs."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.api.reading import open_reader
from engine.errors import JobError
from engine.jobs.worker import ensure_worker
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.types import ENDED, JobKind, State
from engine.workspace import Workspace

POLL_SECONDS = 0.25
WORKER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a progress display needs it."""

    kind: JobKind
    id: int
    title: str
    state: State
    reason: str
    step: int
    """Optimizer steps done, or cases measured."""
    planned_steps: int | None
    loss: float | None
    """Latest training loss, in nats a token."""
    error: tuple[str, str, str] | None
    """Title, detail and next step of what went wrong."""


def follow_jobs(
    workspace: Workspace, jobs: Sequence[tuple[JobKind, int]], poll_seconds: float = POLL_SECONDS
) -> Iterator[list[JobView]]:
    """The views of `jobs` each time something was recorded, until all of them have ended (the last list says how).

    Sees to it that a worker is there all the time: without one nothing would ever end.
    """
    for reader in each_change(workspace, poll_seconds):
        views = [_view(reader, kind, job_id) for kind, job_id in jobs]
        yield views
        if all(view.state in ENDED for view in views):
            return


def each_change(workspace: Workspace, poll_seconds: float = POLL_SECONDS) -> Iterator[Reader]:
    """A reader now and each time something was recorded, without end; a worker is there all the time."""
    with open_reader(workspace) as reader:
        seen, looked = -1, time.monotonic()
        while True:
            if time.monotonic() - looked > WORKER_SECONDS:
                ensure_worker(workspace)
                looked = time.monotonic()
            version = reader.data_version()
            if version != seen:
                seen = version
                yield reader
            time.sleep(poll_seconds)


def _view(reader: Reader, kind: JobKind, job_id: int) -> JobView:
    if kind == JobKind.EVALUATION:
        row = reader.evaluation(job_id)
        title = f"{row.title} · {row.question} · {row.split}"
        measured = reader.prediction_count(job_id)
        return JobView(kind, job_id, title, row.state, row.reason, measured, row.n, None, _error(row))
    run = reader.run(job_id)
    loss = reader.latest_metric(job_id, "loss")
    return JobView(kind, job_id, run.name, run.state, run.reason, run.step, run.planned_steps, loss, _error(run))


def _error(row: object) -> tuple[str, str, str] | None:
    title, detail, following = (getattr(row, f"error_{part}") for part in ("title", "detail", "next_step"))
    return (title, detail or "", following or "") if title else None


def read_log(
    workspace: Workspace, job: int | str, follow: bool = False, kind: JobKind = JobKind.TRAINING
) -> Iterator[str]:
    """Text of a job's log as it stands; with `follow`, also what is added until the job has ended.

    Args:
        workspace: where the job is recorded.
        job: number of the run or evaluation, or name of the run.
        follow: go on until the job has ended.
        kind: what `job` is.

    Raises:
        JobError: the job has not written anything yet.
    """
    with open_reader(workspace) as reader:
        row = reader.job(kind, reader.run(job).id if kind == JobKind.TRAINING else int(job))
        file = workspace.job_folder(row.directory) / "log.txt"
        if not follow and not file.exists():
            raise _no_log(row)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be cut at the end of a read
        position = 0
        while True:
            ended = reader.job(kind, row.id).state in ENDED  # before reading, so that the last words are not missed
            data = _read(file, position)
            position += len(data)
            if data:
                yield decoder.decode(data)
            elif not follow or ended:
                return
            else:
                time.sleep(POLL_SECONDS)


def _no_log(row: JobRow) -> JobError:
    title = f"{'Run' if row.kind == JobKind.TRAINING else 'Evaluation'} {row.id} has no log yet"
    if row.kind == JobKind.EVALUATION and row.state in ENDED:
        reason = "One process measures all waiting evaluations of a model; its log is with the first of them."
        title = f"Evaluation {row.id} has no log of its own"
        return JobError(title, reason, f"Try `sonotune log --evaluation {row.id - 1}`.")
    which = str(row.id) if row.kind == JobKind.TRAINING else f"--evaluation {row.id}"
    waiting = f"`sonotune log {which} --follow` waits for it."
    return JobError(title, f"It is {row.state} and has not written anything yet.", waiting)


def _read(file: Path, position: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as stream:
        stream.seek(position)
        return stream.read(1 << 20)
