"""The base of all widgets: it draws only what is seen, and sends only what changed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from tui_helpers import HOSTILE, until, widget_text

from tui.themes import CONTRAST, DARK, LIGHT, palette, themes
from tui.widgets import cells
from tui.widgets.cells import (
    GAP_CELLS,
    Cells,
    CellWidget,
    cells_of,
    changed_regions,
    changed_spans,
    line,
    scroll_marks,
)

pytestmark = pytest.mark.usefixtures("brisk")

BLUE, RED = Style(color="blue"), Style(color="red")


def strip(text: str, style: Style = BLUE) -> Strip:
    return Strip([Segment(text, style)])


def spans(old: Strip, new: Strip) -> list[tuple[int, int]]:
    return changed_spans(cells_of(old), cells_of(new))


def test_equal_lines_have_no_spans() -> None:
    assert spans(strip("abc"), Strip([Segment("a", BLUE), Segment("bc", BLUE)])) == []


def test_spans_are_the_cells_that_differ_in_text_or_style() -> None:
    assert spans(strip("a" * 30), strip("b" + "a" * 28 + "c")) == [(0, 1), (29, 30)]
    assert spans(strip("abc"), Strip([Segment("a", BLUE), Segment("b", RED), Segment("c", BLUE)])) == [(1, 2)]


def test_changes_that_are_close_are_sent_together() -> None:
    gap = "." * GAP_CELLS
    assert spans(strip(f"a{gap}a"), strip(f"b{gap}b")) == [(0, GAP_CELLS + 2)]
    assert len(spans(strip(f"a{gap}.a"), strip(f"b{gap}.b"))) == 2


def test_a_longer_line_has_changed_to_its_end() -> None:
    assert spans(strip("ab"), strip("abcd")) == [(2, 4)]
    assert spans(strip("abcd"), strip("ab")) == [(2, 4)]


def test_wide_characters_change_with_both_of_their_cells() -> None:
    assert spans(strip("世" * 9), strip("世" * 4 + "界" + "世" * 4)) == [(8, 10)]
    moved = spans(strip("世" * 9), strip("a" + "世" * 8 + "b"))
    assert moved == [(0, 18)], "the second cell of one character is not the first of the next"
    assert spans(strip("世x"), strip("世\u0301x")) == [(0, 2)]


def test_cells_know_their_characters() -> None:
    assert [text.rstrip("\0") for text in cells_of(strip("a世e\u0301"))[0]] == ["a", "世", "世", "e\u0301"]
    assert cells_of(strip("\u0301a")) == (["a"], [BLUE])


def test_equal_styles_are_no_change_whatever_objects_they_are() -> None:
    red, same = Style(color="red", bold=True), Style(color="red", bold=True)
    assert red is not same
    assert spans(line(("ab", red)), line(("ab", same))) == []
    assert spans(line(("ab", red)), line(("a", same), ("b", BLUE))) == [(1, 2)]


def test_cells_that_are_known_are_not_taken_apart_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[int, Cells] = {}
    drawings = [[strip("same"), strip(text)] for text in ("abc", "abd", "xbd", "xbd", "abd")]
    found = [changed_regions(before, after, known) for before, after in pairwise(drawings)]
    assert found == [changed_regions(before, after) for before, after in pairwise(drawings)]
    assert found[0] == [Region(2, 1, 1, 1)]
    taken: list[Any] = []
    monkeypatch.setattr(cells, "cells_of", lambda line: taken.append(line) or cells_of(line))
    changed_regions(drawings[-1], drawings[0], known)
    assert taken == [drawings[0][1]]


@pytest.mark.parametrize(
    ("top", "height", "count", "marks"),
    [(0, 4, 4, "    "), (0, 4, 8, "┃┃  "), (4, 4, 8, "  ┃┃"), (2, 4, 8, " ┃┃ "), (0, 0, 9, ""), (999, 3, 1002, "  ┃")],
)
def test_marks_say_where_a_window_stands(top: int, height: int, count: int, marks: str) -> None:
    assert scroll_marks(top, height, count) == marks


def test_regions_are_lines_of_the_widget() -> None:
    before, after = [strip("same"), strip("abc")], [strip("same"), strip("abd")]
    assert changed_regions(before, after) == [Region(2, 1, 1, 1)]


def test_a_line_leaves_empty_pieces_out_and_lets_no_control_character_through() -> None:
    assert line(("", RED), ("x", BLUE))._segments == [Segment("x", BLUE)]
    assert "\x1b" not in line((HOSTILE, RED)).text


# ----- widgets


class Counted(CellWidget):
    """Counts how often it draws, and notes what it asks to be repainted."""

    text = "first"

    def __init__(self, **names: Any) -> None:
        super().__init__(**names)
        self.drawn = 0
        self.asked: list[tuple[Region, ...]] = []

    def draw(self, width: int, height: int) -> list[Strip]:
        self.drawn += 1
        return [line((self.text.ljust(width), self.palette.text))]

    def refresh(self, *regions: Region, **options: Any) -> Any:
        self.asked.append(regions)
        return super().refresh(*regions, **options)


class Host(App[None]):
    CSS = """
    Screen { overflow: hidden; }
    Counted { height: 3; }
    #bordered { border: solid red; padding: 1 2; height: 7; }
    .gone { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = DARK

    def compose(self) -> ComposeResult:
        yield Counted(id="plain")
        yield Counted(id="bordered")
        yield Counted(id="hidden", classes="gone")
        yield CellWidget(id="blank")


async def test_only_what_changed_is_asked_to_be_repainted() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        for name in ("#plain", "#bordered"):
            widget = pilot.app.query_one(name, Counted)
            widget.asked.clear()
            widget.repaint()
            assert widget.asked == []
            widget.text = "fixst"
            widget.repaint()
            assert widget.asked == [(Region(2, 0, 1, 1),)]
            await pilot.pause()
            assert "fixst" in widget_text(widget)


async def test_a_hidden_widget_draws_nothing_until_it_is_shown() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        widget = pilot.app.query_one("#hidden", Counted)
        widget.text = "later"
        widget.repaint()
        widget.repaint(whole=True)
        assert widget.drawn == 0
        widget.remove_class("gone")
        await until(pilot, lambda: "later" in widget_text(widget), "it is drawn when it comes up")
        widget.add_class("gone")
        await until(pilot, lambda: not widget.is_on_screen, "it is gone")
        drawn, widget.text = widget.drawn, "meanwhile"
        widget.repaint()
        assert widget.drawn == drawn
        widget.remove_class("gone")
        await until(pilot, lambda: "meanwhile" in widget_text(widget), "it shows what happened meanwhile")


async def test_another_theme_repaints_everything() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        widget = pilot.app.query_one("#plain", Counted)
        for name in (LIGHT, CONTRAST, DARK):
            widget.asked.clear()
            pilot.app.theme = name
            wanted = palette(name).text.color
            await until(pilot, lambda wanted=wanted: widget.render_line(0)._segments[0].style.color == wanted, name)
            assert () in widget.asked, "the whole widget, for the ground is another one too"
            ground = pilot.app.current_theme.background
            colour = widget.render_line(2)._segments[0].style.bgcolor
            assert colour is not None and colour.get_truecolor().hex == ground
        assert widget.palette is palette(DARK)


async def test_a_theme_that_is_not_ours_gets_the_palette_of_its_ground() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        widget = pilot.app.query_one("#plain", Counted)
        pilot.app.theme = "textual-light"
        assert widget.palette is palette(LIGHT)
        pilot.app.theme = "dracula"
        assert widget.palette is palette(DARK)


async def test_another_size_is_drawn_whole_and_nothing_breaks_at_none() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        widget = pilot.app.query_one("#plain", Counted)
        for width, height in ((60, 20), (1, 1), (2, 40), (40, 10)):
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda width=width: widget.size.width == width, "the new size")
            assert widget.render_line(0).cell_length == width


async def test_a_plain_cell_widget_is_blank() -> None:
    async with Host().run_test(size=(40, 20)) as pilot:
        widget = pilot.app.query_one("#blank", CellWidget)
        assert not widget_text(widget).strip()
        assert all(segment.style is not None for segment in widget.render_line(0)), "a filter fails on None"
