"""A line or two over the screen while the records cannot be read: what happened, why, what to do."""

from __future__ import annotations

from textual.strip import Strip

from engine.api import SonotuneError
from tui.text import fit, wrap
from tui.widgets.cells import CellWidget, line


class Banner(CellWidget):
    """Takes no room while all is well, and at most half of the screen; where that is little, the reason gives way."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 50vh; width: 1fr; display: none; background: $panel; }
    Banner.trouble { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._error: SonotuneError | None = None

    def show_error(self, error: SonotuneError | None) -> None:
        """Show an error; None takes the banner away."""
        self._error = error
        self.set_class(error is not None, "trouble")
        self.refresh(layout=True)
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Rows that the text takes."""
        return len(self._lines(width))

    def draw(self, width: int, height: int) -> list[Strip]:
        """Title, reason, next step."""
        palette = self.palette
        lines = self._lines(width)
        if len(lines) > height:
            lines = [each for each in lines if each[1] != "text"]
        return [line((fit(text, width), palette.named(tone))) for text, tone in lines][:height]

    def _lines(self, width: int) -> list[tuple[str, str]]:
        if self._error is None:
            return []
        parts = ((self._error.title, "bad"), (self._error.reason, "text"), (self._error.next_step, "accent"))
        return [(f" {text}", tone) for part, tone in parts if part for text in wrap(part, max(1, width - 2))]
