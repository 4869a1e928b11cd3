"""From spawn to the first whole screen at 200x50: `.venv/bin/python tests/benchmarks/first_paint.py [ROUNDS]`.

The workbench on a workspace with 50 runs, and an empty Textual app with one line of text at its lower edge, each in a
pseudo-terminal, turn by turn in one run. The clock stops when the last line of the screen has arrived.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from seeding import seed_board
from terminal import Terminal

from engine.workspace import Workspace

ROUNDS = 9
WORKBENCH = "import sys; from engine.cli import main; main(['--workspace', sys.argv[1]])"
"""What the installed command does."""
EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    CSS = "Static { dock: bottom; }"
    def compose(self):
        yield Static("help")

Empty().run()
"""


def first_paint(code: str, *arguments: str) -> float:
    """Milliseconds from the spawn until the last line was written; the program is then ended."""
    with Terminal(code, *arguments) as terminal:
        return 1e3 * terminal.read_until(b"help")


def main(rounds: int = ROUNDS) -> int:
    workbench, empty = [], []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        seed_board(workspace, runs=50)
        for number in range(rounds + 1):
            ours, base = first_paint(WORKBENCH, str(workspace.root)), first_paint(EMPTY)
            if number:  # the first pair fills the caches of the disk
                workbench.append(ours)
                empty.append(base)
    ours, base = statistics.median(workbench), statistics.median(empty)
    print(f"RESULT first paint {ours:.0f} ms, empty Textual app {base:.0f} ms, ratio {ours / base:.2f}")
    print(f"RESULT fastest {min(workbench):.0f} ms and {min(empty):.0f} ms, {rounds} rounds at 200x50")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
