"""What a job process wraps around its work: it owns its row from claim to end, whatever happens in between."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import traceback
from types import FrameType, TracebackType
from typing import Any

from engine.errors import JobError, SonotuneError
from engine.jobs.heartbeat import Heartbeat
from engine.jobs.process import process_start
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.telemetry import peak_rss_bytes
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

DEVICE_VARIABLE = "SONOTUNE_DEVICE"
"""Environment variable in which the worker names the device of a job process (`cuda:1`, `cpu`)."""

_OUTCOMES = {
    Action.STOP: (State.INTERRUPTED, "stopped on request, after saving"),
    Action.CANCEL: (State.CANCELLED, "cancelled on request"),
}

logger = logging.getLogger(__name__)


def claim(writer: Writer, kind: JobKind, job_id: int) -> bool:
    """Take a queued job for this process (queued -> starting); False when somebody else was faster.

    For jobs that no worker dispatched: the next evaluation of an evaluation process, or one started by hand.
    """
    pid = os.getpid()
    return writer.transition(
        kind,
        job_id,
        State.QUEUED,
        State.STARTING,
        f"claimed by process {pid}",
        pid=pid,
        process_start=process_start(pid),
        host=socket.gethostname(),
        device=os.environ.get(DEVICE_VARIABLE),
    )


class JobSession:
    """Context manager around the work of one job.

    On entry: claims the row (a queued one too), so that it is `running` and belongs to this process; starts the
    heartbeat; takes SIGTERM as a request to stop. On exit: `succeeded`; or as requested, when `check()` has handed
    out a request; or `failed` with the error's title, detail and next step. Exceptions go on to the caller.

    Raises on entry:
        JobError: the row is missing, or is neither queued nor starting.
    """

    def __init__(self, workspace: Workspace, kind: JobKind, job_id: int) -> None:
        self.workspace, self.kind, self.job_id = workspace, kind, job_id
        self._signalled = False
        self._answered: Action | None = None
        self._outcome: tuple[State, str] | None = None
        self.others_rss = 0
        """Peak memory of the processes that do the work, where it is not this one: bytes of the largest."""
        self._cleanup = contextlib.ExitStack()

    def check(self) -> Action | None:
        """What the user asks now, if anything: call it at every step, it costs nothing. Cancel goes before stop.

        A job that gets an action carries it out and leaves the block; the session then writes the matching state.

        Raises:
            JobError: the row was taken from this process (settled by somebody else): end at once.
        """
        if self._heartbeat.lost:
            raise JobError(
                f"{self.kind} job {self.job_id} no longer belongs to this process",
                "Its row was settled by somebody else; nothing more is written to it.",
            )
        requests = self._heartbeat.requests()
        if self._signalled:
            # The worker sends SIGTERM after a cancel request, which may have come since the last poll.
            requests = tuple(self.writer.pending_requests(self.kind, self.job_id))
        asked = {request.action for request in requests}
        if Action.CANCEL in asked:
            self._answered = Action.CANCEL
        elif Action.STOP in asked or self._signalled:
            self._answered = Action.STOP
        return self._answered

    def finish(self, state: State, reason: str) -> None:
        """Say how the job ends, where it is not what `check()` and exceptions tell; counts when the block is left."""
        self._outcome = (state, reason)

    def update(self, **values: Any) -> None:
        """Set columns of the job's own row."""
        self.writer.update(self.kind, self.job_id, **values)

    def event(self, event: str, detail: str) -> None:
        """Add a line to the job's history."""
        self.writer.add_event(self.kind, self.job_id, event, detail)

    def __enter__(self) -> JobSession:
        with contextlib.ExitStack() as stack:
            self.writer = stack.enter_context(Writer.open(self.workspace))
            # Before the claim: a SIGTERM in between would end the process without a word.
            self._take_signal(stack)
            device = self._claim()
            self._heartbeat = stack.enter_context(Heartbeat(self.workspace, self.kind, self.job_id, device=device))
            self._cleanup = stack.pop_all()
        return self

    def _claim(self) -> str | None:
        with Reader(self.workspace) as reader:
            job = reader.job(self.kind, self.job_id)
            if job.state == State.QUEUED and claim(self.writer, self.kind, self.job_id):
                job = reader.job(self.kind, self.job_id)
        pid = os.getpid()
        device = job.device or os.environ.get(DEVICE_VARIABLE)
        taken = job.state == State.STARTING and self.writer.transition(
            self.kind,
            self.job_id,
            State.STARTING,
            State.RUNNING,
            f"process {pid} is at work",
            pid=pid,
            process_start=process_start(pid),
            host=socket.gethostname(),
            device=device,
        )
        if not taken:
            raise _not_to_be_had(job)
        return device

    def _take_signal(self, stack: contextlib.ExitStack) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python delivers signals to the main thread alone
        previous = signal.signal(signal.SIGTERM, self._on_signal)
        stack.callback(signal.signal, signal.SIGTERM, previous)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._cleanup:
            self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        state, reason, columns = self._ending(error)
        if state == State.INTERRUPTED and self._cancel_is_pending():
            state, reason = _OUTCOMES[Action.CANCEL]
        if self._heartbeat.peak_gpu_bytes is not None:
            columns["peak_vram_device_bytes"] = self._heartbeat.peak_gpu_bytes
        settled = self.writer.transition(
            self.kind,
            self.job_id,
            State.RUNNING,
            state,
            reason,
            only_pid=os.getpid(),
            peak_rss_bytes=max(peak_rss_bytes(), self.others_rss),
            **columns,
        )
        if not settled:
            logger.warning(
                "%s job %d was settled by somebody else before it could end as %s", self.kind, self.job_id, state
            )

    def _cancel_is_pending(self) -> bool:
        # Asked for while the job was busy saving for a stop.
        pending = self.writer.pending_requests(self.kind, self.job_id)
        return any(request.action == Action.CANCEL for request in pending)

    def _ending(self, error: BaseException | None) -> tuple[State, str, dict[str, Any]]:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            asked = _OUTCOMES[self._answered] if self._answered else (State.SUCCEEDED, "done")
            return *(self._outcome or asked), {}
        if isinstance(error, KeyboardInterrupt):
            return State.INTERRUPTED, "interrupted from the keyboard", {}
        title, detail, next_step = describe_error(error, self.kind, self.job_id)
        return State.FAILED, title, {"error_title": title, "error_detail": detail, "error_next_step": next_step}


def describe_error(error: BaseException, kind: JobKind, job_id: int) -> tuple[str, str, str]:
    """Title, detail and next step of an error, for the row of a job."""
    again = f"`sonotune resume {job_id}` tries again" if kind == JobKind.TRAINING else "queue the evaluation again"
    if isinstance(error, SonotuneError):
        return error.title, error.reason, error.next_step or f"Mend the cause; then {again}."
    trace = "".join(traceback.format_exception(error)[-6:]).strip()
    # By name: importing torch here to compare classes would cost every job that has none.
    if type(error).__name__ == "OutOfMemoryError":
        return (
            "The GPU ran out of memory",
            trace,
            "Launch it with a smaller micro-batch (--set training.batch=...), with 4-bit quantization, or with "
            "training.gradient_checkpointing=on.",
        )
    first = str(error).strip().partition("\n")[0]
    title = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return title, trace, f"Read its log; then {again}."


def _not_to_be_had(job: JobRow) -> JobError:
    return JobError(
        f"{job.kind} job {job.id} is {job.state}: this process cannot take it",
        f"It belongs to process {job.pid}." if job.pid else "",
        "Only queued jobs, and those that a worker has just dispatched, can be started.",
    )
