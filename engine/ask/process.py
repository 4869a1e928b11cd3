"""The asking process: loads one subject, then answers one question after the other until nobody is there to ask.

A thread of its own reads the requests, so that a cancel is seen between two tokens, and the end of the input (the
front end has gone, however it went) ends the process at once, also in the middle of loading: nothing is left behind.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING

from engine.ask.wire import Answered, Ask, Cancel, Event, Failed, Load, Loaded, Request, Token, WireError, decode
from engine.data.check import check_image
from engine.errors import DataError, JobError, SonotuneError

if TYPE_CHECKING:
    from engine.evaluation.subject import Subject

Send = Callable[[Event], None]


class Inbox:
    """Requests as they come; a cancel takes effect at once, everything else waits for its turn."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: queue.SimpleQueue[Load | Ask] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._current: int | None = None

    def read(self, lines: Iterable[bytes]) -> None:
        """Take in all lines; returns when there are no more."""
        for line in lines:
            try:
                message = decode(line)
            except WireError as error:
                self._send(Failed(None, "A request could not be understood", str(error)))
                continue
            if isinstance(message, Cancel):
                self._cancelled.add(message.ask)
            elif isinstance(message, Request):
                self._waiting.put(message)

    def next(self) -> Load | Ask:
        """The next request; waits for one."""
        self._current = None
        message = self._waiting.get()
        self._current = message.ask if isinstance(message, Ask) else None
        return message

    def is_cancelled(self, ask: int) -> bool:
        """Whether this question is not wanted any more."""
        return ask in self._cancelled

    def interrupt(self) -> bool:
        """Cancel the answer that is being generated; False where there is none."""
        current = self._current
        if current is None:
            return False
        self._cancelled.add(current)
        return True


def serve(lines: Iterable[bytes], send: Send, gone: Callable[[int], None] = os._exit) -> int:
    """Be the asking process, until its input ends or the subject cannot be loaded; only a test sees it return.

    Args:
        lines: requests (`engine.ask.wire`), a `Load` first.
        send: takes events, from two threads.
        gone: ends the process with a code; called where the requests have ended.
    """
    inbox = Inbox(send)

    def read() -> None:
        inbox.read(lines)
        gone(0)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not inbox.interrupt():
            gone(128 + signal.SIGINT)

    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=read, name="requests", daemon=True).start()
    subject: Subject | None = None
    while True:
        request = inbox.next()
        number = request.ask if isinstance(request, Ask) else None
        try:
            if isinstance(request, Load):
                subject = _load(request, send)
            elif subject is None:
                raise JobError("There is nothing to ask yet", "A question came before the model was loaded.")
            else:
                send(_answer(subject, request, inbox, send))
        except Exception as error:  # noqa: BLE001 - told to whoever asks; the process answers on
            send(_failed(number, error))
            if number is None:
                sys.stderr.flush()
                gone(1)  # not by returning: Python aborts where a thread still reads the standard input
                return 1


def _load(request: Load, send: Send) -> Subject:
    started = perf_counter()
    import torch

    from engine.evaluation.subject import load_subject

    adapter = None if request.adapter is None else Path(request.adapter)
    subject = load_subject(request.source, request.quantization, adapter, request.adapter_sha256)
    name = torch.cuda.get_device_name(subject.device) if subject.device.type == "cuda" else "cpu"
    send(Loaded(perf_counter() - started, name))
    return subject


def _answer(subject: Subject, request: Ask, inbox: Inbox, send: Send) -> Answered:
    """Answer one question.

    Raises:
        DataError: the image cannot be used.
    """
    from engine.ask.streaming import stream_answer
    from engine.evaluation.generate import prompt_batch
    from engine.evaluation.label_scoring import candidate_log_likelihoods, p_abnormal, probabilities
    from engine.training.pixels import PixelStore

    if inbox.is_cancelled(request.ask):
        return Answered(request.ask, "", 0, cut_off=False, cancelled=True, seconds=0.0, first_token_seconds=None)
    file = Path(request.image)
    _require_image(file)
    pixels = PixelStore([file], request.image_size, subject.geometry, root=file.parent)
    batch = prompt_batch(subject.encoder, pixels, [0], request.prompt, subject.device)
    streamed = stream_answer(
        subject.model,
        subject.encoder,
        batch,
        request.max_new_tokens,
        lambda text: send(Token(request.ask, text)),
        lambda: inbox.is_cancelled(request.ask),
    )
    shares: dict[str, float] = {}
    if request.candidates and not streamed.cancelled:
        likelihoods = candidate_log_likelihoods(subject.model, subject.encoder, batch, request.candidates)
        shares = probabilities(likelihoods, request.candidates)[0]
    return Answered(
        ask=request.ask,
        text=streamed.text,
        tokens=streamed.tokens,
        cut_off=streamed.cut_off,
        cancelled=streamed.cancelled,
        seconds=streamed.seconds,
        first_token_seconds=streamed.first_token_seconds,
        p_abnormal=p_abnormal(shares) if shares else None,
        probabilities=shares,
    )


def _require_image(file: Path) -> None:
    """Refuse what an import would refuse, before any decoder sees it."""
    problem = check_image(file.parent, file.name)
    if isinstance(problem, str):
        raise DataError(
            f"The image {file.name} cannot be shown to the model",
            f"{file}: {problem}.",
            "Choose a whole PNG or JPEG file.",
        )


def _failed(ask: int | None, error: Exception) -> Failed:
    """The error as the user is told of it; its traceback goes to the log."""
    if isinstance(error, SonotuneError):
        return Failed(ask, error.title, error.reason, error.next_step)
    sys.stderr.write(traceback.format_exc())
    if type(error).__name__ == "OutOfMemoryError":  # torch's; not imported where loading it has failed
        step = "Wait until the other jobs on this GPU have ended, or ask on the CPU."
        return Failed(ask, "The GPU has too little free memory", str(error).partition("\n")[0], step)
    return Failed(ask, "The model could not answer", f"{type(error).__name__}: {error}", "Ask again, or another model.")
