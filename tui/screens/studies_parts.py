"""The last lines of the screens of studies: what goes on, and what the characters mean."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from tui.text import fit
from tui.widgets.cells import CellWidget, line

Piece = tuple[str, str]


class WorkLine(CellWidget):
    """Pieces of text that stand still until there is work to tell of."""

    DEFAULT_CSS = "WorkLine { height: 1; width: 1fr; }"

    def __init__(self, pieces: Sequence[Piece], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._pieces = tuple(pieces)
        self.work = ""

    def show_work(self, words: str) -> None:
        """Tell of work (may be untrusted text); "" brings the pieces back."""
        self.work = words
        self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        if self.work:
            return [line((fit(f" ▷ {self.work}", width), self.palette.accent))][:height]
        strip = line(*((f" {text} ", self.palette.named(tone)) for text, tone in self._pieces))
        return [strip.adjust_cell_length(width, self.palette.text)][:height]
