"""A run that lives but does not get on, and what a run is doing, on the screens that show runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker
from run_helpers import TRAINING, start
from store_helpers import add_run, workspace_at
from textual.pilot import Pilot
from tui_helpers import screen_text, until, workbench

from engine.store.writer import Writer
from engine.workspace import Workspace
from tui import clock
from tui.screens.run import RunScreen

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    found = workspace_at(tmp_path)
    with no_worker(found):
        yield found


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as writer:
        start(writer, add_run(writer, "mine", planned_steps=10), 4)
        yield writer


def stall(writer: Writer, seconds: float) -> None:
    writer.update(TRAINING, 1, stalled_at=clock.now() - seconds, phase="training", heartbeat=clock.now())


def shows(pilot: Pilot[Any], words: str) -> Callable[[], bool]:
    return lambda: words in " ".join(screen_text(pilot.app).split())


async def test_the_list_of_runs_shows_since_when(workspace: Workspace, writer: Writer) -> None:
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, shows(pilot, "▶ running"), "it runs")
        stall(writer, 12 * 60 + 5)
        await until(pilot, shows(pilot, "! stalled 12m"), "it has stalled")
        await until(pilot, shows(pilot, "1 running · 1 stalled"), "the facts say so")
        row = next(line for line in screen_text(pilot.app).splitlines() if "mine" in line)
        assert "12s" not in row, "how long it will take, nobody knows"
        writer.update(TRAINING, 1, stalled_at=None)
        await until(pilot, shows(pilot, "▶ running"), "it gets on")


async def test_the_head_of_a_run_says_what_it_is_doing(workspace: Workspace, writer: Writer) -> None:
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=(120, 24)) as pilot:
        app.push_screen(RunScreen(1))
        writer.update(TRAINING, 1, phase="validation loss", heartbeat=clock.now())
        await until(pilot, shows(pilot, "▶ running: validation loss"), "the phase")
        stall(writer, 3 * 3600 + 60)
        words = "! stalled 3 h: training no progress after step 4; `sonotune show 1`"
        await until(pilot, shows(pilot, words), "the stall")
        assert not shows(pilot, " left ")()
        writer.update(TRAINING, 1, phase="\x1b[2Jpha[b]se", stalled_at=None)
        await until(pilot, shows(pilot, "pha[b]se"), "text of others is harmless")


async def test_the_queue_shows_a_stall(workspace: Workspace, writer: Writer) -> None:
    stall(writer, 12 * 60 + 5)
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("4")
        await until(pilot, shows(pilot, "! stalled 12 min at 4/10"), "the row")
        await until(pilot, shows(pilot, "stalled 12 min: training"), "the details")
        await until(pilot, shows(pilot, "It lives, but does not get on."), "and what to do")
