"""The one thread that reads runs.db for the screens. No screen and no widget ever waits for a file.

A screen says what it wants to know (`watch`) and is told when the answer has changed. The thread looks twice a second
whether anybody has written (microseconds), asks only then, and delivers only answers that differ.

Where the records cannot be read, that is told once, and they are tried again every two seconds until they can. A
question that fails by itself holds up no other one. Records of an older version are brought up to date.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from engine import api

if TYPE_CHECKING:
    from engine.api import Live, SonotuneError, Workspace

POLL_SECONDS = 0.5
SETTLE_SECONDS = 3.0
"""How often to look for jobs that died without anybody to notice it."""
ASK_AGAIN_SECONDS = 2.0
"""After an error: how long until the same question is asked again."""
STOP_SECONDS = 0.5
"""How long the end of the program may wait for this thread: it may itself wait for somebody's lock."""

Answer = TypeVar("Answer")
Question: TypeAlias = "Callable[[Live], Any]"
Deliver = Callable[[Any], None]
Fail: TypeAlias = "Callable[[SonotuneError], None]"
Post = Callable[[Callable[[], None]], None]
"""Runs a callback on the thread of the screens; from any thread, without waiting."""

_UNKNOWN = object()


@dataclass(slots=True)
class Watch:
    """A question that is asked again whenever something was written, until it is cancelled."""

    question: Question
    deliver: Deliver
    every: float | None
    """Ask also after so many seconds without a write: for answers that depend on the time. None: never."""
    active: bool = True
    _last: Any = field(default=_UNKNOWN)
    _asked_at: float = float("-inf")
    _trouble: SonotuneError | None = None
    """Why it has no answer, until it has one."""

    def cancel(self) -> None:
        """No more answers, not even one that is on its way."""
        self.active = False

    def is_due(self, now: float, written: bool) -> bool:
        """Whether to ask now."""
        passed = now - self._asked_at
        if self._trouble is not None:
            return passed >= ASK_AGAIN_SECONDS
        return written or self._last is _UNKNOWN or (self.every is not None and passed >= self.every)


class Poller(threading.Thread):
    """See the module's text. Answers and errors arrive through `post`."""

    def __init__(
        self,
        workspace: Workspace,
        post: Post,
        trouble: Callable[[SonotuneError | None], None],
        notice: Callable[[str], None] = lambda _: None,
        poll: float = POLL_SECONDS,
    ) -> None:
        """Make the thread; `start` begins to read.

        Args:
            workspace: whose runs.db to read.
            post: brings a callback to the thread of the screens.
            trouble: told (through `post`) when the records cannot be read, and with None when they can again.
            notice: told (through `post`) what was done about the records, in a sentence.
            poll: seconds between two looks.
        """
        super().__init__(name="poller", daemon=True)
        self._workspace = workspace
        self._live: Live
        self._post = post
        self._trouble = trouble
        self._notice = notice
        self._poll = poll
        self._watches: list[Watch] = []
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[tuple[Question, Deliver, Fail] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._version: object = _UNKNOWN
        self._in_trouble = ""
        self._quiet_until = float("-inf")
        self._settle_at = float("-inf")
        self._unsettled: SonotuneError | None = None

    # ----- called from the thread of the screens

    def watch(self, question: Question, deliver: Deliver, *, every: float | None = None) -> Watch:
        """Ask now and after every write; `deliver` gets each answer that differs from the last one."""
        watch = Watch(question, deliver, every)
        with self._lock:
            self._watches = [each for each in self._watches if each.active] + [watch]
        self.nudge()
        return watch

    def ask(self, question: Question, deliver: Deliver, fail: Fail) -> None:
        """Ask once, as soon as possible."""
        self._asked.put((question, deliver, fail))

    def nudge(self) -> None:
        """Look now instead of at the next tick."""
        self._asked.put(None)

    def stop(self) -> None:
        """End the thread and wait for it; answers that were not delivered are dropped."""
        self._ended.set()
        self.nudge()
        if self.is_alive():
            self.join(timeout=STOP_SECONDS)

    # ----- the thread

    def run(self) -> None:
        """Look, answer, wait; until `stop`."""
        self._live = api.Live(self._workspace)  # here and not before: its module must not hold up the first paint
        try:
            while not self._ended.is_set():
                self._tick()
                self._wait()
        finally:
            self._live.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._poll
        while (left := deadline - time.monotonic()) > 0 and not self._ended.is_set():
            try:
                asked = self._asked.get(timeout=left)
            except queue.Empty:
                return
            if asked is None:
                return
            self._answer(*asked)

    def _answer(self, question: Question, deliver: Deliver, fail: Fail) -> None:
        try:
            answer = question(self._live)
        except Exception as error:  # noqa: BLE001 - this thread must live on, and the user must hear of it
            told = as_told(error)
            self._post(lambda: fail(told))
        else:
            self._post(lambda: deliver(answer))

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._quiet_until:
            return
        try:
            version = self._live.version()
            written, self._version = version != self._version, version
            self._settle(now)
            watches = list(self._watches)
            for watch in watches:
                if watch.is_due(now, written):
                    self._ask(watch, now)
        except api.OutdatedError:
            self._bring_up_to_date()
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(as_told(error))
        else:
            troubles = (self._unsettled, *(watch._trouble for watch in watches if watch.active))
            self._tell(next((trouble for trouble in troubles if trouble is not None), None))

    def _give_up(self, error: SonotuneError) -> None:
        """For a while; whoever writes next is noticed in any case."""
        self._version = _UNKNOWN
        self._quiet_until = time.monotonic() + ASK_AGAIN_SECONDS
        self._live.close()
        self._tell(error)

    def _bring_up_to_date(self) -> None:
        try:
            done = api.bring_up_to_date(self._workspace)
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(as_told(error))
        else:
            self._post(lambda: self._notice(done))
            self.nudge()

    def _ask(self, watch: Watch, now: float) -> None:
        if not watch.active:
            return
        watch._asked_at = now
        try:
            answer = watch.question(self._live)
        except api.StoreError:  # then no other question has an answer either
            raise
        except Exception as error:  # noqa: BLE001 - as above
            watch._trouble = as_told(error)
            return
        watch._trouble = None
        if watch._last is _UNKNOWN or answer != watch._last:
            watch._last = answer
            self._post(lambda: watch.deliver(answer) if watch.active else None)

    def _settle(self, now: float) -> None:
        """It writes: where it can't, that is told, and reading goes on."""
        if now >= self._settle_at:
            self._settle_at = now + SETTLE_SECONDS
            try:
                self._live.settle()
            except Exception as error:  # noqa: BLE001 - as above
                self._unsettled = as_told(error)
            else:
                self._unsettled = None

    def _tell(self, error: SonotuneError | None) -> None:
        text = "" if error is None else str(error)
        if text != self._in_trouble:
            self._in_trouble = text
            self._post(lambda: self._trouble(error))


def as_told(error: Exception) -> SonotuneError:
    """The error as a user is told of it: one of our own as it is, a fault of the program by its name."""
    if isinstance(error, api.SonotuneError):
        return error
    return api.SonotuneError(
        "sonotune has met an error of its own",
        f"{type(error).__name__}: {error}",
        "Runs are not touched by it. Please report it; `sonotune --debug runs` may show where it happens.",
    )


def attempt(work: Callable[[], Answer]) -> Answer | api.SonotuneError:
    """The answer of some work, or the error that ended it, as the user is told of it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - a fault in a thread must be told, and end nothing
        return as_told(error)
