"""The cells of a study as rows: arm and seed, how far it is, its run, what is measured, its figure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine import api
from tui.screens.compare_text import CHANCE, FROM_MINUS_ONE
from tui.screens.studies_model import SIGNS, TONES, StudyRow
from tui.text import bar
from tui.themes import Palette
from tui.widgets.intervals import interval_bar
from tui.widgets.table import Cell, Column

NARROW = (
    Column("arm", "arm", 14, flex=2),
    Column("seed", "seed", 5, align="right"),
    Column("state", "state", 13),
    Column("run", "run", 5, align="right"),
    Column("measured", "measured", 8, align="right"),
    Column("figure", "figure", 6, align="right"),
    Column("interval", "interval of the arm", 12, flex=1),
    Column("marks", "marks", 10),
)
WIDE = (
    Column("arm", "arm", 18, flex=2),
    Column("seed", "seed", 5, align="right"),
    Column("state", "state", 14),
    Column("run", "run", 5, align="right"),
    Column("measured", "measured", 8, align="right"),
    Column("figure", "figure", 6, align="right"),
    Column("interval", "interval of the arm", 20, flex=2),
    Column("marks", "marks", 14, flex=2),
)
WIDE_FROM = 100
BAR_CELLS = 6


def cell_columns(width: int) -> tuple[Column, ...]:
    """The columns for a table of so many cells."""
    return WIDE if width >= WIDE_FROM else NARROW


class CellsModel:
    """The rows of the table."""

    def __init__(self, palette: Callable[[], Palette]) -> None:
        self._palette = palette
        self.rows: tuple[api.StudyCell, ...] = ()
        self._figures: dict[str, api.ArmFigure] = {}

    def show(self, row: StudyRow, result: api.StudyResult | None) -> None:
        """Take other cells, and the figures that are known of their arms: of several questions the first."""
        self.rows = row.cells
        self._figures = {}
        for figure in () if result is None else result.figures:
            if not figure.reference:
                self._figures.setdefault(figure.arm, figure)

    def row_at(self, row: int) -> api.StudyCell | None:
        """One cell; None where there is none."""
        return self.rows[row] if 0 <= row < len(self.rows) else None

    def row_count(self) -> int:
        """Cells."""
        return len(self.rows)

    def row_key(self, row: int) -> Hashable:
        """Arm and seed."""
        return self.rows[row].arm, self.rows[row].seed

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One cell."""
        found = self.rows[row]
        return [self._cell(found, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, cell: api.StudyCell, key: str, width: int) -> Cell:
        palette, figure = self._palette(), self._figures.get(cell.arm)
        if key == "arm":
            return cell.arm, palette.bold
        if key == "state":
            return _state(cell), palette.named(TONES[cell.stage])
        if key == "figure":
            value = _value(cell, figure)
            return "" if value is None else api.figure(value), palette.bold
        if key == "interval":
            return _interval(cell, figure, width), palette.accent
        if key == "marks":
            return ("" if figure is None else ", ".join(figure.marks)), palette.warn
        return _fact(cell, key), palette.text


def _state(cell: api.StudyCell) -> str:
    if cell.progress is not None:
        return f"{bar(cell.progress, BAR_CELLS)} {cell.progress:.0%}"
    return f"{SIGNS[cell.stage]} {cell.stage}"


def _fact(cell: api.StudyCell, key: str) -> str:
    if key == "seed":
        return "–" if cell.untuned else str(cell.seed)
    if key == "run":
        return "base" if cell.untuned else "" if cell.run_id is None else str(cell.run_id)
    return f"{cell.targets_done}/{cell.targets}" if cell.targets else ""


def _value(cell: api.StudyCell, figure: api.ArmFigure | None) -> float | None:
    """The figure of this seed; that of the arm for an untuned one, which has no seeds."""
    if figure is None:
        return None
    if cell.untuned:
        return figure.estimate.value
    return next((each.value for each in figure.seeds if each.seed == cell.seed), None)


def _interval(cell: api.StudyCell, figure: api.ArmFigure | None, width: int) -> str:
    value = _value(cell, figure)
    if figure is None or value is None:
        return ""
    start = -1.0 if figure.figure in FROM_MINUS_ONE else 0.0
    found = figure.estimate
    return interval_bar(value, found.low, found.high, width, start, mark=CHANCE.get(figure.figure))
