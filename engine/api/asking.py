"""A conversation with one model: a process of its own that loads it once and answers questions about images."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.ask.inputs import AskImage, AskQuestion, candidates
from engine.ask.places import AUTO, Place, choose_place
from engine.ask.reading import ReadAnswer, Threshold, read, threshold_of
from engine.ask.subject import AskSubject, ask_subject
from engine.ask.wire import Answered, Ask, Cancel, Failed, Load, Loaded, Request, Token, WireError, decode, encode
from engine.errors import JobError, SonotuneError
from engine.jobs.dispatch import python_module
from engine.jobs.watched import WatchedProcess
from engine.workspace import Workspace

AGAIN = "`sonotune doctor` shows what this machine has; ask again, on the CPU if memory was short."


@dataclass(frozen=True, slots=True)
class AskLoaded:
    """The model is ready."""

    seconds: float
    device: str
    """`cpu`, or the name of the GPU."""


@dataclass(frozen=True, slots=True)
class AskToken:
    """A piece of an answer: raw, untrusted."""

    ask: int
    text: str


@dataclass(frozen=True, slots=True)
class AskAnswered:
    """An answer has ended."""

    ask: int
    read: ReadAnswer


@dataclass(frozen=True, slots=True)
class AskFailed:
    """A question could not be answered; with `ask` None, no other one will be either."""

    ask: int | None
    error: SonotuneError


AskEvent = AskLoaded | AskToken | AskAnswered | AskFailed


class AskSession:
    """Asks one model; the process ends with `close`, or with this process, whichever way that ends.

    Made in one thread and used from that one; events come from a thread of its own, in order.
    """

    def __init__(
        self,
        workspace: Workspace,
        run: int | str | None = None,
        model: str | None = None,
        *,
        deliver: Callable[[AskEvent], None],
        device: str = AUTO,
        command: Sequence[str] = (),
    ) -> None:
        """Find the model and a device; nothing is started yet.

        Args:
            workspace: with the run.
            run: number or name of a run.
            model: the untuned base model instead.
            deliver: gets the events.
            device: one of `engine.ask.places.ASK_DEVICES`.
            command: the process to start (tests start other ones).

        Raises:
            SonotuneError: see `ask_subject` and `choose_place`; `BusyDeviceError` where jobs have every GPU.
        """
        self.workspace = workspace
        self.subject: AskSubject = ask_subject(workspace, run, model)
        self.place: Place = choose_place(workspace, device)
        self._deliver = deliver
        self._command = list(command) or [*python_module("engine.ask"), "--workspace", str(workspace.root)]
        self._watched = WatchedProcess("asking")
        self._asked: dict[int, tuple[AskImage, AskQuestion, Threshold | None]] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._closed = False

    # ----- what a front end calls

    @property
    def place_words(self) -> tuple[str, str]:
        """The device (`cuda:N` or `cpu`), and what the user must know of it; untrusted text."""
        return self.place.device, self.place.note

    def start(self) -> None:
        """Start the process and let it load the model; `AskLoaded` says when it has.

        Raises:
            JobError: it could not be started.
        """
        process = self._watched.start(self._command, self.workspace.root, self.place.visible, self.place.device)
        threading.Thread(target=self._listen, args=(process,), name="answers", daemon=True).start()
        adapter = self.subject.adapter
        self._send(
            Load(
                self.subject.source,
                self.subject.quantization,
                None if adapter is None else str(adapter),
                self.subject.adapter_sha256,
            )
        )

    def ask(self, image: AskImage, question: AskQuestion, max_new_tokens: int | None = None) -> int:
        """Ask; the model answers one question after the other. Returns the number by which its events are known.

        Raises:
            SonotuneError: the process is gone, or the candidates of label scoring cannot be read.
        """
        choices = candidates(self.workspace, self.subject, question)
        threshold = threshold_of(self.workspace, self.subject, question)
        with self._lock:
            self._count += 1
            number = self._count
            self._asked[number] = (image, question, threshold)
        limit = max_new_tokens or self.subject.limit_for(question.question)
        self._send(Ask(number, str(image.file), self.subject.image_size, question.text, limit, choices))
        return number

    def cancel(self, ask: int) -> None:
        """Stop an answer between two tokens; what there is of it arrives as cancelled. Nothing where it has ended."""
        if not self._closed:
            self._send(Cancel(ask))

    def close(self) -> None:
        """End the process and wait for it (two seconds at most, before it is killed); no more events come."""
        self._closed = True
        self._watched.close()

    # ----- the process

    def _send(self, message: Request) -> None:
        process = self._watched.process
        if process is None or process.stdin is None or self._closed:
            raise JobError("Nobody is there to be asked", "The asking process was not started, or was closed.")
        try:
            with self._lock:
                process.stdin.write(encode(message))
                process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise JobError(
                "The asking process is gone", self._watched.tail(), "Ask again: it is started anew."
            ) from error

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """The thread of the events."""
        told = False
        for line in process.stdout or ():
            event = self._event(line)
            if self._closed:
                return
            told = told or (isinstance(event, AskFailed) and event.ask is None)
            self._deliver(event)
        if not told and not self._closed:
            self._deliver(AskFailed(None, self._watched.death(process.wait(), AGAIN)))

    def _event(self, line: bytes) -> AskEvent:
        try:
            message = decode(line)
        except WireError as error:
            return AskFailed(None, JobError("The asking process said something else than agreed", str(error)))
        if isinstance(message, Loaded):
            return AskLoaded(message.seconds, message.device)
        if isinstance(message, Token):
            return AskToken(message.ask, message.token)
        if isinstance(message, Answered):
            return self._answered(message)
        if isinstance(message, Failed):
            return AskFailed(message.ask, message.error())
        return AskFailed(None, JobError("The asking process said something else than agreed", type(message).__name__))

    def _answered(self, message: Answered) -> AskEvent:
        with self._lock:
            image, question, threshold = self._asked.pop(message.ask)
        try:
            return AskAnswered(message.ask, read(self.subject, image, question, message, threshold))
        except Exception as error:  # noqa: BLE001 - a fault in reading one answer must not end the conversation
            return AskFailed(message.ask, JobError("The answer could not be read", f"{type(error).__name__}: {error}"))
