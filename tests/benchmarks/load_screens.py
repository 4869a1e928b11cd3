"""Screens on a large runs.db: how soon they show their data, and how soon a key is answered. Used by `load.py`.

Each screen in a process of its own, with Textual's own event loop and a driver that takes what a terminal would get.
The clock runs from the call that opens the screen: to its first frame, and to the last frame after its data has come.
Keys are those that move and turn pages, two hundred of them a screen, each timed to the last frame that it causes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leaderboard_screen import QUIET_SECONDS, Sink, press
from textual.app import App

from engine import api

SIZE, PRESSES = (200, 50), 200
MOVES = ("down", "down", "pagedown", "down", "pageup")
CURVES = ("plus", "right", "right", "minus", "left")
LONGEST_SECONDS = 60.0


def table_rows(app: App[Any]) -> int:
    """Rows of the largest of our tables on the screen."""
    from tui.widgets.table import Table

    return max((table.model.row_count() for table in app.screen.query(Table)), default=0)


def has_words(*words: str) -> Callable[[App[Any]], bool]:
    """Whether all of these words have stood in some frame since the screen was opened."""

    def found(app: App[Any]) -> bool:
        text: str = app._driver.since  # type: ignore[union-attr]
        return all(each in text for each in words)

    return found


def push(home: str, name: str, *arguments: Any) -> Callable[[App[Any]], object]:
    """Open a screen that is no tab."""

    def open_(app: App[Any]) -> object:
        import importlib

        return app.push_screen(getattr(importlib.import_module(home), name)(*arguments))

    return open_


def switch(mode: str) -> Callable[[App[Any]], object]:
    return lambda app: app.switch_mode(mode)


def compare(app: App[Any]) -> object:
    from tui.screens.compare_open import Asked, open_comparison

    return open_comparison(app, Asked(("evaluation:3", "evaluation:4")))  # type: ignore[arg-type]


Opened = tuple[Callable[[App[Any]], object], Callable[[App[Any]], object], tuple[str, ...]]
SCREENS: dict[str, Opened] = {
    "Runs": (lambda app: None, lambda app: table_rows(app) > 50, MOVES),
    "Run": (
        push("tui.screens.run", "RunScreen", 1),
        lambda app: app.screen._curves.last("loss") is not None,  # type: ignore[attr-defined]
        CURVES,
    ),
    "Leaderboard": (switch("leaderboard"), lambda app: table_rows(app) > 50, MOVES),
    "Cases": (
        push("tui.screens.cases", "CasesScreen", 3),
        lambda app: app.screen.data is not None,  # type: ignore[attr-defined]
        ("down", "right", "down", "left", "up"),
    ),
    "Compare": (compare, lambda app: app.screen.found is not None, ("s", "tab", "down", "down", "S")),  # type: ignore[attr-defined]
    "Queue": (switch("queue"), has_words("waiting-"), MOVES),
    "Dataset": (switch("dataset"), lambda app: table_rows(app) > 50, MOVES),
    "Launch": (switch("launch"), has_words("baseline"), ("down", "down", "up", "down", "up")),
    "Studies": (switch("studies"), has_words("ablation"), ("down", "down", "up", "down", "up")),
}
"""How a screen is opened, when its data is there, and keys for it."""


class Recording(Sink):
    """Also keeps what has been written since a screen was opened."""

    since = ""
    first_at = 0.0

    def write(self, data: str) -> None:
        super().write(data)
        self.first_at = self.first_at or self.frame_at
        self.since += data


async def opened(app: App[Any], name: str, started: float) -> tuple[float, float]:
    """Seconds from `started` to the first frame, and to the last one after the data of a screen has come."""
    sink: Any = app._driver
    while not (SCREENS[name][1](app) and sink.since):
        await asyncio.sleep(0.001)
        if time.perf_counter() - started > LONGEST_SECONDS:
            raise RuntimeError(f"{name} shows nothing: {sink.since[-300:]!r}")
    complete = time.perf_counter()
    while time.perf_counter() - max(complete, sink.frame_at) < QUIET_SECONDS:
        await asyncio.sleep(0.002)
    return float(sink.first_at) - started, max(complete, float(sink.frame_at)) - started


async def measure(workspace: api.Workspace, name: str) -> dict[str, Any]:
    from tui.app import Workbench
    from tui.settings import Settings

    gc.disable()  # as `sonotune` starts it, see engine.cli.entry
    app = Workbench(workspace, Settings())
    app.driver_class = Recording
    begun = time.perf_counter()
    async with app.run_test(headless=False, size=SIZE) as pilot:
        sink: Any = app._driver
        if name != "Runs":
            await opened(app, "Runs", begun)
            await pilot.pause(1.0)
            begun, sink.since, sink.first_at = time.perf_counter(), "", 0.0
        SCREENS[name][0](app)
        first, complete = await opened(app, name, begun)
        await pilot.pause(0.5)
        keys = SCREENS[name][2]
        pressed = [await press(app, keys[number % len(keys)]) for number in range(PRESSES)]
        return {"first": first, "complete": complete, "pressed": [each for each in pressed if each > 0]}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asyncio.run(measure(api.Workspace(Path(sys.argv[1])), sys.argv[2]))))
    sys.exit(0)  # `make bench` runs every file here
