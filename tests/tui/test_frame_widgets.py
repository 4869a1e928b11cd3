"""Header, footer, banner, gauges, tabs, interval bars and the clock: what they say in little room."""

from __future__ import annotations

import time
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget
from tui_helpers import HOSTILE, until, widget_text

from engine.errors import StoreError
from engine.text import plain
from tui import clock
from tui.themes import palette, themes
from tui.widgets.banner import Banner
from tui.widgets.footer import Footer, key_name
from tui.widgets.gauge import Gauges, Reading
from tui.widgets.header import Header
from tui.widgets.intervals import interval_bar
from tui.widgets.tabstrip import TabStrip

pytestmark = pytest.mark.usefixtures("brisk")
TABS = (("1", "Dataset", "Data"), ("2", "Launch", "Launch"), ("3", "Runs", "Runs"), ("5", "Leaderboard", "Board"))


class OneApp(App[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sonotune-dark"
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


async def drawn(widget: Any, width: int, height: int = 24) -> list[str]:
    """The lines of a widget in a window of so many cells."""
    app = OneApp(widget)
    async with app.run_test(size=(width, height)) as pilot:
        await until(pilot, lambda: widget.size.width == width, "it has its place")
        return widget_text(widget).split("\n")


def header(status: str = "1 running", facts: str = "3 runs", *crumbs: str) -> Header:
    found = Header()
    found.show_place(TABS, "Runs", crumbs or ("Runs", "run 1: mine"))
    found.show_status(status, "good")
    found.show_facts(facts)
    return found


@pytest.mark.parametrize(
    ("width", "first"),
    [
        (80, " 1 Dataset  2 Launch  3 Runs  5 Leaderboard "),
        (50, " 1 Data  2 Launch  3 Runs  5 Board "),
        (40, " 1  2  3 Runs  5 "),
        (6, ""),
    ],
)
async def test_tabs_are_named_as_long_as_there_is_room(width: int, first: str) -> None:
    lines = await drawn(header(), width)
    assert lines[0].startswith(first)
    assert all(len(line) == width for line in lines)
    if width >= 40:
        assert lines[0].endswith(" 1 running ")


async def test_of_a_long_status_the_end_matters_most() -> None:
    found = header("1 running · 1 lost · 3 queued · no worker")
    assert "3 Runs" in (lines := await drawn(found, 60))[0] and lines[0].endswith(" no worker ")
    assert "1 running · 1 lost · 3 queued · no worker" in (await drawn(header(found._status[0]), 90))[0]


async def test_breadcrumbs_and_facts_share_a_line() -> None:
    assert (await drawn(header(), 40))[1] == " Runs › run 1: mine              3 runs "
    long = await drawn(header("", HOSTILE, "Runs", HOSTILE), 60)
    assert len(long[1]) == 60 and plain(long[1]) == long[1] and long[1].startswith(" Runs › ")


async def test_the_footer_shows_what_fits_and_always_help() -> None:
    footer = Footer()
    footer.show_keys([("enter", "open", "enter"), ("/", "a long description", "slash"), ("q", "quit", "q")])
    assert await drawn(footer, 50) == [" enter open  / a long description  q quit  ? help "]
    footer = Footer()
    footer.show_keys([("enter", "open", "enter"), ("/", "a long description", "slash"), ("q", "quit", "q")])
    assert await drawn(footer, 30) == [" enter open  q quit    ? help "]


@pytest.mark.parametrize(
    ("key", "name"),
    [("question_mark", "?"), ("ctrl+p", "^p"), ("ctrl+left", "^←"), ("x", "x"), ("f5", "f5"), ("shift+up", "⇧↑")],
)
def test_keys_have_the_names_that_stand_on_them(key: str, name: str) -> None:
    assert key_name(key) == name


async def test_the_banner_takes_room_only_while_there_is_trouble() -> None:
    banner = Banner()
    app = OneApp(banner)
    async with app.run_test(size=(40, 10)) as pilot:
        assert banner.size.height == 0
        banner.show_error(StoreError("runs.db is [b]locked[/b]", HOSTILE[:60], "Wait, or end the other program."))
        await until(pilot, lambda: banner.size.height == 4, "title, reason in two lines, next step")
        await until(pilot, lambda: "runs.db is [b]locked[/b]" in widget_text(banner), "it is drawn")
        text = widget_text(banner)
        assert "Wait, or end the other program." in text and plain(text) == text
        banner.show_error(None)
        await until(pilot, lambda: not banner.display, "gone")


# ----- gauges

READINGS = [Reading(name, f"{place} %", place / 10) for place, name in enumerate(("VRAM", "GPU", "CPU", "RAM", "RSS"))]


@pytest.mark.parametrize(("width", "rows"), [(40, 5), (80, 3), (100, 2), (160, 1), (200, 1)])
async def test_gauges_stand_in_even_rows(width: int, rows: int) -> None:
    gauges = Gauges()
    gauges.show_readings(READINGS)
    lines = await drawn(gauges, width)
    assert len(lines) == rows and all(len(line) == width for line in lines)
    assert "· 3 % " in "".join(lines)


async def test_a_bar_warns_where_a_limit_is_near_and_not_where_there_is_none() -> None:
    gauges = Gauges()
    levels = (0.5, 0.9, 0.97, 1.4)
    gauges.show_readings([Reading("RAM", "x", level, limited=True) for level in levels] + [Reading("GPU", "x", 0.97)])
    app = OneApp(gauges)
    async with app.run_test(size=(30, 10)) as pilot:
        await until(pilot, lambda: gauges.size.height == 5, "five rows")
        colours = palette("sonotune-dark")
        found = [gauges.render_line(y)._segments[1].style.color for y in range(5)]
        wanted = (colours.accent, colours.warn, colours.bad, colours.bad, colours.accent)
        assert found == [style.color for style in wanted]


async def test_a_reading_without_a_share_has_no_bar() -> None:
    gauges = Gauges()
    gauges.show_readings([Reading("power", "507 W 61 °C")])
    assert await drawn(gauges, 40) == [" power 507 W 61 °C".ljust(40)]


async def test_tabs_are_chosen_by_a_click() -> None:
    strip = TabStrip(("one", "two"))
    heard: list[str] = []

    class Clicks(OneApp):
        def on_tab_strip_clicked(self, message: TabStrip.Clicked) -> None:
            heard.append(message.name)

    app = Clicks(strip)
    async with app.run_test(size=(30, 3)) as pilot:
        assert widget_text(strip).startswith("[one] two  ──")
        await pilot.click(strip, offset=(7, 0))
        await pilot.click(strip, offset=(1, 0))
        await pilot.click(strip, offset=(20, 0))
        await pilot.pause()
        assert heard == ["two", "one"]
        strip.show_active("two")
        assert widget_text(strip).startswith(" one [two] ──")


# ----- interval bars


@pytest.mark.parametrize(
    ("figures", "bar"),
    [
        ((0.5, 0.25, 0.75), "  ├─●─┤  "),
        ((0.5, None, None), "    ●    "),
        ((None, None, None), "         "),
        ((0.0, 0.0, 0.0), "●        "),
        ((1.0, 0.5, 1.5), "    ├───●"),
        ((-3.0, -9.0, 0.25), "●─┤      "),
    ],
)
def test_an_interval_is_drawn_on_its_scale(figures: tuple[float | None, ...], bar: str) -> None:
    assert interval_bar(*figures, width=9) == bar  # type: ignore[misc]


def test_a_mark_shows_where_the_bar_leaves_it() -> None:
    assert interval_bar(0.9, 0.8, 1.0, 11, mark=0.5) == "     ¦  ├●┤"
    assert interval_bar(0.5, 0.4, 0.6, 11, mark=0.5) == "    ├●┤    "
    assert interval_bar(None, None, None, 11, mark=0.5) == "     ¦     "
    assert interval_bar(0.0, -0.5, 0.5, 9, start=-1.0) == "  ├─●─┤  "


@pytest.mark.parametrize("width", [0, 1, 2])
def test_no_width_breaks_it(width: int) -> None:
    assert len(interval_bar(0.5, 0.1, 0.9, width)) == width
    assert interval_bar(0.5, 0.1, 0.9, 9, start=1.0, end=1.0) == ""


# ----- the clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "now"), (1, "now"), (12.9, "12 s ago"), (60, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert clock.ago(seconds) == words


def test_times_of_today_have_seconds_and_others_their_day(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = time.mktime((2026, 11, 24, 12, 5, 9, 0, 0, -1))
    monkeypatch.setattr(clock, "now", lambda: noon + 60)
    assert clock.time_or_day(noon) == "12:05:09"
    assert clock.time_or_day(noon - 86400) == clock.stamp(noon - 86400) == "23 Nov 12:05"
    assert clock.stamp(None) == ""
