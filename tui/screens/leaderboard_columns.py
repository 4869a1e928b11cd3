"""Columns of the leaderboard on the screen: a score is its figure, and where there is room its interval beside it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from engine import api
from tui import clock
from tui.text import width_of
from tui.widgets.intervals import interval_bar
from tui.widgets.table import Column

BEST = "★"
MIDDLE_CELLS, WIDE_CELLS = 112, 160
"""Widths from which intervals stand in the table as text, and as bars."""
BAR_CELLS = 11
MOST_HEAD_CELLS = 18
SIGNS = "signs"
"""Key of the first column: reference, pin, mark."""
VERSUS = "versus"
"""Key of the column that says how a row stands to the pinned one."""

_WIDTHS: Mapping[api.Unit, int] = {
    api.Unit.TEXT: 14,
    api.Unit.TAGS: 12,
    api.Unit.NUMBER: 7,
    api.Unit.DURATION: 8,
    api.Unit.BYTES: 9,
    api.Unit.RATE: 8,
    api.Unit.TIME: 12,
}
_OTHER_WIDTHS = {"n": 5, "trained_parameters": 11}
_CHANCE = {"balanced_accuracy": 0.5, "text_balanced_accuracy": 0.5, "auroc": 0.5, "mcc": 0.0}
"""What guessing gives, where that is one figure whatever is guessed."""
_FROM_MINUS_ONE = ("mcc",)


class Room(StrEnum):
    """How much of a score there is room for."""

    NARROW = "figure"
    MIDDLE = "figure and the ends of the interval"
    WIDE = "figure and a bar"


def room_for(cells: int) -> Room:
    """How scores are shown in a table that is so many cells wide."""
    if cells < MIDDLE_CELLS:
        return Room.NARROW
    return Room.MIDDLE if cells < WIDE_CELLS else Room.WIDE


def table_columns(board: api.Board, cells: int, *, versus: bool = False) -> tuple[Column, ...]:
    """Columns for a table of that width: signs and name first, which stay in sight; `versus` where a run is pinned."""
    room = room_for(cells)
    columns = [Column(SIGNS, "", 2), Column("name", "run", 22 if room is Room.NARROW else 18, flex=3)]
    if versus:
        columns.append(Column(VERSUS, "vs pin", 6))
    for column in board.columns:
        if column.name == "name":
            continue
        columns.append(_figure_column(board, column))
        if column.unit is api.Unit.SCORE and room is not Room.NARROW:
            columns.append(_interval_column(column, room))
    return tuple(columns)


def _figure_column(board: api.Board, column: api.BoardColumn) -> Column:
    title = api.one_line(column.short)
    if column.unit in (api.Unit.TEXT, api.Unit.TAGS):
        return Column(column.name, title, _WIDTHS[column.unit], flex=1)
    # Where a best value is marked, every figure leaves a cell for the mark, so that the digits stay below each other.
    signed = column.name in board.best
    least = _OTHER_WIDTHS.get(column.name, _WIDTHS.get(column.unit, 5)) + signed
    head = min(width_of(title), MOST_HEAD_CELLS) + 1  # and one for the mark of the sorting
    return Column(column.name, title, max(least, head), align="right")


def _interval_column(column: api.BoardColumn, room: Room) -> Column:
    low = column.fields[1]
    wide = column.score in _FROM_MINUS_ONE
    if room is Room.MIDDLE or not has_scale(column):
        return Column(low, "95 %", 9)
    return Column(low, "-1 to 1" if wide else "0 to 1", BAR_CELLS, flex=2)


def has_scale(column: api.BoardColumn) -> bool:
    """Whether the range of a score is known, so that its intervals can be drawn on one scale for all rows."""
    return column.score in _known_scores()


@cache
def _known_scores() -> frozenset[str]:
    return frozenset(column.name for column in api.board_columns())


def interval_text(column: api.BoardColumn, values: tuple[Any, ...], room: Room, cells: int) -> str:
    """The interval of a score in so many cells; `values` are value, low, high and n.

    Text has the ends, without the zero before the point: `.74–.87`. A bar goes from 0 to 1 (MCC: from -1), and has the
    value that guessing gives as `¦`.
    """
    value, low, high, _ = values
    if room is Room.WIDE and has_scale(column):
        start = -1.0 if column.score in _FROM_MINUS_ONE else 0.0
        return interval_bar(value, low, high, cells, start, 1.0, _CHANCE.get(column.score))
    return "" if low is None or high is None else f"{api.figure(low)}–{api.figure(high)}".replace("0.", ".")


def figure_text(value: Any, unit: api.Unit) -> str:
    """A value in few cells; a dash where there is none. Untrusted text stays what it is: the table makes it safe."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str) or unit in (api.Unit.TEXT, api.Unit.TAGS):
        return str(value)
    if unit is api.Unit.SCORE:
        return api.figure(value)
    if unit is api.Unit.TIME:
        return clock.stamp(value)
    if unit is api.Unit.BYTES:
        return api.size(value)
    if unit is api.Unit.DURATION:
        return api.short_duration(value) if value >= 60 else f"{api.number(value)} s"
    return str(value) if isinstance(value, int) else api.number(value)
