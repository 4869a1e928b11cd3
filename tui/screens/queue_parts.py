"""Small parts of the queue screen: the line that shouts while it is paused, and the details under the table."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from tui.text import fit
from tui.widgets.cells import CellWidget, line
from tui.widgets.lines import Lines


class PauseLine(CellWidget):
    """A loud line over the table while the queue is paused; takes no room otherwise."""

    DEFAULT_CSS = """
    PauseLine { height: 1; width: 1fr; display: none; }
    PauseLine.paused { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def show_text(self, text: str) -> None:
        """Set the line (untrusted text); "" takes it away."""
        self._text = text
        self.set_class(bool(text), "paused")
        self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        loud = self.palette.warn + Style(bold=True, reverse=True)
        return [line((fit(f" ‖ {self._text}", width), loud))][:height]


class Details(Lines):
    """Text that is turned page by page with one key while the cursor stays in the table."""

    def turn_page(self) -> None:
        """The next page; after the last, the first again."""
        before = self._top
        self.action_page(1)
        if self._top == before:
            self.action_jump(0)
