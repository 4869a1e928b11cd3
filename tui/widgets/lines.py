"""Text to scroll through: logs, events, recipes, help. Long lines are wrapped; the newest line can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.text import fit, width_of, wrap
from tui.widgets.cells import CellWidget, line

Piece = tuple[str, str]
"""Text (may be untrusted) and its tone: the name of a style of the palette."""
Paragraph = Sequence[Piece]
"""One line. The last piece is wrapped under its own beginning where it does not fit."""


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
        self._wrapped_for = -1
        self._wrapped_count = 0
        self._top = 0
        self._at_end = follow

    def show_paragraphs(self, paragraphs: Sequence[Paragraph]) -> None:
        """Replace the text; the place in it is kept."""
        self._paragraphs = list(paragraphs)
        self._wrapped_for = -1
        self.repaint()

    def add_paragraphs(self, paragraphs: Sequence[Paragraph], keep: int = 5_000) -> None:
        """Add to the end; of more than `keep` paragraphs the oldest are dropped."""
        self._paragraphs += paragraphs
        surplus = len(self._paragraphs) - keep
        if surplus > 0:
            del self._paragraphs[:surplus]
            self._wrapped_for = -1
        self.repaint()

    # ----- scrolling

    def action_scroll(self, by: int) -> None:
        """Move by lines."""
        self._go(self._top + by)

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self._go(self._top + by * max(1, self.content_size.height - 1))

    def action_jump(self, to: int) -> None:
        """To the beginning (0) or the end (-1)."""
        self._go(len(self._wrapped) if to < 0 else 0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down."""
        event.stop()
        self.action_scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up."""
        event.stop()
        self.action_scroll(-3)

    def _go(self, top: int) -> None:
        last = max(0, len(self._wrapped) - self.content_size.height)
        self._top = max(0, min(top, last))
        self._at_end = self.follow and self._top == last
        self.repaint()

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines in the window, with a mark of the place at the right."""
        room = max(1, width - 1)
        self._wrap(room)
        if not self._wrapped:
            return [line((fit(self.empty, width), self.palette.dim))][:height]
        last = max(0, len(self._wrapped) - height)
        self._top = last if self._at_end else min(self._top, last)
        strips = []
        for offset, pieces in enumerate(self._wrapped[self._top : self._top + height]):
            text = line(*((piece, self._style(tone)) for piece, tone in pieces))
            text = text.adjust_cell_length(room, self.palette.text)
            strips.append(Strip.join([text, line((self._mark(offset, height), self.palette.track))]))
        return strips

    def _style(self, tone: str) -> Style:
        style: Style = getattr(self.palette, tone)
        return style

    def _mark(self, offset: int, height: int) -> str:
        count = len(self._wrapped)
        if count <= height:
            return " "
        length = max(1, height * height // count)
        first = round(self._top / (count - height) * (height - length))
        return "┃" if first <= offset < first + length else " "

    def _wrap(self, width: int) -> None:
        """Wrap what is new; everything where the width or the text is another."""
        if self._wrapped_for != width:
            self._wrapped, self._wrapped_count, self._wrapped_for = [], 0, width
        for paragraph in self._paragraphs[self._wrapped_count :]:
            self._wrapped += _wrapped(paragraph, width)
        self._wrapped_count = len(self._paragraphs)


def _wrapped(paragraph: Paragraph, width: int) -> list[list[Piece]]:
    if not paragraph:
        return [[]]
    *heads, (text, tone) = paragraph
    indent = sum(width_of(head) for head, _ in heads)
    if indent > width // 2:  # no room beside the heads: the text goes below them
        below = [[("  ", tone), (each, tone)] for each in wrap(text, max(1, width - 2))]
        return [list(heads), *below]
    lines = wrap(text, width - indent)
    first: list[Piece] = [*heads, (lines[0], tone)]
    return [first, *([(" " * indent, tone), (rest, tone)] for rest in lines[1:])]
