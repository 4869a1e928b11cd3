"""Gauges: one line each, with a name, a bar and the figure in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip

from tui.text import bar, fit
from tui.widgets.cells import CellWidget, line

WARN, BAD = 0.85, 0.95
"""Shares of a capacity from which the bar warns."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one gauge shows."""

    name: str
    text: str
    """The figure with its unit."""
    fraction: float | None = None
    """Filled part of the bar, 0..1; None draws no bar."""
    limited: bool = False
    """A full bar is a danger (memory), not a success (utilisation)."""


class Gauges(CellWidget):
    """A column of gauges; in a wide and low place several stand beside each other."""

    DEFAULT_CSS = "Gauges { height: auto; width: 1fr; }"
    NAME_CELLS, TEXT_CELLS, COLUMN_CELLS = 6, 14, 32

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._readings: tuple[Reading, ...] = ()

    def show_readings(self, readings: Sequence[Reading]) -> None:
        """Set what is shown."""
        rows = len(self._readings)
        self._readings = tuple(readings)
        if len(self._readings) != rows and self.styles.height is not None and self.styles.height.is_auto:
            self.refresh(layout=True)
        self.repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Rows that the gauges take in a width of so many cells."""
        return -(-len(self._readings) // self._columns(width))

    def _columns(self, width: int) -> int:
        """As few as fill the rows evenly."""
        most = max(1, width // self.COLUMN_CELLS)
        rows = -(-len(self._readings) // most)
        return -(-len(self._readings) // rows) if rows else 1

    def draw(self, width: int, height: int) -> list[Strip]:
        """The gauges, filled row by row."""
        columns = self._columns(width)
        each = width // columns
        strips = []
        for first in range(0, len(self._readings), columns):
            row = [self._gauge(reading, each) for reading in self._readings[first : first + columns]]
            strips.append(Strip.join(row).adjust_cell_length(width, self.palette.text))
        return strips[:height]

    def _gauge(self, reading: Reading, width: int) -> Strip:
        palette = self.palette
        room = width - self.NAME_CELLS - self.TEXT_CELLS - 4
        name = (" " + fit(reading.name, self.NAME_CELLS), palette.dim)
        if reading.fraction is None or room < 3:
            return line(name, (fit(reading.text, width - self.NAME_CELLS - 2) + " ", palette.text))
        style = palette.accent
        if reading.limited and reading.fraction >= WARN:
            style = palette.bad if reading.fraction >= BAD else palette.warn
        filled = bar(reading.fraction, room).rstrip()
        return line(
            name,
            (filled, style),
            ("·" * (room - len(filled)), palette.track),
            (" " + fit(reading.text, self.TEXT_CELLS) + "  ", palette.text),
        )
