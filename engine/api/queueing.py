"""The queue as a screen shows it: what runs on which device, what waits in which order, what ended lately."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.api.reading import settle_if_alone
from engine.jobs.devices import Device, gpu_count, ids_of, joined, known_devices
from engine.jobs.liveness import shown_state
from engine.jobs.queue import order, pause_of
from engine.jobs.worker import WorkerStatus, worker_status
from engine.store.mapping import columns
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.types import ACTIVE, JobKind, Reference, Split, State
from engine.workspace import Workspace

RECENT = 20


@dataclass(frozen=True, slots=True)
class QueueJob:
    """What every job of the view has."""

    kind: JobKind
    id: int
    name: str
    """Of the run, or of the subject of an evaluation; untrusted text."""
    question: str | None
    """None for a run."""
    split: Split | None
    dataset: str
    model: str
    reference: Reference | None
    """Set for the evaluation of a reference row."""
    run_id: int | None
    """The run itself, or the run that an evaluation measures; None for a reference row."""
    state: State
    reason: str
    priority: int
    queued_at: float
    """Unix time, like all times here."""
    planned_steps: int | None
    """Optimiser steps of a run, cases of an evaluation; None until it is known."""


@dataclass(frozen=True, slots=True)
class QueueItem(QueueJob):
    """A queued job in its place."""

    position: int
    """1 is started next, unless it is blocked."""
    blocked: str
    """Why it cannot start yet, with the way out; "" when it waits for a free device alone."""


@dataclass(frozen=True, slots=True)
class RunningJob(QueueJob):
    """A job that a process is working on, or should be."""

    shown_state: str
    """`lost` where it has gone silent, `stalled` where it lives but takes no step, else its state."""
    host: str | None
    device: str | None
    started_at: float | None
    heartbeat: float | None
    step: int
    """Optimiser steps done, or cases measured."""
    loss: float | None
    """Latest training loss, in nats a token."""
    phase: str | None = None
    """What the process of a run is doing; None for an evaluation."""
    stalled_at: float | None = None
    """Unix time since when a run has taken no step."""


@dataclass(frozen=True, slots=True)
class EndedJob(QueueJob):
    """A job that has ended."""

    ended_at: float | None
    error_title: str | None
    error_next_step: str | None
    can_resume: bool
    """`resume` puts it back into the queue."""


@dataclass(frozen=True, slots=True)
class DeviceQueue:
    """One device, with the job that it is busy with."""

    device: str
    """`cuda:N` or `cpu`; "" for a job that nobody gave a device."""
    name: str
    running: RunningJob | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """All of it at one moment."""

    devices: list[DeviceQueue] = field(default_factory=list)
    """Those of this machine first, then what runs elsewhere or beside another job."""
    queued: list[QueueItem] = field(default_factory=list)
    """In the order in which they are started."""
    recent: list[EndedJob] = field(default_factory=list)
    """Newest first."""
    paused: bool = False
    pause_reason: str = ""
    """Untrusted text."""
    paused_since: float | None = None
    worker: WorkerStatus = field(default_factory=lambda: WorkerStatus(False, None))


def queue_view(workspace: Workspace, recent: int = RECENT) -> QueueView:
    """The queue of a workspace, with the last `recent` jobs that ended; dead jobs are settled first."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        free = [DeviceQueue(device.id, device.name, None) for device in known_devices()]
        return QueueView(free, worker=worker_status(workspace))
    with reader:
        settle_if_alone(workspace, reader)
        return queue_view_from(reader, known_devices(), worker_status(workspace), recent=recent)


def queue_view_from(
    reader: Reader,
    devices: Sequence[Device],
    worker: WorkerStatus,
    *,
    recent: int = RECENT,
    now: float | None = None,
) -> QueueView:
    """The same through an open reader, for a thread that polls: opens nothing, asks no driver.

    Args:
        reader: of the workspace.
        devices: of this machine (`known_devices()`, which takes tenths of a second the first time).
        worker: whether one runs (`worker_status`).
        recent: how many jobs that ended.
        now: Unix time; the present by default.
    """
    jobs, pause = reader.jobs(), pause_of(reader)
    moment = time.time() if now is None else now
    running = [_running(reader, job, moment) for job in jobs if job.state in ACTIVE]
    places = _by_device(devices, running)
    gpus = gpu_count(devices)
    free = None if gpus is None else sum(place.running is None for place in places)
    return QueueView(
        devices=places,
        queued=[
            QueueItem(**_common(entry.job), position=position, blocked=entry.blocked or _waits(entry.job, free))
            for position, entry in enumerate(order(jobs, gpus), start=1)
        ],
        recent=[_ended(job) for job in reader.ended_jobs(recent)],
        paused=pause is not None,
        pause_reason="" if pause is None else pause.reason,
        paused_since=None if pause is None else pause.since,
        worker=worker,
    )


_COMMON = columns(QueueJob)


def _common(job: JobRow) -> dict[str, Any]:
    return {name: getattr(job, name) for name in _COMMON}


def _running(reader: Reader, job: JobRow, now: float) -> RunningJob:
    training = job.kind == JobKind.TRAINING
    return RunningJob(
        **_common(job),
        shown_state=shown_state(job, now),
        host=job.host,
        device=job.device,
        started_at=job.started_at,
        heartbeat=job.heartbeat,
        step=job.step if training else reader.prediction_count(job.id),
        loss=reader.latest_metric(job.id, "loss") if training else None,
        phase=job.phase,
        stalled_at=job.stalled_at,
    )


def _ended(job: JobRow) -> EndedJob:
    return EndedJob(
        **_common(job),
        ended_at=job.ended_at,
        error_title=job.error_title,
        error_next_step=job.error_next_step,
        can_resume=job.state in (State.FAILED, State.INTERRUPTED),
    )


def _waits(job: JobRow, free: int | None) -> str:
    """What a job that wants several GPUs waits for; "" for all others, which take the next one that is free."""
    if free is None or job.devices == 1 or job.devices <= free:
        return ""
    return f"waits until {job.devices} GPUs are free at once ({free} now); jobs after it wait, so that it gets its turn"


def _by_device(devices: Sequence[Device], running: Sequence[RunningJob]) -> list[DeviceQueue]:
    """Every device with its job, then jobs that fit none: of another machine, or a second one on the same device.

    Devices that share one job are one row.
    """
    here, left = socket.gethostname(), list(running)
    rows, shared = [], set[str]()
    for device in devices:
        if device.id in shared:
            continue
        job = next((job for job in left if device.id in ids_of(job.device) and job.host in (here, None)), None)
        place = device
        if job is not None:
            left.remove(job)
            taken = ids_of(job.device)
            place = joined([each for each in devices if each.id in taken])
            shared.update(taken)
        rows.append(DeviceQueue(place.id, place.name, job))
    elsewhere = [
        DeviceQueue(job.device or "", f"on {job.host}" if job.host not in (here, None) else "", job) for job in left
    ]
    return [*rows, *elsewhere]
