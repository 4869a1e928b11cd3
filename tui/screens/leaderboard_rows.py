"""The rows of the leaderboard, as cells: made when they are painted, and never for a row that is out of sight."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.style import Style

from engine import api
from tui.screens.leaderboard_columns import BEST, SIGNS, VERSUS, Room, figure_text, interval_text
from tui.screens.leaderboard_standings import standing_text
from tui.text import cut
from tui.themes import Palette
from tui.widgets.table import Cell, Column

Row = tuple[Any, ...]
"""Evaluation, run (None for a reference), reference (None for a run), then the values; see `api.Board`."""
REFERENCE, PINNED, MARKED = "◇", "◆", "●"
_ITALIC = Style(italic=True)


GRAVE = {
    api.Mark.COLLAPSED: "collapsed",
    api.Mark.BLIND: "blind",
    api.Mark.ERRORS: "errors",
    api.Mark.LEAK: "leak",
    api.Mark.BELOW_MAJORITY: "≤ majority",
    api.Mark.INSENSITIVE: "measure",
    api.Mark.UNPARSEABLE: "unparsed",
    api.Mark.CUT_OFF: "cut off",
}
"""Marks that stand beside a name, the gravest first; the details of a row have all of them in words."""


def marks_of(board: api.Board | None, row: Row) -> list[str]:
    """Kinds of the marks of a row; nothing where the board has no such column."""
    if board is None or "marks" not in board.fields:
        return []
    return str(row[board.place("marks")] or "").split(", ")


class _Source(NamedTuple):
    """Where a column of the table has its values."""

    column: api.BoardColumn
    place: int
    interval: bool


class BoardModel:
    """The rows of one board; references and pinned rows are frozen."""

    def __init__(self, palette: Callable[[], Palette]) -> None:
        self._palette = palette
        self.board: api.Board | None = None
        self.rows: list[Row] = []
        self.frozen: list[Row] = []
        self.marked: list[int] = []
        """Runs whose curves are to be seen together, in the order of marking."""
        self.baseline: int | None = None
        """Evaluation of the run that was pinned first in this group: the others are held against it."""
        self.standings: Mapping[int, api.RowStanding] = {}
        """How rows stand to it, by evaluation; those in sight come one after the other."""
        self.room = Room.NARROW
        self._pinned: frozenset[int] = frozenset()
        self._sources: dict[str, _Source] = {}

    def set_board(self, board: api.Board, pins: Sequence[int]) -> None:
        """Show another board, or the same in another order."""
        self.board, self.rows, self._pinned = board, board.rows, frozenset(pins)
        self.frozen = [*board.references, *board.pinned]
        baseline = board.pinned[0][0] if board.pinned else None
        if baseline != self.baseline:
            self.baseline, self.standings = baseline, {}
        self._sources = {}
        for column in board.columns:
            place = board.place(column.name)
            self._sources[column.name] = _Source(column, place, False)
            if column.unit is api.Unit.SCORE:
                self._sources[column.fields[1]] = _Source(column, place, True)

    # ----- what a table asks

    def row_count(self) -> int:
        """Tuned runs that the filter leaves."""
        return len(self.rows)

    def row_key(self, row: int) -> Hashable:
        """Id of the run."""
        run: int = self.rows[row][1]
        return run

    def frozen_key(self, place: int) -> Hashable:
        """What identifies a frozen row; a pinned run may stand below as well, so its id alone is not enough."""
        return ("frozen", self.frozen[place][0])

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One run."""
        return self._cells(self.rows[row], columns, widths)

    def frozen_count(self) -> int:
        """References and pinned runs."""
        return len(self.frozen)

    def frozen_rows(self, columns: Sequence[Column], widths: Sequence[int]) -> list[list[Cell]]:
        """References, then pinned runs."""
        return [self._cells(row, columns, widths) for row in self.frozen]

    # ----- cells

    def _cells(self, row: Row, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        palette = self._palette()
        cells = [self._cell(row, column, width, palette) for column, width in zip(columns, widths, strict=True)]
        if row[2] is None:
            return cells
        style = palette.dim + _ITALIC
        return [(text, style) for text, _ in cells]

    def _cell(self, row: Row, column: Column, width: int, palette: Palette) -> Cell:
        if column.key == SIGNS:
            return self._signs(row), palette.accent
        if column.key == VERSUS:
            words, tone = standing_text(self, row)
            return words, palette.named(tone)
        source = self._sources.get(column.key)
        if source is None:
            return "", palette.text
        if column.key == "name":
            return self._name(str(row[source.place] or f"run {row[1]}"), row, width, palette)
        if source.interval:
            values = row[source.place : source.place + 4]
            bar = self.room is Room.WIDE
            return interval_text(source.column, values, self.room, width), palette.accent if bar else palette.dim
        return self._figure(row, source, palette)

    def _name(self, name: str, row: Row, width: int, palette: Palette) -> Cell:
        """The name, with the gravest mark behind it: nobody reads a figure before having seen that."""
        marks = [] if row[2] is not None else marks_of(self.board, row)
        short = next((words for kind, words in GRAVE.items() if kind in marks), None)
        if short is None:
            return name, palette.text
        return f"{cut(api.one_line(name), max(4, width - len(short) - 2))} !{short}", palette.bad

    def _figure(self, row: Row, source: _Source, palette: Palette) -> Cell:
        value = row[source.place]
        text = figure_text(value, source.column.unit)
        best = None if self.board is None else self.board.best.get(source.column.name)
        if best is None:
            return text, palette.text
        if row[2] is None and value == best:
            return text + BEST, palette.bold
        return f"{text} ", palette.text

    def _signs(self, row: Row) -> str:
        first = REFERENCE if row[2] is not None else PINNED if row[1] in self._pinned else " "
        return first + (MARKED if row[1] in self.marked else " ")
