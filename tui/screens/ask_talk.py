"""The conversation behind the Ask screen: one model at a time, one question at a time, and everything said so far.

Whatever may wait (finding a run, starting a process, reading the candidates) is done in threads; what the model says
comes from a thread of its own. The screen hears of both on its own thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from engine import api
from tui.poller import attempt


@dataclass(frozen=True, slots=True)
class Whom:
    """A run, or with `model` the untuned base model."""

    run: int | None = None
    model: str | None = None
    device: str = "auto"
    """One of `engine.api.ASK_DEVICES`."""


class Session(Protocol):
    """What answers; `engine.api.AskSession` does."""

    subject: api.AskSubject

    @property
    def place_words(self) -> tuple[str, str]:
        """The device, and what must be known of it."""

    def start(self) -> None:
        """Begin to load the model."""

    def ask(self, image: api.AskImage, question: api.AskQuestion) -> int:
        """Ask; the number by which the events of the answer are known."""

    def cancel(self, ask: int) -> None:
        """Stop an answer."""

    def close(self) -> None:
        """End the process."""


MakeSession = Callable[[api.Workspace, Whom, Callable[[Any], None]], Session]


def make_session(workspace: api.Workspace, whom: Whom, deliver: Callable[[Any], None]) -> Session:
    """A session of the engine; belongs into a thread, because it reads files and may import a good deal."""
    return api.AskSession(workspace, whom.run, whom.model, deliver=deliver, device=whom.device)


@dataclass(slots=True)
class Exchange:
    """One question and what came of it."""

    number: int
    """From 1 on, in the order of asking."""
    subject: str
    """Name of the model that was asked; untrusted text."""
    image: api.AskImage
    question: api.AskQuestion
    text: str = ""
    """As it has come so far; raw, untrusted."""
    read: api.ReadAnswer | None = None
    error: api.SonotuneError | None = None

    @property
    def open(self) -> bool:
        """Whether the answer is still to come, or coming."""
        return self.read is None and self.error is None


class Talk:
    """See the module's text. `changed` is called whenever there is something new to show."""

    def __init__(
        self,
        workspace: api.Workspace,
        act: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        from_thread: Callable[[Callable[[], None]], None],
        changed: Callable[[], None],
        make: MakeSession = make_session,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.whom = Whom()
        self.subject: api.AskSubject | None = None
        self.place = ("", "")
        """Device, and what must be known of it."""
        self.loaded: api.AskLoaded | None = None
        self.error: api.SonotuneError | None = None
        """Why this model cannot be asked."""
        self.exchanges: list[Exchange] = []
        self._workspace, self._act, self._from_thread = workspace, act, from_thread
        self._changed, self._make, self._clock = changed, make, clock
        self._session: Session | None = None
        self._opening: object = None
        """Tells the events of this model from those of one before it."""
        self._asked: int | None = None
        self._stopping = False
        self._since = 0.0

    # ----- whom

    def open(self, whom: Whom) -> None:
        """Talk to another model; the one before it is let go, and what it has said stays."""
        self.close()
        self.whom, self.subject, self.loaded, self.error = whom, None, None, None
        self._since, self._opening = self._clock(), (opening := object())

        def heard(event: api.AskEvent) -> None:
            self._from_thread(lambda: self._hear(event) if self._opening is opening else None)

        def work() -> Session:
            session = self._make(self._workspace, whom, heard)
            session.start()
            return session

        self._act(lambda: attempt(work), lambda found: self._opened(opening, found))
        self._changed()

    def _opened(self, opening: object, found: Session | api.SonotuneError) -> None:
        if self._opening is not opening:
            if not isinstance(found, api.SonotuneError):
                _let_go(found)
            return
        if isinstance(found, api.SonotuneError):
            self.error = found
        else:
            self._session, self.subject, self.place = found, found.subject, found.place_words
        self._changed()

    def close(self) -> None:
        """Let the model go; an answer on its way ends as it is."""
        session, self._session, self._opening = self._session, None, None
        self._end_open(api.SonotuneError("Not answered", "Another model was chosen, or the screen was left."))
        if session is not None:
            _let_go(session)

    @property
    def loading_seconds(self) -> float | None:
        """For how long the model has been loading; None where it is not."""
        waiting = self._opening is not None and self.loaded is None and self.error is None
        return self._clock() - self._since if waiting else None

    # ----- questions

    @property
    def current(self) -> Exchange | None:
        """The question that is still open."""
        return self.exchanges[-1] if self.exchanges and self.exchanges[-1].open else None

    def ask(self, image: api.AskImage, question: api.AskQuestion) -> None:
        """Ask; where the model is still loading, it answers as soon as it can."""
        session, opening = self._session, self._opening
        if session is None or self.current is not None:
            return
        exchange = Exchange(len(self.exchanges) + 1, session.subject.name, image, question)
        self.exchanges.append(exchange)
        self._asked, self._stopping = None, False

        def asked(found: int | api.SonotuneError) -> None:
            if self._opening is not opening or not exchange.open:
                return
            if isinstance(found, api.SonotuneError):
                exchange.error = found
                self._changed()
            else:
                self._asked = found
                if self._stopping:
                    self._cancel(session, found)

        self._act(lambda: attempt(lambda: session.ask(image, question)), asked)
        self._changed()

    def stop(self) -> None:
        """Stop the answer that is coming."""
        if self.current is None or self._session is None or self._stopping:
            return
        self._stopping = True
        if self._asked is not None:
            self._cancel(self._session, self._asked)
        self._changed()

    @property
    def stopping(self) -> bool:
        """Whether the open answer has been told to stop."""
        return self._stopping and self.current is not None

    def _cancel(self, session: Session, asked: int) -> None:
        self._act(lambda: attempt(lambda: session.cancel(asked)), lambda _: None)

    # ----- what the model says

    def _hear(self, event: api.AskEvent) -> None:
        if isinstance(event, api.AskLoaded):
            self.loaded = event
        elif isinstance(event, api.AskFailed) and event.ask is None:
            self.error = event.error
            self._end_open(event.error)
        elif (exchange := self.current) is not None:
            self._asked = event.ask
            if isinstance(event, api.AskToken):
                exchange.text += event.text
            elif isinstance(event, api.AskAnswered):
                exchange.read, exchange.text = event.read, event.read.answer.text
            else:
                exchange.error = event.error
        self._changed()

    def _end_open(self, error: api.SonotuneError) -> None:
        if (exchange := self.current) is not None:
            exchange.error = error


def _let_go(session: Session) -> None:
    """End a session without waiting for it; should this program end first, its process ends by itself."""
    threading.Thread(target=session.close, name="letting go", daemon=True).start()
