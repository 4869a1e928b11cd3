"""The base of every widget that draws its own lines: it repaints the cells that changed, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import is_not, ne, or_

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from engine.api import one_line
from tui.text import single_cells
from tui.themes import Palette, palette_of

GAP_CELLS = 6
"""Unchanged cells between two changes are sent again up to this many: moving the cursor costs more than they do."""

MOST_STYLES = 8192
_STYLES: dict[Style, Style] = {}
_CHANGES = re.compile(rb"\x01+(?:\x00{1,%d}\x01+)*" % GAP_CELLS)
"""Cells that differ, those with a small gap between them joined."""
Cells = tuple[list[str], list[Style | None]]
"""The characters and the styles of a line, cell by cell; equal styles are one object."""
_PLAIN = Style.null()
_SECOND = "\0"
"""Marks the second cell of a wide character."""


class CellWidget(Widget):
    """A widget that draws itself as a list of lines.

    A subclass overrides `draw`, and calls `repaint` when what it shows has changed; what is drawn while nobody sees it
    costs nothing. Every segment carries a style, because Textual's filters for NO_COLOR fail on one without.
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self._strips: list[Strip] = []
        self._cells: dict[int, Cells] = {}
        """Of the lines that have changed lately: the next change need not take them apart again."""
        self._seen = False
        self._ground = _PLAIN
        self._look: object = None
        """Theme, grounds and focus of the last drawing that a change of style asked for."""

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines to show, each `width` cells wide, at most `height` of them; a plain CellWidget is blank."""
        return [Strip.blank(width, _PLAIN)] * height

    @property
    def palette(self) -> Palette:
        """Colours of the current theme."""
        return palette_of(self.app)

    def repaint(self, *, whole: bool = False) -> None:
        """Draw again and send what differs; `whole` sends everything, as after a change of the theme."""
        width, height = self.content_size
        if not self._seen or not width or not height:
            return
        before, self._strips = self._strips, self.draw(width, height)
        if whole:
            base, own = self.background_colors
            self._ground = Style(bgcolor=(base + own).rich_color)
        if whole or len(before) != len(self._strips):
            self._cells.clear()
            self.refresh()
            return
        regions = changed_regions(before, self._strips, self._cells)
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One line, for Textual's compositor."""
        width = self.content_size.width
        if y < len(self._strips):
            # Textual leaves the ground of content to the widget.
            return self._strips[y].adjust_cell_length(width, _PLAIN).apply_style(self._ground)
        return Strip.blank(width, self._ground)

    def notify_style_update(self) -> None:
        """The theme or the style sheet has changed: every colour may be another one.

        Textual says so to every widget whenever a screen is opened for the first time; mostly nothing has changed.
        """
        super().notify_style_update()
        look = (self.app.theme, self.background_colors, self.has_focus)
        if look != self._look:
            self._look = look
            self.repaint(whole=True)

    def on_show(self) -> None:
        """Draw what was not drawn while the widget was hidden."""
        self._seen = True
        self.repaint(whole=True)

    def on_hide(self) -> None:
        """Draw nothing until the widget is shown again."""
        self._seen = False

    def on_resize(self, _event: events.Resize) -> None:
        """Another size is another drawing."""
        self._seen = True
        self.repaint(whole=True)


def scroll_marks(top: int, height: int, count: int) -> str:
    """One character a row: where a window of `height` rows that begins with row `top` stands among `count` rows."""
    if count <= height or height < 1:
        return " " * max(height, 0)
    length = max(1, height * height // count)
    first = round(top / (count - height) * (height - length))
    return " " * first + "┃" * length + " " * (height - first - length)


def changed_regions(
    before: Sequence[Strip], after: Sequence[Strip], known: dict[int, Cells] | None = None
) -> list[Region]:
    """Regions, in widget coordinates, of the cells in which two drawings of equal height differ.

    Args:
        before: the lines that are on the screen.
        after: those that shall be.
        known: cells of lines of `before`, by their place; it gets those of `after` instead.
    """
    regions = []
    known = {} if known is None else known
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        if old is new or old == new:
            continue
        cells = cells_of(new)
        spans = changed_spans(known.get(y) or cells_of(old), cells)
        known[y] = cells
        regions += [Region(left, y, right - left, 1) for left, right in spans]
    return regions


def changed_spans(before: Cells, after: Cells) -> list[tuple[int, int]]:
    """Half-open column ranges in which two lines differ, those with a small gap between them joined."""
    length = max(len(before[0]), len(after[0]))
    marks = bytes(map(or_, map(ne, *_as_long(before[0], after[0])), map(is_not, *_as_long(before[1], after[1]))))
    return [found.span() for found in _CHANGES.finditer(marks, 0, length)]


def _as_long(one: Sequence[object], other: Sequence[object]) -> tuple[Iterable[object], Iterable[object]]:
    """Both with as many items as the longer one has."""
    missing = len(other) - len(one)
    if not missing:
        return one, other
    return chain(one, repeat(None, max(0, missing))), chain(other, repeat(None, max(0, -missing)))


def cells_of(strip: Strip) -> Cells:
    """The cells of a line.

    The second cell of a wide character holds it too, and a mark: a change in a wide character so marks both of its
    cells, and no second cell is taken for a first. Characters of no width belong to the one before them.
    """
    characters: list[str] = []
    styles: list[Style | None] = []
    for text, style, _ in strip:
        if single_cells(text):
            characters += text
        else:
            for character in text:
                width = get_character_cell_size(character)
                if width == 0 and characters:
                    _join(characters, character)
                elif width:
                    characters += [character, character + _SECOND][:width]
        styles += [_one_of(style)] * (len(characters) - len(styles))
    return characters, styles


def _join(characters: list[str], character: str) -> None:
    """Add a character of no width to the last one."""
    wide = characters[-1].endswith(_SECOND)
    joined = characters[-2 if wide else -1] + character
    characters[-2 if wide else -1 :] = [joined, joined + _SECOND] if wide else [joined]


def _one_of(style: Style | None) -> Style | None:
    """The one object that stands for all styles equal to this one: the cells of a line are compared by identity."""
    if style is None:
        return None
    if len(_STYLES) > MOST_STYLES:  # grey levels of images; cells kept from before then count as changed once
        _STYLES.clear()
    return _STYLES.setdefault(style, style)


def line(*parts: tuple[str, Style]) -> Strip:
    """A line of (text, style) pieces; empty ones are left out, and no control character gets through."""
    return Strip([Segment(text if text.isprintable() else one_line(text), style) for text, style in parts if text])
