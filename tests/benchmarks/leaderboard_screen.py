"""The leaderboard with 10,000 runs at 200x50: `.venv/bin/python tests/benchmarks/leaderboard_screen.py [ROUNDS]`.

Everything in this process, with Textual's own event loop and a driver that takes what a terminal would get:

- from `switch_mode` to the first frame with rows; the screen's modules are not imported before that;
- from a key press to the last frame that it causes (table, head, details), for keys that move, turn pages and sort;
- the same with Textual's DataTable, filled with the same rows and columns;
- memory of a process with the one, and of a process with the other.

Each round is a process of its own, turn by turn; figures are medians over the rounds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from seeding import seed_board
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Key
from textual.widgets import DataTable

from engine import api

RUNS, SIZE, ROUNDS = 10_000, (200, 50), 5
KEYS = ("down", "pagedown", "greater_than_sign", "pagedown", "S") * 20
QUIET_SECONDS = 0.08
"""So long after the last frame, nothing more comes of a key."""
FIRST = "bal. acc."


class Sink(HeadlessDriver):
    """Takes frames as a terminal would; nothing is written anywhere."""

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)
        self.frame_at = 0.0
        self.seen = ""

    @property
    def is_headless(self) -> bool:
        return False  # so that Textual makes the escape sequences

    def write(self, data: str) -> None:
        self.seen = data
        self.frame_at = time.perf_counter()


async def frame_with(app: App[Any], words: str, since: float) -> float:
    """Seconds from `since` to the first frame with these words."""
    sink: Any = app._driver
    while words not in sink.seen:
        await asyncio.sleep(0.001)
        assert time.perf_counter() - since < 60, "no rows"
    return float(sink.frame_at) - since


def whole(app: App[Any]) -> bool:
    """Whether every row can be gone to, and not only those that come first."""
    if isinstance(app, Stock):
        return app.query_one(DataTable).row_count >= RUNS
    screen: Any = app.screen
    return bool(screen.model.row_count() >= RUNS)


async def press(app: App[Any], key: str) -> float:
    """Seconds from the key to the last frame that it causes; 0.0 where it causes none."""
    sink: Any = app._driver
    started = time.perf_counter()
    event = Key(key, None)
    event.set_sender(app)
    sink.send_message(event)
    while time.perf_counter() - max(started, sink.frame_at) < QUIET_SECONDS:
        await asyncio.sleep(0.002)
    return max(0.0, float(sink.frame_at) - started)


async def measured(app: App[Any], before_it: str, open_: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """Open and press keys, once the words that the program begins with are there and nothing moves any more."""
    app.driver_class = Sink
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await frame_with(app, before_it, time.perf_counter())
        await pilot.pause(0.5)
        before = psutil.Process().memory_info().rss
        started = time.perf_counter()
        open_(app)
        opened = await frame_with(app, FIRST, started)
        while not whole(app):
            await asyncio.sleep(0.001)
        complete = time.perf_counter() - started
        await pilot.pause(0.5)
        after = psutil.Process().memory_info().rss
        pressed = [(key, await press(app, key)) for key in keys]
        return {"opened": opened, "complete": complete, "before": before, "after": after, "pressed": pressed}


def ours(workspace: api.Workspace) -> dict[str, Any]:
    from tui.app import Workbench
    from tui.settings import Settings

    gc.disable()  # as `sonotune` starts it, see engine.cli.entry: the app sets its own thresholds after the first paint

    def open_(app: App[Any]) -> None:
        assert "tui.screens.leaderboard" not in sys.modules
        app.switch_mode("leaderboard")

    return asyncio.run(measured(Workbench(workspace, Settings()), "baseline-q7-", open_, KEYS))


class Stock(App[None]):
    """A DataTable with the rows of a board."""

    def __init__(self, workspace: api.Workspace) -> None:
        super().__init__()
        self._workspace = workspace

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def fill(self) -> None:
        board = api.board(self._workspace)
        table: DataTable[Any] = self.query_one(DataTable)
        table.add_columns(*(column.short for column in board.columns))
        self._sorted = [column.name for column in board.columns].index("balanced_accuracy")
        places = [board.place(column.name) for column in board.columns]
        table.add_rows([[str(row[place]) for place in places] for row in (*board.references, *board.rows)])
        table.focus()

    def key_greater_than_sign(self) -> None:
        table: DataTable[Any] = self.query_one(DataTable)
        table.sort(list(table.columns)[self._sorted], key=float)

    def key_upper_s(self) -> None:
        table: DataTable[Any] = self.query_one(DataTable)
        table.sort(list(table.columns)[self._sorted], key=float, reverse=True)


def stock(workspace: api.Workspace) -> dict[str, Any]:
    return asyncio.run(measured(Stock(workspace), "", lambda app: app.fill(), KEYS[:20]))


def round_of(side: str, workspace: api.Workspace) -> dict[str, Any]:
    command = [sys.executable, __file__, side, str(workspace.root)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def show(side: str, rounds: list[dict[str, Any]]) -> dict[str, float]:
    opened = 1e3 * statistics.median(each["opened"] for each in rounds)
    pressed = sorted(1e3 * seconds for each in rounds for _, seconds in each["pressed"])
    median, late = statistics.median(pressed), pressed[int(0.95 * (len(pressed) - 1))]
    memory, grown = (
        statistics.median(each[name] - less * each["before"] for each in rounds) / 2**20
        for name, less in (("after", 0), ("after", 1))
    )
    complete = 1e3 * statistics.median(each["complete"] for each in rounds)
    print(f"RESULT {side}: {RUNS} runs on screen in {opened:.0f} ms, all of them there to go to in {complete:.0f} ms")
    print(f"RESULT {side}: key to paint median {median:.1f} ms, p95 {late:.1f} ms, {len(pressed)} keys")
    for key in dict.fromkeys(KEYS):
        times = sorted(
            1e3 * seconds for each in rounds for pressed_key, seconds in each["pressed"] if pressed_key == key
        )
        print(f"  {key}: median {statistics.median(times):.1f} ms, slowest {times[-1]:.1f} ms")
    print(f"RESULT {side}: {memory:.0f} MiB resident, {grown:.0f} MiB of them for the board")
    return {"opened": opened, "median": median, "p95": late, "grown": grown}


def main(rounds: int = ROUNDS) -> int:
    with tempfile.TemporaryDirectory() as folder:
        workspace = api.Workspace(Path(folder) / "workspace")
        seed_board(workspace, runs=RUNS)
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "stock": []}
        for number in range(rounds):
            found["ours"].append(round_of("ours", workspace))
            if number < 2:  # it takes seconds to fill, and is only there for the ratio
                found["stock"].append(round_of("stock", workspace))
    figures = {side: show(side, results) for side, results in found.items()}
    ratios = {name: figures["stock"][name] / figures["ours"][name] for name in ("opened", "median", "p95", "grown")}
    print("RESULT DataTable / ours: " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items()))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["stock"]):
        side = ours if sys.argv[1] == "ours" else stock
        print(json.dumps(side(api.Workspace(Path(sys.argv[2])))))
        sys.exit(0)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
