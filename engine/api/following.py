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
    with open_reader(workspace) as reader:
        seen, looked = -1, time.monotonic()
        while True:
            if time.monotonic() - looked > WORKER_SECONDS:
                ensure_worker(workspace)
                looked = time.monotonic()
            version = reader.data_version()
            if version != seen:
                seen = version
                views = [_view(reader, kind, job_id) for kind, job_id in jobs]
                yield views
                if all(view.state in ENDED for view in views):
                    return
            time.sleep(poll_seconds)


def _view(reader: Reader, kind: JobKind, job_id: int) -> JobView:
    if kind == JobKind.EVALUATION:
        row = reader.evaluation(job_id)
        title = f"{row.name} · {row.question} · {row.split}"
        measured = reader.prediction_count(job_id)
        return JobView(kind, job_id, title, row.state, row.reason, measured, row.n, None, _error(row))
    run = reader.run(job_id)
    points = reader.metrics(job_id, ["loss"])
    loss = points[-1].value if points else None
    return JobView(kind, job_id, run.name, run.state, run.reason, run.step, run.planned_steps, loss, _error(run))


def _error(row: object) -> tuple[str, str, str] | None:
    title, detail, following = (getattr(row, f"error_{part}") for part in ("title", "detail", "next_step"))
    return (title, detail or "", following or "") if title else None


def read_log(workspace: Workspace, run: int | str, follow: bool = False) -> Iterator[str]:
    """Text of a run's log as it stands; with `follow`, also what is added until the run has ended.

    Raises:
        JobError: the run has not written anything yet.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
        file = workspace.root / row.directory / "log.txt"
        if not follow and not file.exists():
            raise JobError(
                f"Run {row.id} has no log yet",
                f"It is {row.state}: {row.reason}.",
                f"`sonotune log {row.id} --follow` waits for it.",
            )
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be cut at the end of a read
        position = 0
        while True:
            ended = reader.run(row.id).state in ENDED  # before reading, so that the last words are not missed
            data = _read(file, position)
            position += len(data)
            if data:
                yield decoder.decode(data)
            elif not follow or ended:
                return
            else:
                time.sleep(POLL_SECONDS)


def _read(file: Path, position: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as stream:
        stream.seek(position)
        return stream.read(1 << 20)
