"""What a job process wraps around its work: it owns its row from claim to end, whatever happens in between."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

from engine.errors import JobError, StoreError
from engine.jobs.claiming import DEVICE_VARIABLE, Claim, StoppedWhileWaiting, claim
from engine.jobs.describing import describe_error
from engine.jobs.heartbeat import Heartbeat
from engine.jobs.journal import Attempt, Ending, leave_word
from engine.jobs.phases import Phase
from engine.jobs.recording import Recording
from engine.store.writer import Writer
from engine.telemetry import peak_rss_bytes
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

__all__ = ["DEVICE_VARIABLE", "END_PATIENCE_SECONDS", "JobSession", "claim", "describe_error"]

_OUTCOMES = {
    Action.STOP: (State.INTERRUPTED, "stopped on request, after saving"),
    Action.CANCEL: (State.CANCELLED, "cancelled on request"),
}

END_PATIENCE_SECONDS = 120.0
"""How long it waits at its end before it leaves its last word to the journal."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class JobSession:
    """Context manager around the work of one job.

    On entry: claims the row (a queued one too), so that it is `running` and belongs to this process; opens its
    recording; starts the heartbeat; takes SIGTERM as a request to stop, and ignores SIGHUP (a terminal that closes is
    no reason to end). On exit: `succeeded`; or as requested, when `check()` has handed out a request; or `failed` with
    the error's title, detail and next step. Exceptions go on to the caller. Where runs.db cannot be told of the end,
    the journal is, and whoever finds the process gone takes the end from there (`engine.jobs.reconcile`).

    Raises on entry:
        JobError: the row is missing, or is neither queued nor starting.
        StoreError: runs.db could not be used for as long as `CLAIM_PATIENCE_SECONDS`.
    """

    def __init__(self, workspace: Workspace, kind: JobKind, job_id: int, *, keep_worker: bool = False) -> None:
        """`keep_worker`: start a worker where there is none (not after a user has stopped it), for the queue's sake."""
        self.workspace, self.kind, self.job_id = workspace, kind, job_id
        self.recording: Recording
        """Where everything that the job measures goes; there while the block runs."""
        self._keep_worker = keep_worker
        self._signals = 0
        self._early = False
        """Nothing is worth saving yet: a signal ends the process where it stands."""
        self._answered: Action | None = None
        self._outcome: tuple[State, str] | None = None
        self.others_rss = 0
        """Peak memory of the processes that do the work, where it is not this one: bytes of the largest."""
        self._cleanup = contextlib.ExitStack()

    @property
    def writer(self) -> Writer:
        """A connection to runs.db for what the recording has no word for; of the thread that does the work."""
        return self.recording.writer

    def check(self) -> Action | None:
        """What the user asks now, if anything: call it at every step, it costs nothing. Cancel goes before stop.

        A job that gets an action carries it out and leaves the block; the session then writes the matching state.

        Raises:
            JobError: the row was taken from this process (settled by somebody else): end at once.
        """
        if self._heartbeat.lost or self.recording.lost:
            raise JobError(
                f"{self.kind} job {self.job_id} no longer belongs to this process",
                "Its row was settled by somebody else; nothing more is written to it.",
            )
        asked = {request.action for request in self._heartbeat.requests()}
        # The worker sends SIGTERM after a cancel request, which may have come since the last poll.
        if Action.CANCEL in asked or (self._signals and self._cancel_is_pending()):
            self._answered = Action.CANCEL
        elif Action.STOP in asked or self._signals:
            self._answered = Action.STOP
        return self._answered

    def finish(self, state: State, reason: str) -> None:
        """Say how the job ends, where it is not what `check()` and exceptions tell; counts when the block is left."""
        self._outcome = (state, reason)

    def update(self, **values: Any) -> None:
        """Set columns of the job's own row."""
        self.recording.update(**values)

    def event(self, event: str, detail: str) -> None:
        """Add a line to the job's history; from any thread."""
        self.recording.event(event, detail)

    def patiently(self, action: Callable[[Writer], T]) -> T:
        """Do something with the connection that must come true: tried again while runs.db is locked or full.

        Raises:
            StoreError: it still is after `END_PATIENCE_SECONDS`.
        """
        return self.recording.patiently(action, END_PATIENCE_SECONDS)

    def __enter__(self) -> JobSession:
        with contextlib.ExitStack() as stack:
            # Before the claim: a SIGTERM in between would end the process without a word.
            self._take_signals(stack)
            device = self._begin(stack)
            self.recording.on_phase = self._enter_phase
            self._heartbeat = Heartbeat(
                self.workspace,
                self.kind,
                self.job_id,
                device=device,
                tell=self.recording.event,
                keep_worker=self._keep_worker,
            )
            stack.enter_context(self._heartbeat)
            self._cleanup = stack.pop_all()
        return self

    def _begin(self, stack: contextlib.ExitStack) -> str | None:
        """Claim the row and open the recording; the device of the job."""
        attempt = Attempt.of_this_process()
        way = Claim(self.workspace, self.kind, self.job_id, lambda: self._signals > 0)
        folder = self.workspace.job_folder(way.waiting(way.row).directory)

        def open_recording() -> Recording:
            return Recording(self.workspace, self.kind, self.job_id, folder, attempt)

        try:
            self.recording = stack.enter_context(way.waiting(open_recording))
            device = way.waiting(lambda: way.take(self.writer))
        except (StoreError, StoppedWhileWaiting) as error:
            leave_word(folder, Ending(*self._ending(error)))
            raise
        self.recording.begin(attempt)
        return device

    def _take_signals(self, stack: contextlib.ExitStack) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python delivers signals to the main thread alone
        for number, handler in ((signal.SIGTERM, self._on_signal), (signal.SIGHUP, signal.SIG_IGN)):
            stack.callback(signal.signal, number, signal.signal(number, handler))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._early:
            self._end_early()

    def _enter_phase(self, phase: object) -> None:
        self._early = phase == Phase.LOADING and threading.current_thread() is threading.main_thread()
        if self._early and self._signals:
            self._end_early()

    def _end_early(self) -> None:
        self._early = False
        self.finish(State.INTERRUPTED, "stopped on request before its first step")
        raise SystemExit(0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._early = False
        with self._cleanup:
            self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        state, reason, columns = self._ending(error)
        if state == State.INTERRUPTED and self._cancel_is_pending():
            state, reason = _OUTCOMES[Action.CANCEL]
        if self._heartbeat.peak_gpu_bytes is not None:
            columns["peak_vram_device_bytes"] = self._heartbeat.peak_gpu_bytes
        columns["peak_rss_bytes"] = max(peak_rss_bytes(), self.others_rss)
        # Before runs.db is told: whatever happens from here on, this is how it ended.
        self.recording.end(Ending(state, reason, columns))
        signals = self._signals
        try:
            if self.others_rss:
                self.recording.replay_journal()  # the ranks have a recording of their own, in the same journal
            settled = self.recording.patiently(
                lambda writer: writer.transition(
                    self.kind, self.job_id, State.RUNNING, state, reason, only_pid=os.getpid(), **columns
                ),
                END_PATIENCE_SECONDS,
                lambda: self._signals > signals,
            )
        except (StoreError, JobError) as trouble:
            what = "%s job %d ended as %s, which runs.db could not be told: %s\nIt stands in the job's journal."
            logger.error(what, self.kind, self.job_id, state, trouble)
            return
        if not settled:
            logger.warning(
                "%s job %d was settled by somebody else before it could end as %s", self.kind, self.job_id, state
            )
        elif state == State.SUCCEEDED and self.kind == JobKind.EVALUATION:
            self.recording.forget()

    def _cancel_is_pending(self) -> bool:
        # Asked for while the job was busy saving for a stop.
        try:
            pending = self.writer.pending_requests(self.kind, self.job_id)
        except StoreError:
            pending = list(self._heartbeat.requests())
        return any(request.action == Action.CANCEL for request in pending)

    def _ending(self, error: BaseException | None) -> tuple[State, str, dict[str, Any]]:
        if isinstance(error, StoppedWhileWaiting):
            return State.INTERRUPTED, "stopped on request before it began", {}
        if error is None or (isinstance(error, SystemExit) and not error.code):
            asked = _OUTCOMES[self._answered] if self._answered else (State.SUCCEEDED, "done")
            return *(self._outcome or asked), {}
        if isinstance(error, KeyboardInterrupt):
            return State.INTERRUPTED, "interrupted from the keyboard", {}
        title, detail, next_step = describe_error(error, self.kind, self.job_id)
        return State.FAILED, title, {"error_title": title, "error_detail": detail, "error_next_step": next_step}
