"""Programs on real pseudo-terminals: what they leave behind, what stands on the screen, how they end."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store_helpers import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 30.0
_TAKEN_BACK = ("?1049l", "?25h", "?1000l", "?1003l", "?1006l", "?1016l", "?2004l", "?1004l", "?2026l", "<u", "0m")
LEAVE = tuple(f"\x1b[{code}" for code in _TAKEN_BACK)
"""What must have been sent when a program has given the terminal back."""
ENTER = ("\x1b[?1049h", "\x1b[?25l", "\x1b[?1000h", "\x1b[?2004h")
_CONTROL = re.compile(r"\x1b\[([0-9;?<>=]*)([ -/]*)([@-~])|\x1b[\]P_^].*?(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]", re.DOTALL)

_BEGUN = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*)?\Z")


class Screen:
    """The cells of a terminal, as far as the workbench uses it: text, moves, erasing, the alternate screen."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.clear()

    def clear(self) -> None:
        self.cells = [[" "] * self.columns for _ in range(self.lines)]
        self.x = self.y = 0

    def resize(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.clear()

    def text(self) -> str:
        return "\n".join("".join(row) for row in self.cells)

    def feed(self, text: str) -> None:
        place = 0
        for match in _CONTROL.finditer(text):
            self._print(text[place : match.start()])
            place = match.end()
            if match[3]:
                self._control(match[1], match[3])
        self._print(text[place:])

    def _control(self, parameters: str, final: str) -> None:
        if parameters == "?1049" and final in "hl":
            self.clear()
        elif final == "J" and parameters == "2":
            self.cells = [[" "] * self.columns for _ in range(self.lines)]
        elif final == "H":
            line, _, column = parameters.partition(";")
            self.y, self.x = int(line or 1) - 1, int(column or 1) - 1

    def _print(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self.y = min(self.y + 1, self.lines - 1)
            elif character == "\r":
                self.x = 0
            elif character >= " " and self.y < self.lines and self.x < self.columns:
                self.cells[self.y][self.x] = character
                self.x += 1


class Terminal:
    """A program on a terminal of its own; a context manager that ends it. All waiting is bounded."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (100, 30),
        controlling: bool = True,
        directory: Path | None = None,
        **environment: str | None,
    ) -> None:
        """Start it in a session of its own, led by it.

        Args:
            command: program and arguments.
            size: columns and lines.
            controlling: whether the terminal is the session's, so that the kernel sends SIGHUP when it vanishes.
            directory: where it runs.
            environment: changes; None removes a variable.
        """
        self._master, self.slave = pty.openpty()
        self.screen = Screen(*size)
        self._set_size(*size)
        self.attributes = termios.tcgetattr(self.slave)
        settings: dict[str, str | None] = {**os.environ, **BARE, "PYTHONPATH": str(REPOSITORY), **environment}
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={name: value for name, value in settings.items() if value is not None},
            cwd=directory,
            start_new_session=True,
            preexec_fn=_take_terminal if controlling else None,  # noqa: PLW1509 - one ioctl, no lock
        )
        self.output = ""
        self._ended = False
        self._reading = threading.Event()
        self._reading.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if not self._ended:
            self.vanish()
        os.close(self.slave)

    def _read(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        rest = ""
        while not self._ended:
            if not self._reading.wait(0.02):
                continue
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            text = decode(os.read(self._master, 1 << 16))
            unfinished = _BEGUN.search(rest + text)
            whole = (rest + text)[: unfinished.start()] if unfinished else rest + text
            rest = unfinished[0] if unfinished else ""
            self.screen.feed(whole)
            self.output += text

    # ----- what a person does

    def type(self, keys: str) -> None:
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    @contextmanager
    def not_reading(self) -> Iterator[None]:
        """Inside the block the terminal takes nothing more, once its buffer is full."""
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()

    def is_full(self) -> bool:
        """Whether the program's next write would have to wait."""
        return not select.select([], [self.slave], [], 0)[1]

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(columns, lines)
        self._set_size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def vanish(self) -> None:
        """Close the other side, as a broken connection does."""
        self._ended = True
        self._reader.join()
        os.close(self._master)

    # ----- what a person sees

    def wait_for(self, text: str, seconds: float = SECONDS) -> None:
        """Until it stands on the screen."""
        self.wait_until(lambda: text in self.screen.text(), f"{text!r} is on the screen", seconds)

    def wait_until(self, holds: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        try:
            wait_until(holds, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen.text()}\n{self.output[-2000:]!r}") from None

    def wait_sent(self, *sequences: str, after: int = 0) -> None:
        """Until all of them were sent, after that many characters."""
        for sequence in sequences:
            self.wait_until(lambda s=sequence: s in self.output[after:], f"{sequence!r} is sent")

    def end(self, seconds: float = SECONDS) -> int:
        """Exit code, once the program has ended and all that it wrote was read."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended:\n{self.screen.text()}\n{self.output[-2000:]!r}") from None
        mark = f"\x1b]{time.monotonic_ns()}\x07"
        if not self._ended:
            os.write(self.slave, mark.encode())  # whatever was written before has then arrived as well
            self.wait_until(lambda: mark in self.output, "the rest of the output")
            self.output = self.output.replace(mark, "")
        return code

    def is_restored(self, before: Any = None) -> bool:
        """Whether echo, line editing and all other attributes are what they were."""
        return bool(termios.tcgetattr(self.slave) == (before or self.attributes))


BARE: dict[str, str | None] = {
    "TERM": "xterm-256color",
    "COLORTERM": None,
    "NO_COLOR": None,
    "LC_ALL": None,
    "LC_CTYPE": None,
    "LANG": "C.UTF-8",
    "PYTHONIOENCODING": None,
    "SONOTUNE_CONFIG": os.devnull,
    "SONOTUNE_WORKSPACE": None,
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
}
"""What the machine that runs the tests must not decide."""


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def sonotune(workspace: Path, *words: str) -> list[str]:
    """The command, as it is installed."""
    return [sys.executable, "-m", "engine.cli", "--workspace", str(workspace), *words]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, of all its threads; it must be there."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
