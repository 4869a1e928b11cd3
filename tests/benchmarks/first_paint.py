"""From spawn to the first whole screen at 200x50: `.venv/bin/python tests/benchmarks/first_paint.py [ROUNDS]`.

The workbench on a workspace with 50 runs, and an empty Textual app with one line of text at its lower edge, each in a
pseudo-terminal, turn by turn in one run. The clock stops when the last line of the screen has arrived.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from seeding import seed_board

from engine.workspace import Workspace

ROUNDS = 9
COLUMNS, LINES = 200, 50
SECONDS = 20.0
EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    CSS = "Static { dock: bottom; }"
    def compose(self):
        yield Static("help")

Empty().run()
"""


def first_paint(command: Sequence[str], last: bytes, directory: Path) -> float:
    """Seconds from the spawn until `last` was written; the program is then ended."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "SONOTUNE_CONFIG": os.devnull}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=directory, start_new_session=True
    )
    written = b""
    try:
        while last not in written:
            if not select.select([master], [], [], max(0.0, started + SECONDS - time.perf_counter()))[0]:
                raise TimeoutError(f"{command[:3]} has not painted: {written[-300:]!r}")
            written += os.read(master, 1 << 16)
        return time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(slave)
        os.close(master)


def main(rounds: int = ROUNDS) -> int:
    workbench, empty = [], []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        seed_board(workspace, runs=50)
        ours = [sys.executable, "-m", "engine.cli", "--workspace", str(workspace.root)]
        repository = Path(__file__).resolve().parents[2]
        for number in range(rounds + 1):
            seconds = first_paint(ours, b"help", repository)
            base = first_paint([sys.executable, "-c", EMPTY], b"help", Path(folder))
            if number:  # the first pair fills the caches of the disk
                workbench.append(seconds)
                empty.append(base)
    ours_ms, base_ms = 1e3 * statistics.median(workbench), 1e3 * statistics.median(empty)
    print(f"RESULT workbench {ours_ms:.0f} ms, empty app {base_ms:.0f} ms, ratio {ours_ms / base_ms:.2f}")
    print(f"RESULT fastest {1e3 * min(workbench):.0f} ms and {1e3 * min(empty):.0f} ms, {COLUMNS}x{LINES}, {rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
