"""Text to scroll through: logs, events, recipes, help. Long lines are wrapped; the newest line can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from engine.api import one_line
from tui.text import fit, width_of, wrap
from tui.widgets.cells import CellWidget, line, scroll_marks

Piece = tuple[str, str]
"""Text (may be untrusted) and its tone: the name of a style of the palette."""
Paragraph = Sequence[Piece]
"""One line. The last piece is wrapped under its own beginning where it does not fit."""


class Sided(list[Piece]):
    """A paragraph whose last piece stands at the right edge of the window, and is left out where there is no room."""


class Lines(CellWidget, can_focus=True):
    """Paragraphs in a window; `follow` keeps the end in sight as long as nobody scrolls up."""

    DEFAULT_CSS = "Lines { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "Up", show=False, id="lines.up"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="lines.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="lines.page_up"),
        Binding("pagedown,space", "page(1)", "Page down", show=False, id="lines.page_down"),
        Binding("home,g", "jump(0)", "Beginning", show=False, id="lines.first"),
        Binding("end,G", "jump(-1)", "End", show=False, id="lines.last"),
    ]

    def __init__(self, *, follow: bool = False, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.follow = follow
        self.empty = empty
        self._paragraphs: list[Paragraph] = []
        self._wrapped: list[list[Piece]] = []
        self._lengths: list[int] = []
        """Lines that each paragraph takes, of those that are wrapped."""
        self._wrapped_for = -1
        self._tail: Paragraph = ()
        self._tail_lines: list[list[Piece]] = []
        self._top = 0
        self._at_end = follow

    def show_paragraphs(self, paragraphs: Sequence[Paragraph]) -> None:
        """Replace the text; the place in it is kept."""
        paragraphs = list(paragraphs)
        if paragraphs == self._paragraphs and not self._tail:
            return
        self._paragraphs, self._tail = paragraphs, ()
        self._wrapped_for = -1
        if self.styles.height is not None and self.styles.height.is_auto:
            self.refresh(layout=True)
        self.repaint()

    def add_paragraphs(self, paragraphs: Sequence[Paragraph], tail: Paragraph = (), keep: int = 3_000) -> None:
        """Add to the end; of more than `keep` paragraphs the oldest are dropped.

        `tail` stands below them until the next call: a line that is still being written.
        """
        self._paragraphs += paragraphs
        self._tail = tail
        surplus = len(self._paragraphs) - keep
        if surplus > 0:
            gone = sum(self._lengths[:surplus])
            del self._paragraphs[:surplus], self._lengths[:surplus], self._wrapped[:gone]
            self._top = max(0, self._top - gone)  # who reads further up goes on reading the same
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Rows that the text takes, where the height of the window follows it."""
        self._wrap(max(1, width - 1))
        return self._count()

    # ----- scrolling

    def action_scroll(self, by: int) -> None:
        """Move by lines."""
        self._go(self._top + by)

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self._go(self._top + by * max(1, self.content_size.height - 1))

    def action_jump(self, to: int) -> None:
        """To the beginning (0) or the end (-1)."""
        self._go(self._count() if to < 0 else 0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down."""
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up."""
        event.stop()
        self.action_scroll(-3)

    def _go(self, top: int) -> None:
        last = max(0, self._count() - self.content_size.height)
        self._top = max(0, min(top, last))
        self._at_end = self.follow and self._top == last
        self.repaint()

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines in the window, with a mark of the place at the right."""
        room = max(1, width - 1)
        self._wrap(room)
        if not self._count():
            return [line((fit(self.empty, width), self.palette.dim))][:height]
        last = max(0, self._count() - height)
        self._top = last if self._at_end else min(self._top, last)
        strips = []
        marks = scroll_marks(self._top, height, self._count())
        window = self._wrapped[self._top : self._top + height]
        tail = self._tail_lines[max(0, self._top - len(self._wrapped)) :]
        for offset, pieces in enumerate([*window, *tail][:height]):
            text = line(*((piece, self.palette.named(tone)) for piece, tone in pieces))
            text = text.adjust_cell_length(room, self.palette.text)
            strips.append(Strip.join([text, line((marks[offset], self.palette.track))]))
        return strips

    def _count(self) -> int:
        return len(self._wrapped) + len(self._tail_lines)

    def _wrap(self, width: int) -> None:
        """Wrap what is new; everything where the width or the text is another."""
        if self._wrapped_for != width:
            self._wrapped, self._lengths, self._wrapped_for = [], [], width
        for paragraph in self._paragraphs[len(self._lengths) :]:
            lines = _wrapped(paragraph, width)
            self._wrapped += lines
            self._lengths.append(len(lines))
        self._tail_lines = _wrapped(self._tail, width) if self._tail else []


def _wrapped(paragraph: Paragraph, width: int) -> list[list[Piece]]:
    if not paragraph:
        return [[]]
    if isinstance(paragraph, Sided):
        return _sided(paragraph, width)
    heads = [(one_line(head), head_tone) for head, head_tone in paragraph[:-1]]
    text, tone = paragraph[-1]
    indent = sum(width_of(head) for head, _ in heads)
    if indent > width // 2 and indent + width_of(text) > width:  # no room beside the heads: the text goes below them
        below = [[("  ", tone), (each, tone)] for each in wrap(text, max(1, width - 2))]
        return [heads, *below]
    lines = wrap(text, width - indent)
    first: list[Piece] = [*heads, (lines[0], tone)]
    return [first, *([(" " * indent, tone), (rest, tone)] for rest in lines[1:])]


def _sided(paragraph: Sided, width: int) -> list[list[Piece]]:
    side, tone = one_line(paragraph[-1][0]), paragraph[-1][1]
    room = width - width_of(side) - 1
    if room < width // 2:
        return _wrapped(list(paragraph[:-1]), width)
    lines = _wrapped(list(paragraph[:-1]), room)
    used = sum(width_of(text) for text, _ in lines[0])
    lines[0] += [(" " * (width - used - width_of(side)), tone), (side, tone)]
    return lines
