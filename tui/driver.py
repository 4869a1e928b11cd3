"""The terminal, as the screens use it: Textual's driver, and what that one lacks on a bad day.

Textual 8.2 writes to standard error (which may be a file), takes every SIGCONT for the end of a suspension, stops for
good where no shell could bring it back, dies of a byte that is not UTF-8, and shows a traceback when the terminal has
gone. All of that is mended here and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import termios
import time
from typing import TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from tui.app import Workbench

BEFORE_LEAVING = "\x1b[?2026l\x1b[?1016l\x1b[0m"
"""Modes that Textual sets and does not take back: synchronized output, mouse positions in pixels, colours."""
WIPE = "\x1b[H\x1b[2J"
"""For a terminal without a second screen, such as the Linux console: what we drew would stay."""


class Output:
    """The terminal as the file that is written to; one that has gone takes everything without a word."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno
        self.gone = False
        """Nothing more is written."""
        self.writing = False

    def write(self, text: str) -> int:
        """Write all of it, and wait until the terminal has taken it."""
        data = memoryview(text.encode("utf-8", "replace"))
        self.writing = True
        while data and not self.gone:
            try:
                data = data[os.write(self._fileno, data) :]
            except BlockingIOError:  # somebody with the same terminal has asked for writes that never wait
                select.select([], [self._fileno], [], 1.0)
            except OSError:  # the guard sees it too, and ends the program
                self.gone = True
        self.writing = False
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        """Number of the descriptor."""
        return self._fileno


class TerminalDriver(LinuxDriver):
    """See the module's text."""

    def __init__(self, app: Any, **options: Any) -> None:
        """Make it for an app, on the thread and in the loop that run it."""
        super().__init__(app, **options)
        self._output = Output(sys.__stdout__.fileno() if sys.__stdout__ else 1)
        self._file = cast("Any", self._output)
        self._away = False
        # Handlers may run in the middle of anything, such as a write that holds a lock: the loop does the work.
        signal.signal(signal.SIGTSTP, lambda *_: self._loop.call_soon_threadsafe(self.suspend_process))
        signal.signal(signal.SIGCONT, lambda *_: self._continued())

    @property
    def active(self) -> bool:
        """Whether the terminal is ours, and the shell would not know it again."""
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def _get_terminal_size(self) -> tuple[int, int]:
        """Ask the terminal itself: COLUMNS and LINES of the environment may be those of another one."""
        try:
            size = os.get_terminal_size(self.fileno)
        except OSError:
            return super()._get_terminal_size()
        return size.columns, size.lines

    def write(self, data: str) -> None:
        """Send text to the terminal; nothing while it belongs to the shell."""
        if self.active:
            super().write(data)

    def disable_input(self) -> None:
        """Read no more keys; in the background even asking for that would stop us."""
        if self.active:
            super().disable_input()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        if self.active:
            self.write(BEFORE_LEAVING + (WIPE if os.environ.get("TERM") == "linux" else ""))
            super().stop_application_mode()

    def silence(self, seconds: float) -> None:
        """Write nothing more, and let go of what the terminal has not taken yet; any thread may ask for it."""
        self._output.gone = True
        deadline = time.monotonic() + seconds
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIOFLUSH)
            while self._output.writing and time.monotonic() < deadline:
                time.sleep(0.005)
                termios.tcflush(self.fileno, termios.TCOFLUSH)

    def suspend_process(self) -> None:
        """Give the terminal to the shell until `fg`.

        The kernel decides: it stops this process and its group, unless no shell is there to wake them again (a program
        that is all there is in a tmux window); then we are back at once.
        """
        if not self.active:
            return
        self._away = True
        self.suspend_application_mode()
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)
        self._come_back()
        self._away = False

    def _continued(self) -> None:
        """SIGCONT; where we did not stop ourselves, the shell may have changed the terminal under us."""
        if not self._away:
            self._loop.call_soon_threadsafe(self._enter_again)

    def _enter_again(self) -> None:
        if not self.active:
            return
        self._await_foreground()
        shells = self.attrs_before  # what is set now may be our own
        self.suspend_application_mode()
        self._come_back()
        self.attrs_before = shells

    def _come_back(self) -> None:
        if cast("Workbench", self._app).leaving:  # woken up only to be ended
            return
        self._await_foreground()
        self.resume_application_mode()
        self._app.call_later(self._app.refresh, repaint=True, layout=True)

    def _await_foreground(self) -> None:
        """Return once the terminal may be changed by us; in the background the kernel stops us until then."""
        while True:
            try:
                termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))
            except termios.error as error:
                if error.args[0] == errno.EINTR:
                    continue
            return

    def _run_input_thread(self) -> None:
        """Read keys until the end; a wrong byte costs what was typed with it, and no more."""
        while True:
            try:
                self.run_input_thread()
            except UnicodeDecodeError:
                continue
            except OSError:  # the terminal has gone: the guard ends the program
                return
            except Exception as error:  # noqa: BLE001 - it would be lost with this thread
                self._app.call_later(self._app._handle_exception, error)
            return
