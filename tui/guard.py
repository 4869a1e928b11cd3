"""Ends the workbench in order, whatever happens to it: signals, a terminal that vanished, a loop that hangs.

The terminal of the user is more precious than this program: it is always given back as it was, within two seconds. A
thread of its own waits for signals and for the end of the terminal, and asks the app to leave. Where that takes too
long, it restores the terminal itself and ends the process. Runs and the worker live in sessions of their own and go on.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from tui.driver import BEFORE_LEAVING, TerminalDriver

if TYPE_CHECKING:
    from tui.app import Workbench

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Signals that end the workbench; its exit code is then 128 + the signal's number."""
GRACE_SECONDS = 1.0
"""How long the app may take to leave by itself."""
WRITE_SECONDS = 0.2
"""How long a terminal that does not read may hold up its being restored."""
WORDS_SECONDS = 1.5
"""How long it may hold up the last words: they are read by somebody whose machine is only slow."""
RESET = (
    "\x1b\\"  # ends whatever sequence was cut off
    "\x1b[?2004l\x1b[?7h\x1b[?2048l"  # bracketed paste, line wrap, reports of the size
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # mouse
    f"\x1b[?1004l\x1b[<u{BEFORE_LEAVING}"  # reports of the focus, kitty's keyboard
    "\x1b[?1049l\x1b[?25h"  # the screen of the shell, with a cursor
)
_FINISHED = 0
"""On the pipe, where the numbers of signals are: the app has left."""
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Guard:
    """A context manager around `app.run()`, for the main thread."""

    def __init__(self, app: Workbench, grace_seconds: float = GRACE_SECONDS) -> None:
        self.code = 0
        """Exit code, where a signal or the end of the terminal has ended the app."""
        self.gone = False
        """The terminal has vanished: nothing can be told any more."""
        self._app = app
        self._grace = grace_seconds
        self._terminal = sys.__stdin__.fileno() if sys.__stdin__ else 0
        self._attributes = termios.tcgetattr(self._terminal)
        self._woken, self._wake = os.pipe()
        self._before: dict[int, Any] = {}
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def __enter__(self) -> Guard:
        os.set_blocking(self._wake, False)
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell without job control
                self._before[number] = signal.signal(number, self._note)
        # Written by the interpreter's own handler: it comes through even while this thread hangs in foreign code.
        self._wakeup_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        os.write(self._wake, bytes([_FINISHED]))
        self._thread.join()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._restore()
        os.close(self._wake)
        os.close(self._woken)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._app.leaving = self._app.leaving or number

    # ----- the thread

    def _watch(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # else the kernel stops us in the background
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for terminal in {self._terminal, sys.__stdout__.fileno() if sys.__stdout__ else 1}:
            poll.register(terminal, 0)  # its end is reported unasked
        deadline: float | None = None
        while deadline is None or time.monotonic() < deadline:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1e3
            for descriptor, event in poll.poll(left):
                if descriptor != self._woken and event & _GONE:
                    poll.unregister(descriptor)
                    self.gone = True
                    deadline = deadline or self._leave(signal.SIGHUP)
                for number in os.read(self._woken, 64) if descriptor == self._woken else b"":
                    if number == _FINISHED:
                        return
                    if number in self._before:
                        deadline = deadline or self._leave(number)
        self._leave_at_once()

    def _leave(self, number: int) -> float:
        """Ask the app to leave, and return until when it may take."""
        self.code = 128 + number
        self._app.leaving = number
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is leaving already
            self._app.from_thread(lambda: self._app.exit(return_code=self.code))
        return time.monotonic() + self._grace

    def _leave_at_once(self) -> None:
        self._restore()
        words = self._app.last_words()
        if words and not self.gone:
            self._send(f"{words}\n", WORDS_SECONDS)
        os._exit(self.code)

    def _restore(self) -> None:
        """Make the terminal the shell's again, where the driver has not done so."""
        driver = self._app._driver
        if self.gone or not isinstance(driver, TerminalDriver) or not driver.active:
            return
        driver.silence(WRITE_SECONDS)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._terminal, termios.TCSANOW, driver.attrs_before or self._attributes)
        self._send(RESET, WRITE_SECONDS)

    def _send(self, text: str, seconds: float) -> None:
        """Write to the terminal without ever waiting for it long."""
        with contextlib.suppress(OSError):
            # Opened anew: a descriptor that does not wait would be shared with the shell.
            terminal = os.open(os.ttyname(self._terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                data = text.encode("utf-8", "replace")
                deadline = time.monotonic() + seconds
                while data and select.select([], [terminal], [], max(0.0, deadline - time.monotonic()))[1]:
                    with contextlib.suppress(BlockingIOError):  # called writable, and full all the same
                        data = data[os.write(terminal, data) :]
            finally:
                os.close(terminal)
