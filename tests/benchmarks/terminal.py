"""A program on a pseudo-terminal, for benchmarks: what it sends, and when. No benchmark itself."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = "import sys; from pathlib import Path; from engine.api import Workspace; from tui.app import run; "
OPEN = RUN + "sys.exit(run(Workspace(Path(sys.argv[1]))))"
"""The workbench on the workspace that is its first argument."""


class Terminal:
    """One program with a terminal of its own; a context manager that ends it."""

    def __init__(self, code: str, *arguments: str, size: tuple[int, int] = (200, 50)) -> None:
        """Start `python -c code arguments` on a terminal of (columns, rows), in true colour."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(REPOSITORY)}
        environment["SONOTUNE_CONFIG"] = os.devnull
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self._master = master
        self.received = 0
        """Bytes so far."""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def read(self, seconds: float) -> bytes:
        """Everything that arrives within so many seconds."""
        deadline = time.perf_counter() + seconds
        parts = []
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                break
            part = self._receive()
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    def read_until(self, wanted: bytes, seconds: float = 20.0) -> float:
        """Seconds from the start of the program until `wanted` has arrived; RuntimeError when it does not come."""
        deadline = time.perf_counter() + seconds
        text = b""
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                break
            part = self._receive()
            text = text[-200:] + part
            if wanted in text:
                return time.perf_counter() - self.started
            if not part:
                break
        raise RuntimeError(f"{wanted!r} did not appear; the end was {text[-200:]!r}")

    def _receive(self) -> bytes:
        try:
            part = os.read(self._master, 1 << 16)
        except OSError:  # the program has ended
            return b""
        self.received += len(part)
        return part


if __name__ == "__main__":
    sys.exit(0)  # `make bench` runs every file here
