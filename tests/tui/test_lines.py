"""Text to scroll through: wrapped, followed, cut at its beginning, and always safe."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from tui_helpers import HOSTILE, until, widget_text

from engine.text import plain
from tui.themes import themes
from tui.widgets.lines import Lines, Paragraph, Sided

pytestmark = pytest.mark.usefixtures("brisk")


class LinesApp(App[None]):
    def __init__(self, lines: Lines) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sonotune-dark"
        self.lines = lines

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_mount(self) -> None:
        self.lines.focus()


def numbered(first: int, last: int) -> list[Paragraph]:
    return [[(f"line {number}", "text")] for number in range(first, last)]


def shown(lines: Lines) -> list[str]:
    return [line.rstrip(" ┃") for line in widget_text(lines).split("\n")]


async def ready(pilot: Pilot[Any]) -> Lines:
    lines = pilot.app.query_one(Lines)
    await until(pilot, lambda: lines.has_focus and lines.content_size.height, "it has a place")
    return lines


def window_of(count: int = 30, **options: Any) -> LinesApp:
    lines = Lines(**options)
    lines.show_paragraphs(numbered(0, count))
    return LinesApp(lines)


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ((), 0),
        (("down", "j", "up"), 1),
        (("k",), 0),
        (("pagedown",), 9),
        (("space", "pageup"), 0),
        (("end",), 20),
        (("G", "g"), 0),
        (("end", "home"), 0),
        (("end", "down", "up"), 19),
    ],
)
async def test_keys_scroll(keys: tuple[str, ...], first: int) -> None:
    async with window_of().run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        await pilot.press(*keys)
        assert shown(lines)[0] == f"line {first}"


async def test_the_wheel_scrolls_by_three() -> None:
    async with window_of().run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        await pilot._post_mouse_events([MouseScrollDown], lines)
        await pilot._post_mouse_events([MouseScrollDown], lines)
        await pilot._post_mouse_events([MouseScrollUp], lines)
        assert shown(lines)[0] == "line 3"


async def test_the_end_is_followed_until_somebody_scrolls_up() -> None:
    async with window_of(follow=True).run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        assert shown(lines)[-1] == "line 29"
        lines.add_paragraphs(numbered(30, 40))
        assert shown(lines)[-1] == "line 39"
        await pilot.press("up")
        lines.add_paragraphs(numbered(40, 50))
        assert shown(lines)[-1] == "line 38", "who reads is left alone"
        await pilot.press("end")
        lines.add_paragraphs(numbered(50, 60))
        assert shown(lines)[-1] == "line 59"


async def test_text_that_is_not_followed_stays_where_it_is() -> None:
    async with window_of().run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        await pilot.press("down")
        lines.show_paragraphs(numbered(100, 130))
        assert shown(lines)[0] == "line 101"
        lines.show_paragraphs(numbered(0, 3))
        assert shown(lines)[:3] == ["line 0", "line 1", "line 2"], "shorter text begins at its beginning"


async def test_the_oldest_are_dropped_and_who_reads_goes_on_reading() -> None:
    async with window_of(follow=True).run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        lines.add_paragraphs(numbered(30, 50), keep=25)
        assert shown(lines)[-1] == "line 49"
        await pilot.press("home")
        assert shown(lines)[0] == "line 25"
        await pilot.press("down", "down", "down")
        lines.add_paragraphs(numbered(50, 52), keep=25)
        assert shown(lines)[0] == "line 28", "two lines went above it"
        lines.add_paragraphs(numbered(52, 200), keep=25)
        assert shown(lines)[0] == "line 175"


async def test_dropping_costs_no_new_wrapping(monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.widgets import lines as module

    async with window_of(follow=True).run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        wrapped: list[Paragraph] = []
        real = module._wrapped
        monkeypatch.setattr(
            module, "_wrapped", lambda paragraph, width: wrapped.append(paragraph) or real(paragraph, width)
        )
        for number in range(30, 40):
            lines.add_paragraphs(numbered(number, number + 1), keep=30)
        assert wrapped == numbered(30, 40)


async def test_a_line_that_is_still_being_written_is_replaced() -> None:
    async with window_of(2, follow=True).run_test(size=(40, 6)) as pilot:
        lines = await ready(pilot)
        for percent in (10, 20):
            lines.add_paragraphs([], [(f"{percent} %", "text")])
            assert shown(lines)[:4] == ["line 0", "line 1", f"{percent} %", ""]
        lines.add_paragraphs(numbered(2, 4))
        assert shown(lines)[:5] == ["line 0", "line 1", "line 2", "line 3", ""]
        lines.add_paragraphs(numbered(4, 20), [("word " * 40, "text")])
        assert shown(lines)[-1].startswith("word") and len(shown(lines)) == 6
        lines.show_paragraphs(numbered(0, 1))
        assert shown(lines)[:2] == ["line 0", ""]


async def test_the_last_piece_is_wrapped_under_its_own_beginning() -> None:
    lines = Lines()
    lines.show_paragraphs([[("12:05 ", "dim"), ("one two three four five", "text")], []])
    async with LinesApp(lines).run_test(size=(21, 6)) as pilot:
        await ready(pilot)
        assert shown(lines)[:4] == ["12:05 one two three", "      four five", "", ""]
        await pilot.resize_terminal(9, 8)
        await until(pilot, lambda: shown(lines)[0] == "12:05", "heads that leave no room stand alone")
        assert shown(lines)[1:4] == ["  one", "  two", "  three"]


async def test_a_side_piece_stands_at_the_edge_where_there_is_room() -> None:
    lines = Lines()
    lines.show_paragraphs([Sided([("key  ", "accent"), ("some words that are long", "text"), ("the.name", "dim")])])
    async with LinesApp(lines).run_test(size=(41, 4)) as pilot:
        await ready(pilot)
        assert lines.render_line(0).text == "key  some words that are long   the.name "
        await pilot.resize_terminal(31, 4)
        await until(pilot, lambda: shown(lines)[0] == "key  some words that  the.name", "wrapped before it")
        assert shown(lines)[1] == "     are long"
        await pilot.resize_terminal(12, 8)
        await until(pilot, lambda: "name" not in widget_text(lines), "and left out")


async def test_scroll_marks_are_shown_only_where_there_is_more() -> None:
    async with window_of(10).run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        assert "┃" not in widget_text(lines)
        lines.add_paragraphs(numbered(10, 100))
        marks = [line[-1] for line in widget_text(lines).split("\n")]
        assert marks == ["┃"] + [" "] * 9
        await pilot.press("end")
        marks = [line[-1] for line in widget_text(lines).split("\n")]
        assert marks == [" "] * 9 + ["┃"]


async def test_an_empty_window_says_so() -> None:
    async with LinesApp(Lines(empty="nothing yet")).run_test(size=(40, 4)) as pilot:
        lines = await ready(pilot)
        assert shown(lines)[0] == "nothing yet"
        await pilot.press("end", "down", "pageup")
        assert shown(lines)[0] == "nothing yet"


async def test_equal_text_is_not_drawn_again() -> None:
    async with window_of().run_test(size=(40, 10)) as pilot:
        lines = await ready(pilot)
        before = lines._strips
        lines.show_paragraphs(numbered(0, 30))
        assert lines._strips is before


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (40, 10), (200, 50)])
async def test_hostile_text_is_safe_in_any_size(size: tuple[int, int]) -> None:
    lines = Lines()
    pieces = [(HOSTILE, "dim"), (HOSTILE, "text")]
    lines.show_paragraphs([pieces, [(HOSTILE * 3, "bad")], Sided([*pieces, (HOSTILE, "dim")])])
    async with LinesApp(lines).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("down", "end", "pageup")
        for y in range(size[1]):
            assert lines.render_line(y).cell_length == size[0]
            assert plain(lines.render_line(y).text) == lines.render_line(y).text


async def test_a_window_can_be_as_high_as_its_text() -> None:
    lines = Lines()
    lines.styles.height = "auto"
    lines.show_paragraphs(numbered(0, 3))
    async with LinesApp(lines).run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: lines.size.height == 3, "three lines")
        lines.show_paragraphs(numbered(0, 5))
        await until(pilot, lambda: lines.size.height == 5, "five lines")
