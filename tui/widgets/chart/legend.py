"""The line over the plot: title, series with their values, and how the chart is set. Never longer than the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual.strip import Strip

from tui.themes import Palette
from tui.widgets.cells import line

_ROOMY = (60, 32, 24, 18, 14)
"""Cells for labels, tried from left to right before a flag is left out."""
_TIGHT = (11, 8, 5)
"""Cells for labels, once no flag is left. A value without a label says little: entries are left out before labels."""
_BETWEEN = "  "
Piece = tuple[str, Style]


@dataclass(frozen=True, slots=True)
class Entry:
    """One series in the legend."""

    marker: str
    style: Style
    label: str
    figures: str
    """Values; padded by the caller, so that what follows does not move with every new value."""
    note: str = ""
    """What is wrong with the data, if anything."""


@dataclass(frozen=True, slots=True)
class Legend:
    """All that the line may hold; `flags` come most important first."""

    title: str
    unit: str = ""
    step: str = ""
    """The step at the cursor."""
    entries: Sequence[Entry] = field(default=())
    flags: Sequence[str] = field(default=())
    focused: bool = False

    def draw(self, width: int, palette: Palette) -> Strip:
        """The line, `width` cells wide."""
        head = self._head(width, palette)
        room = width - _cells(head)
        entries, flags = self._fitting(room, palette)
        tail = [(_BETWEEN + flag, palette.accent) for flag in flags]
        gap = " " * max(0, room - _cells(entries) - _cells(tail))
        return line(*head, *entries, (gap, palette.text), *tail).adjust_cell_length(width, palette.text)

    def _head(self, width: int, palette: Palette) -> list[Piece]:
        mark = "▌" if self.focused else " "
        pieces = [(mark, palette.accent), (cut(self.title, max(6, width // 4)), palette.bold)]
        if self.unit and width >= 40:
            pieces.append((f" {cut(self.unit, 12)}", palette.dim))
        if self.step:
            pieces.append((f" {self.step}", palette.accent))
        return pieces

    def _fitting(self, room: int, palette: Palette) -> tuple[list[Piece], Sequence[str]]:
        """Entries and flags that fit: labels are cut first, then flags left out, then the first entries."""
        for kept in range(len(self.flags), -1, -1):
            flags = self.flags[:kept]
            taken = sum(cell_len(_BETWEEN + flag) for flag in flags)
            for cells in _ROOMY:
                pieces = _pieces(self.entries, cells, palette)
                if _cells(pieces) + taken <= room:
                    return pieces, flags
        for dropped in range(len(self.entries)):
            more = [(f"{_BETWEEN}+{dropped}", palette.dim)] if dropped else []
            for cells in _TIGHT:
                pieces = more + _pieces(self.entries[dropped:], cells, palette)
                if _cells(pieces) <= room:
                    return pieces, ()
        pieces = _pieces(self.entries[-1:], 0, palette)
        return (pieces if _cells(pieces) <= room else []), ()


def _pieces(entries: Sequence[Entry], label_cells: int, palette: Palette) -> list[Piece]:
    pieces: list[Piece] = []
    for entry in entries:
        pieces.append((f"{_BETWEEN}{entry.marker}", entry.style))
        if label_cells:
            pieces.append((f" {cut(entry.label, label_cells)}", palette.text))
        pieces.append((f" {entry.figures}", palette.bold))
        if entry.note:
            pieces.append((f" {entry.note}", palette.warn))
    return pieces


def _cells(pieces: Sequence[Piece]) -> int:
    return sum(cell_len(text) for text, _ in pieces)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; what is cut off becomes an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else "…"[:width]
