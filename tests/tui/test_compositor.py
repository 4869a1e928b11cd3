"""What a terminal shows after partial updates is what a full redraw would show, at a fraction of the bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from emulator import Ink, Terminal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from store_helpers import add_run, workspace_at
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from tui_helpers import screen_text, until, workbench

from engine.store.writer import Writer
from tui.compositor import Paper, Pen, TightCompositor, TightLayout, TightUpdate
from tui.widgets.cells import CellWidget, cells_of, changed_spans

pytestmark = pytest.mark.usefixtures("brisk")

CONSOLE = Console(force_terminal=True, color_system="truecolor")
STYLES = (
    Style(color="#56b4e9"),
    Style(color="#56b4e9", bgcolor="#102030"),
    Style(bgcolor="#102030", bold=True),
    Style(color="red", italic=True, underline=True),
    Style(dim=True, strike=True),
    Style.null(),
    Style(color="default", bgcolor="#ffffff", reverse=True, overline=True),
)
CHARACTERS = "ab ─█⣿世界🙂e\u0301ש·"
"""Of one cell, of two, and one of none that belongs to the character before it."""
STANDING = CHARACTERS.replace("\u0301", "")
PIECES = st.lists(st.tuples(st.text(CHARACTERS, max_size=8), st.sampled_from(STYLES)), max_size=7)
WIDTH = 24


def line_of(pieces: Sequence[tuple[str, Style]], width: int = WIDTH) -> Strip:
    """A line of exactly `width` cells; no piece begins with a character of no width (see `tui.text.cut`)."""
    texts = [(text.lstrip("\u0301"), style) for text, style in pieces]
    return Strip([Segment(text, style) for text, style in texts if text]).adjust_cell_length(width, STYLES[-2])


def layout(lines: Sequence[Strip], width: int = WIDTH) -> TightLayout:
    return TightLayout([[line] for line in lines], Region(0, 0, width, len(lines)))


def shown(update: Any, terminal: Terminal) -> Terminal:
    terminal.feed(update.render_segments(CONSOLE))
    assert terminal.ink == Ink(), "colours are set back at the end"
    return terminal


def fresh(lines: Sequence[Strip], width: int = WIDTH) -> Terminal:
    return shown(layout(lines, width), Terminal(width, len(lines)))


def partial(lines: Sequence[Strip], spans: list[tuple[int, int, int]], cuts: Sequence[int] = ()) -> TightUpdate:
    """An update of some spans; every line is in pieces that end at `cuts`."""
    ends = [*cuts, WIDTH]
    starts = [0, *cuts]
    chops = [dict(zip(starts, line.divide(ends), strict=True)) for line in lines]
    return TightUpdate(chops, spans, [ends] * len(lines))


@given(PIECES, PIECES)
@example([("世" * 9, STYLES[0])], [("a" + "世" * 8 + "b", STYLES[0])])  # every cell but two holds the same character
@example([("世e\u0301", STYLES[0])], [("世\u0301e", STYLES[0])])
@settings(max_examples=400, deadline=None)
def test_changed_spans_are_all_that_a_terminal_needs(before: Any, after: Any) -> None:
    old, new = line_of(before), line_of(after)
    spans = [(0, left, right) for left, right in changed_spans(cells_of(old), cells_of(new))]
    terminal = fresh([old])
    if spans:
        shown(partial([new], spans), terminal)
    assert terminal.cells == fresh([new]).cells


@given(PIECES, st.lists(st.integers(0, WIDTH), min_size=2, max_size=6, unique=True), st.integers(1, WIDTH - 1))
@settings(max_examples=300, deadline=None)
def test_a_span_never_cuts_a_character_that_stays_whole(pieces: Any, edges: list[int], cut: int) -> None:
    """Textual's own spans (a toast that goes) begin and end anywhere; sending them again must change nothing."""
    line = line_of(pieces)
    edges.sort()
    spans = [(0, left, right) for left, right in zip(edges[::2], edges[1::2], strict=False)]
    assert shown(partial([line], spans), fresh([line])).cells == fresh([line]).cells
    line = line_of([(text.replace("\u0301", ""), style) for text, style in pieces])
    halves = Strip.join(line.divide([cut, WIDTH]))  # an edge of a widget may cut a character: then it is two blanks
    assert shown(partial([line], spans, [cut]), fresh([halves])).cells == fresh([halves]).cells


@given(PIECES, st.integers(1, WIDTH - 1), st.sampled_from("xy世"), st.sampled_from(STYLES))
@settings(max_examples=200, deadline=None)
def test_one_changed_cell_never_costs_more_than_its_line(pieces: Any, x: int, character: str, style: Style) -> None:
    old = line_of(pieces)
    width = cell_len(character)
    if x + width > WIDTH:
        x = WIDTH - width
    new = Strip.join([old.crop(0, x), Strip([Segment(character, style)]), old.crop(x + width, WIDTH)])
    spans = [(0, left, right) for left, right in changed_spans(cells_of(old), cells_of(new))]
    tight = partial([new], spans).render_segments(CONSOLE) if spans else ""
    assert len(tight.encode()) <= len(layout([new]).render_segments(CONSOLE).encode())
    assert sum(right - left for _, left, right in spans) <= max(8, WIDTH // 2)


def test_a_digit_at_the_end_of_a_line_costs_a_few_bytes() -> None:
    style = STYLES[1]
    old, new = (Strip([Segment("loss".ljust(60) + digit, style)]) for digit in "12")
    update = TightUpdate([{0: new}], [(0, *changed_spans(cells_of(old), cells_of(new))[0])], [[61]])
    assert update.render_segments(CONSOLE) == "\x1b[1;61H\x1b[38;2;86;180;233;48;2;16;32;48m2\x1b[0m"


def test_colours_are_sent_only_where_they_change() -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    red, bold = Style(color="#ff0000"), Style(color="#ff0000", bold=True)
    pen.write([Segment("a", red), Segment("b", red), Segment("c", bold), Segment("d"), Segment("", bold)])
    assert pen.finish() == "\x1b[38;2;255;0;0mab\x1b[0;38;2;255;0;0;1mc\x1b[0md"


@pytest.mark.parametrize(
    ("system", "code"), [(ColorSystem.STANDARD, "\x1b[31mx"), (ColorSystem.EIGHT_BIT, "\x1b[38;5;196mx")]
)
def test_colours_are_those_that_the_terminal_has(system: ColorSystem, code: str) -> None:
    pen = Pen(system)
    pen.write([Segment("x", Style(color="#ff0000"))])
    assert pen.finish().startswith(code)


def test_without_colours_none_is_sent_but_attributes_are() -> None:
    pen = Pen(None)
    pen.move_to(2, 1)
    pen.write([Segment(text, style) for text, style in zip("abcdefg", STYLES, strict=True)])
    written = pen.finish()
    assert "38;" not in written and "48;" not in written and "[3" not in written.replace("[3m", "").replace("[3;4m", "")
    terminal = Terminal(10, 2)
    terminal.feed(written)
    assert {ink.foreground or ink.ground for _, ink in terminal.cells[1]} == {()}
    assert "bold" in terminal.cells[1][4][1].marks


def test_without_colours_a_ground_that_stands_out_is_reversed() -> None:
    pen = Pen(None, Paper(ground=20.0))
    grounds = ("#141414", "#242b32", "#2f5878", "#ffffff", "default")
    pen.write([Segment(str(number), Style(bgcolor=ground)) for number, ground in enumerate(grounds)])
    pen.write([Segment("r", Style(bgcolor="#ffffff", reverse=True))])
    assert pen.finish() == "01\x1b[0;7m23\x1b[0m4r"


async def test_no_color_sends_no_colours_and_shows_the_cursor_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        add_run(writer, "first")
        add_run(writer, "second")
    app = workbench(workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "second" in screen_text(app), "the runs are listed")
        text = app.screen._compositor.render_full_update().render_segments(CONSOLE)
        assert "38;" not in text and "48;" not in text
        terminal = Terminal(80, 24)
        terminal.feed(text)
        reversed_rows = [y for y, row in enumerate(terminal.cells) if "reverse" in row[10][1].marks]
        assert reversed_rows == [3], "the row under the cursor"
        assert any("reverse" in ink.marks for _, ink in terminal.cells[0]), "the tab that is lit"


def test_a_link_is_written_with_its_own_sequences() -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    pen.write([Segment("a", STYLES[2]), Segment("here", Style(link="file:///x", color="#56b4e9"))])
    assert "\x1b]8;" in pen.finish() and "here" in pen.finish()


# ----- a real screen


class Painted(CellWidget):
    """Shows the lines it is given."""

    lines: tuple[Strip, ...] = ()

    def draw(self, width: int, height: int) -> list[Strip]:
        return [line.adjust_cell_length(width, STYLES[1]) for line in self.lines[:height]]


class Recording(TightCompositor):
    """Feeds everything that it hands out to a terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal
        self.partial_bytes = 0

    def render_partial_update(self) -> Any:
        update = super().render_partial_update()
        if update is not None:
            text = update.render_segments(CONSOLE)
            self.partial_bytes += len(text)
            self.terminal.feed(text)
        return update

    def render_full_update(self, simplify: bool = False) -> Any:
        update = super().render_full_update(simplify)
        self.terminal.feed(update.render_segments(CONSOLE))
        return update


class PaintedScreen(Screen[None]):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._compositor = Recording(terminal)

    def compose(self) -> ComposeResult:
        yield Painted(id="left")
        yield Painted(id="right")
        yield Painted(id="over")


class PaintedApp(App[None]):
    CSS = """
    Screen { layout: horizontal; layers: below above; }
    #left { width: 17; }
    #right { width: 1fr; border: solid white; padding: 0 1; }
    #over { layer: above; width: 9; height: 3; offset: 11 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.terminal = Terminal(40, 10)

    def on_mount(self) -> None:
        self.push_screen(PaintedScreen(self.terminal))


def drawings(seed: int) -> Iterator[tuple[Strip, ...]]:
    """Drawing after drawing, each much like the one before."""
    draw = random.Random(seed)
    lines = [line_of([("".join(draw.choices(STANDING, k=9)), draw.choice(STYLES))] * 3) for _ in range(10)]
    while True:
        yield tuple(lines)
        for _ in range(draw.randrange(1, 4)):
            text = "".join(draw.choices(STANDING, k=draw.randrange(12)))
            lines[draw.randrange(10)] = line_of([(text, draw.choice(STYLES)), ("世" * draw.randrange(9), STYLES[0])])


async def test_a_screen_that_changes_in_parts_looks_as_if_drawn_at_once() -> None:
    app = PaintedApp()
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: app.screen.query(Painted), "the widgets are there")
        compositor = app.screen._compositor
        assert isinstance(compositor, Recording)
        sources = {widget: drawings(seed) for seed, widget in enumerate(app.screen.query(Painted))}
        draw = random.Random(5)
        for _ in range(60):
            widget = draw.choice(list(sources))
            widget.lines = next(sources[widget])
            widget.repaint()
            await pilot.pause()
            whole = Terminal(40, 10)
            whole.feed(TightCompositor.render_full_update(compositor).render_segments(CONSOLE))
            assert app.terminal.cells == whole.cells
        assert 0 < compositor.partial_bytes < 60 * 2000, "parts were sent, not screens"
