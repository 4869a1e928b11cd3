from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_run, workspace_at
from textual.pilot import Pilot
from tui_helpers import screen_text, until, widget_text, workbench

from engine.store.writer import Writer
from tui.screens.registry import TABS
from tui.widgets.header import Header

pytestmark = pytest.mark.usefixtures("brisk")


async def test_a_run_that_is_queued_elsewhere_appears_by_itself(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "No runs yet" in screen_text(pilot.app), "the empty workspace says what to do")
        with Writer.open(workspace) as writer:
            add_run(writer, "first [b]try[/b]")
        await until(pilot, lambda: "first [b]try[/b]" in screen_text(pilot.app), "the run is listed")


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10)])
async def test_number_keys_lead_to_every_screen_and_light_its_tab(tmp_path: Path, size: tuple[int, int]) -> None:
    workspace = workspace_at(tmp_path)
    async with workbench(workspace).run_test(size=size) as pilot:
        for tab in (*TABS, TABS[0]):
            await pilot.press(tab.key)
            await until(pilot, lambda tab=tab: getattr(pilot.app.screen, "TAB", "") == tab.title, tab.title)
            assert type(pilot.app.screen) is type(tab.load()), tab
            await until(pilot, lambda tab=tab: crumbs(pilot).startswith(tab.title), "the breadcrumbs name the screen")
            header = pilot.app.screen.query_one(Header)
            lit = [
                segment.text.strip()
                for segment in header.render_line(0)
                if segment.style is not None and segment.style.bgcolor == header.palette.bar_active.bgcolor
            ]
            assert any(tab.key in text for text in lit), lit


def crumbs(pilot: Pilot[Any]) -> str:
    return widget_text(pilot.app.screen.query_one(Header)).splitlines()[1].strip()


async def test_breadcrumbs_name_every_screen_on_the_way(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        add_run(writer, "first [b]try[/b]")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "first" in screen_text(pilot.app), "the run is listed")
        await pilot.press("enter")
        await until(pilot, lambda: crumbs(pilot).startswith("Runs › run 1: first [b]try[/b]"), "the way to the run")
        await pilot.press("escape")
        await until(pilot, lambda: crumbs(pilot).startswith("Runs ") and "›" not in crumbs(pilot), "back again")


async def test_q_leaves_from_every_screen(tmp_path: Path) -> None:
    for tab in TABS:
        app = workbench(workspace_at(tmp_path / tab.mode))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(tab.key)
            await until(pilot, lambda tab=tab, app=app: getattr(app.screen, "TAB", "") == tab.title, tab.title)
            await pilot.press("q")
            await until(pilot, lambda app=app: not app.is_running, "the workbench has ended")
        assert app.return_code == 0


async def test_reading_begins_even_where_the_first_screen_was_covered_before_it_was_refreshed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = workbench(workspace_at(tmp_path))
    monkeypatch.setattr(app, "call_after_refresh", lambda *_: False)  # what Textual does then
    async with app.run_test() as pilot:
        await until(pilot, app.poller.is_alive, "the thread reads")
        app._start()  # whoever comes second starts nothing
