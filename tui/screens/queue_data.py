"""What the queue screen shows, as rows: read in the poller's thread, compared there, painted on the screen's."""

from __future__ import annotations

import socket
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from engine import api
from tui import clock
from tui.text import counted

DETAIL_CHARACTERS = 6_000
"""Of a longer error text only so much is shown: the log has all of it."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The first line of a part of the table; the cursor passes over it."""

    title: str
    count: str
    note: str
    """What stands over the wide column in this part."""
    last: str
    """What stands over the last column."""

    @property
    def key(self) -> Hashable:
        """Identity of the row."""
        return "heading", self.title

    @property
    def job(self) -> None:
        """A heading is no job."""
        return None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device, with the job that it is busy with."""

    place: api.DeviceQueue
    seconds_left: float | None = None
    asked: str = ""
    """What was asked of the job and not carried out yet: `stop`, or `cancel`, which outdoes it."""
    host: str = ""
    """The machine, where it is another one; untrusted text."""
    still: str = ""
    """For how long a job that lives has not got on, such as `12 min`."""

    @property
    def key(self) -> Hashable:
        """Identity of the row: that of the job, so that the cursor stays with it from the queue to its end."""
        return ("device", self.place.device) if self.place.running is None else job_key(self.place.running)

    @property
    def job(self) -> api.RunningJob | None:
        """What runs here."""
        return self.place.running


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A queued job."""

    job: api.QueueItem
    hold: str
    """Why even the first job that could start does not; "" where a device takes it, and for all others."""
    run_state: api.State | None
    """State of the run that a blocked evaluation measures."""

    @property
    def key(self) -> Hashable:
        """Identity of the row."""
        return job_key(self.job)

    @property
    def run_can_resume(self) -> bool:
        """It waits for a run that does not go on by itself."""
        return self.run_state in (api.State.FAILED, api.State.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class EndedRow:
    """A job that has ended."""

    job: api.EndedJob
    error_detail: str
    """Untrusted text of many lines."""

    @property
    def key(self) -> Hashable:
        """Identity of the row."""
        return job_key(self.job)


Row = Heading | DeviceRow | WaitingRow | EndedRow


@dataclass(frozen=True, slots=True)
class QueueData:
    """One answer of the poller."""

    rows: tuple[Row, ...] = ()
    running: int = 0
    lost: int = 0
    waiting: int = 0
    paused: bool = False
    pause_reason: str = ""
    """Untrusted text."""
    paused_since: float | None = None
    worker: bool = True
    """A worker runs, so that something is started."""


def job_key(job: api.QueueJob) -> Hashable:
    """Identity of a job wherever it stands."""
    return job.kind, job.id


@dataclass(slots=True)
class QueueQuestion:
    """Asks for everything that the screen shows; belongs to the poller's thread."""

    workspace: api.Workspace
    _details: dict[Hashable, str] = field(default_factory=dict)
    """Error texts of jobs that have ended, which do not change until the job ends again."""

    def __call__(self, live: api.Live) -> QueueData:
        """The queue at this moment.

        Raises:
            StoreError: runs.db cannot be read.
        """
        devices, worker = api.known_devices(), api.worker_status(self.workspace)
        reader = live.reader()
        if reader is None:
            free = [api.DeviceQueue(device.id, device.name, None) for device in devices]
            return _data(api.QueueView(free, worker=worker), [DeviceRow(place) for place in free], [], [])
        view = api.queue_view_from(reader, devices, worker, now=clock.now())
        return _data(
            view,
            [_device_row(live, place) for place in view.devices],
            _waiting_rows(live, view),
            self._ended_rows(live, view.recent),
        )

    def _ended_rows(self, live: api.Live, jobs: Sequence[api.EndedJob]) -> list[EndedRow]:
        known, self._details = self._details, {}
        rows = []
        for job in jobs:
            key = (job.kind, job.id, job.ended_at)
            detail = known[key] if key in known else _error_detail(live, job)
            self._details[key] = detail
            rows.append(EndedRow(job, detail))
        return rows


def _error_detail(live: api.Live, job: api.EndedJob) -> str:
    reader = live.reader()
    if reader is None or not job.error_title:
        return ""
    row = reader.run(job.id) if job.kind == api.JobKind.TRAINING else reader.evaluation(job.id)
    return (row.error_detail or "").strip()[:DETAIL_CHARACTERS]


def _device_row(live: api.Live, place: api.DeviceQueue) -> DeviceRow:
    job, reader = place.running, live.reader()
    if job is None or reader is None:
        return DeviceRow(place)
    training = job.kind == api.JobKind.TRAINING
    requests = reader.requests(run_id=job.id) if training else reader.requests(evaluation_id=job.id)
    pending = {str(request.action) for request in requests if request.settled_at is None}
    asked = next((action for action in ("cancel", "stop") if action in pending), "")
    host = "" if job.host in (socket.gethostname(), None) else str(job.host)
    stalled = job.shown_state == api.STALLED and job.stalled_at is not None
    still = clock.span(clock.now() - job.stalled_at) if stalled else ""  # type: ignore[operator]  # not None
    return DeviceRow(place, _seconds_left(live, job), asked, host, still)


def _seconds_left(live: api.Live, job: api.RunningJob) -> float | None:
    reader = live.reader()
    if reader is None or job.shown_state != api.State.RUNNING:
        return None
    if job.kind == api.JobKind.TRAINING:
        step_seconds = live.progress([job.id])[job.id][1]
        return api.eta_seconds(job.state, job.step, job.planned_steps, step_seconds)
    loading = reader.evaluation(job.id).load_seconds or 0.0
    return measuring_seconds_left(job, loading)


def measuring_seconds_left(job: api.RunningJob, load_seconds: float) -> float | None:
    """Remaining time of an evaluation, from its speed so far; None until it can be told.

    Args:
        job: the evaluation, with its cases measured and planned.
        load_seconds: what loading the model took, which no case takes again.
    """
    if job.started_at is None or job.heartbeat is None or not job.step or job.planned_steps is None:
        return None
    measuring = job.heartbeat - job.started_at - load_seconds
    return None if measuring <= 0 else max(0, job.planned_steps - job.step) * measuring / job.step


def _waiting_rows(live: api.Live, view: api.QueueView) -> list[WaitingRow]:
    reader = live.reader()
    runs = {item.run_id for item in view.queued if item.blocked and item.run_id is not None}
    states = {} if reader is None else {run: reader.run(run).state for run in runs}
    first = next((item.position for item in view.queued if not item.blocked), None)
    hold = _hold(view)
    return [
        WaitingRow(item, hold if item.position == first else "", states.get(item.run_id or 0) if item.blocked else None)
        for item in view.queued
    ]


def _hold(view: api.QueueView) -> str:
    if view.paused:
        return "the queue is paused: p"
    return "" if view.worker.running else "no worker runs: W"


def _data(
    view: api.QueueView, devices: Sequence[DeviceRow], waiting: Sequence[WaitingRow], ended: Sequence[EndedRow]
) -> QueueData:
    jobs = [row.job for row in devices if row.job is not None]
    lost = sum(job.shown_state == api.LOST for job in jobs)
    return QueueData(
        rows=(
            Heading("by device", _count(len(jobs)), "progress", "left"),
            *devices,
            Heading("waiting", _count(len(waiting)), "what keeps it", "prio"),
            *waiting,
            Heading("ended lately", _count(len(ended)), "why", "when"),
            *ended,
        ),
        running=len(jobs) - lost,
        lost=lost,
        waiting=len(waiting),
        paused=view.paused,
        pause_reason=view.pause_reason,
        paused_since=view.paused_since,
        worker=view.worker.running,
    )


def _count(jobs: int) -> str:
    return counted(jobs, "job") if jobs else "none"
