"""Evaluations that one process carries out together, each of them the job that it would be alone."""

from __future__ import annotations

import contextlib
import signal
import threading
from types import FrameType, TracebackType

from engine.errors import SonotuneError, StoreError
from engine.evaluation.beginning import Member
from engine.jobs.session import JobSession
from engine.types import Action, JobKind, State
from engine.workspace import Workspace


class Group:
    """Context manager around the evaluations that are measured together.

    Each has a session of its own: claimed, beating, stopped, cancelled, failed by itself. An exception that leaves the
    block concerns all that are still open.
    """

    def __init__(self, workspace: Workspace, *, keep_worker: bool = False) -> None:
        """`keep_worker`: as for a `JobSession`."""
        self.workspace = workspace
        self._keep_worker = keep_worker
        self.open: dict[int, Member] = {}
        """By number, in the order in which they were taken."""
        self.errors: dict[int, Exception] = {}
        """Why some of them failed."""
        self.asked = False
        """Users, or a signal, have ended some of them."""
        self._sessions: dict[int, contextlib.ExitStack] = {}
        self._signalled = self._terminated = False
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Group:
        with contextlib.ExitStack() as stack:
            self._take_signal(stack)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The stack hands the exception to every session that is still open, whatever another one raises.
        for evaluation_id in list(self._sessions):
            self._cleanup.push(self._sessions.pop(evaluation_id))
        self.open.clear()
        self._cleanup.__exit__(kind, error, trace)

    @property
    def terminated(self) -> bool:
        """A signal wants the whole process to end."""
        return self._terminated or self._signalled

    def enter(self, evaluation_id: int) -> JobSession:
        """Take an evaluation for this process.

        Raises:
            JobError: it is neither waiting nor dispatched to this process.
        """
        stack = contextlib.ExitStack()
        try:
            session = stack.enter_context(
                JobSession(self.workspace, JobKind.EVALUATION, evaluation_id, keep_worker=self._keep_worker)
            )
        finally:
            # A session takes SIGTERM for itself; it would then stop one evaluation at random.
            self._take_signal()
        self._sessions[evaluation_id] = stack
        return session

    def close(self, evaluation_id: int, error: Exception | None = None) -> None:
        """Let an evaluation end: as its session was told or asked, or with an error; the others go on."""
        self.open.pop(evaluation_id, None)
        stack = self._sessions.pop(evaluation_id, None)
        if stack is None:
            return
        if error is not None:
            self.errors[evaluation_id] = error
        stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def look(self) -> set[int]:
        """Close those that users have stopped or cancelled; the numbers of the others. It costs nothing."""
        if self._signalled:
            self._signalled = False
            self._answer_signal()
        for evaluation_id, member in list(self.open.items()):
            try:
                asked = member.session.check()
            except SonotuneError as error:
                self.close(evaluation_id, error)  # somebody else has settled its row
                continue
            if asked is not None:
                self.asked = True
                self.close(evaluation_id)
        return set(self.open)

    def still_wanted(self, evaluation_id: int) -> bool:
        """Whether an evaluation that has been measured is to be scored; False where it was cancelled, and is closed.

        A stop, or a signal for the whole process, comes too late here: scoring takes seconds, measuring again hours.
        """
        member = self.open.get(evaluation_id)
        if member is None:
            return False
        try:
            cancelled = member.session.check() is Action.CANCEL
        except SonotuneError as error:
            self.close(evaluation_id, error)  # somebody else has settled its row
            return False
        if cancelled:
            self.asked = True
            self.close(evaluation_id)
        return not cancelled

    def note(self, kind: str, detail: str) -> None:
        """Add a line to the history of all that are open."""
        for member in self.open.values():
            member.session.event(kind, detail)

    def _take_signal(self, stack: contextlib.ExitStack | None = None) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # Python delivers signals to the main thread alone
        previous = signal.signal(signal.SIGTERM, self._on_signal)
        if stack is not None:
            stack.callback(signal.signal, signal.SIGTERM, previous)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    def _answer_signal(self) -> None:
        """The worker sends SIGTERM for one that was cancelled and does not answer; anybody else means all of them."""
        cancelled = [each for each in self.open.values() if _cancel_is_pending(each.session)]
        self.asked, self._terminated = True, not cancelled
        for member in cancelled or list(self.open.values()):
            state, reason = (
                (State.CANCELLED, "cancelled on request") if cancelled else (State.INTERRUPTED, "stopped on request")
            )
            member.session.finish(state, reason)
            self.close(member.session.job_id)


def _cancel_is_pending(session: JobSession) -> bool:
    try:
        requests = session.writer.pending_requests(session.kind, session.job_id)
    except StoreError:
        # What the heartbeat has seen last; nobody can have asked since for what cannot be read now.
        return session.check() is Action.CANCEL
    return any(request.action == Action.CANCEL for request in requests)
