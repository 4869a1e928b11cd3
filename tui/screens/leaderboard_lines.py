"""Lines around the leaderboard's table: pieces of text, as many on a line as fit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from tui.screens.leaderboard_text import NOTES, Piece
from tui.text import ELLIPSIS, cut, fit, width_of
from tui.widgets.cells import CellWidget, line

BETWEEN = " · "


class Pieces(CellWidget):
    """Pieces of text with dots between them; with `height: auto` it is as high as they need."""

    DEFAULT_CSS = "Pieces { height: auto; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._groups: tuple[tuple[Piece, ...], ...] = ()

    def show_groups(self, groups: Sequence[Sequence[Piece]]) -> None:
        """Set the pieces; each group begins on a line of its own where there is room for that."""
        width = self.content_size.width
        before = self.get_content_height(None, None, width)
        self._groups = tuple(tuple(group) for group in groups)
        height = self.styles.height
        if height is not None and height.is_auto and self.get_content_height(None, None, width) != before:
            self.refresh(layout=True)
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Lines that the pieces take."""
        return max(1, len(self._lines(width, 99)))

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines; where they are too few, the last one ends with an ellipsis."""
        lines = self._lines(width, height)
        strips = [self._strip(pieces, width) for pieces in lines[:height]]
        if len(lines) > height and strips:
            pieces = [*lines[height - 1], (BETWEEN + ELLIPSIS, "dim")]
            strips[-1] = self._strip(pieces, width)
        return strips + [Strip.blank(width, self.palette.text)] * (height - len(strips))

    def _lines(self, width: int, height: int) -> list[list[Piece]]:
        room = max(1, width - 2)
        apart = [packed for group in self._groups for packed in pack(group, room)]
        if len(apart) <= height:
            return apart
        return pack([piece for group in self._groups for piece in group], room)

    def _strip(self, pieces: Sequence[Piece], width: int) -> Strip:
        parts = [(text, self.palette.named(tone)) for text, tone in pieces]
        return line((" ", self.palette.text), *parts).adjust_cell_length(width, self.palette.text)


class Note(CellWidget):
    """The last line: how the intervals were made, and what the figures are not for; the longest that fits."""

    DEFAULT_CSS = "Note { height: 1; width: 1fr; }"

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        text = next((note for note in NOTES if len(note) + 1 <= width), NOTES[-1])
        return [line((fit(f" {text}", width), self.palette.dim))][:height]


def pack(pieces: Sequence[Piece], width: int) -> list[list[Piece]]:
    """Pieces made safe and laid on lines of at most `width` cells; one that is too long for a line is cut."""
    lines: list[list[Piece]] = []
    used = 0
    for text, tone in pieces:
        safe = cut(text, width)
        if lines and used + len(BETWEEN) + width_of(safe) <= width:
            lines[-1] += [(BETWEEN, "track"), (safe, tone)]
            used += len(BETWEEN) + width_of(safe)
        else:
            lines.append([(safe, tone)])
            used = width_of(safe)
    return lines
