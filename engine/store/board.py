"""The leaderboard as a table: one group, sorted by any column, filtered, with its reference rows and best values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from engine.errors import UsageError
from engine.filtering.near import near_names
from engine.store.board_columns import Better, BoardColumn
from engine.store.board_groups import BoardGroup, GroupKey, groups, scores_of
from engine.store.board_plan import BoardPlan, BoardQuery
from engine.text import one_line
from engine.types import Reference

Row = tuple[Any, ...]
_REFERENCES = list(Reference)


@dataclass(frozen=True, slots=True)
class Board:
    """One group of the leaderboard.

    A row is a plain tuple: evaluation id, run id (None for a reference), reference (None for a run), then the values
    of the columns; a score has four: value, low, high, n. `fields` names them all.
    """

    groups: list[BoardGroup]
    """All groups, the one measured most recently first."""
    group: BoardGroup | None
    """The one shown; None where nothing has been measured."""
    columns: tuple[BoardColumn, ...]
    available: tuple[BoardColumn, ...]
    """All columns that this group can show, those of its views last."""
    fields: tuple[str, ...]
    rows: list[Row]
    """Tuned runs that the filter lets through, sorted; missing values last, ties by evaluation id."""
    references: list[Row]
    """The majority class first, then the untuned models; whatever the filter says."""
    pinned: list[Row]
    """Rows of the pinned runs in the order of the pins; they may stand among `rows` as well."""
    best: Mapping[str, float]
    """Best value by column, among all tuned runs of the group; only columns with a better direction."""
    total: int
    """Tuned runs of the group before the filter."""
    sort: str
    descending: bool
    filter: str
    """As text; empty where nothing was filtered. Untrusted."""
    limited: bool = False
    """`rows` are only those that come first (see `BoardQuery.limit`), and `best` is empty."""

    def place(self, column: str) -> int:
        """Where the value of a column stands in a row; low, high and n of a score stand behind it."""
        return self.fields.index(column)


def board(connection: sqlite3.Connection, query: BoardQuery) -> Board:
    """Answer a query; the newest succeeded evaluation of every run and reference in the group counts.

    Raises:
        UsageError: there is no such group or column.
        FilterError: the filter can't be understood.
    """
    listed = groups(connection)
    group = _chosen(listed, query.group)
    if group is None:
        return _arranged(query, BoardPlan(query, ()), listed, None, [])
    scores = scores_of(connection, group)
    plan = BoardPlan(query, scores, runs=group.runs, question=group.question)
    try:
        found = _rows(connection, plan, group)
    except sqlite3.OperationalError as error:
        if "malformed JSON" not in str(error):
            raise
        # Looking at every recipe first would double the time, and almost none is ever damaged.
        plan = BoardPlan(query, scores, careful=True, runs=group.runs, question=group.question)
        found = _rows(connection, plan, group)
    return _arranged(query, plan, listed, group, found)


def _rows(connection: sqlite3.Connection, plan: BoardPlan, group: BoardGroup) -> list[Row]:
    return connection.execute(plan.statement, (*group.key, *plan.parameters)).fetchall()


def empty_board(query: BoardQuery) -> Board:
    """The answer where nothing was recorded yet; it raises what `board` raises."""
    _chosen([], query.group)
    return _arranged(query, BoardPlan(query, ()), [], None, [])


def sort_board(board: Board, sort: str, descending: bool) -> Board:
    """The same board in another order, without the database: milliseconds for ten thousand rows.

    Raises:
        UsageError: the board does not show `sort`, so only a new query can sort by it.
    """
    if sort not in board.fields:
        raise UsageError(f"The board has no column {one_line(sort)}", next_step=near_names(sort, board.fields[3:]))
    rows = _sorted(board.rows, board.place(sort), descending)
    return replace(board, rows=rows, sort=sort, descending=descending)


def _chosen(listed: Sequence[BoardGroup], key: GroupKey | None) -> BoardGroup | None:
    if key is None:
        return listed[0] if listed else None
    for group in listed:
        if group.key == tuple(key):
            return group
    raise UsageError(
        "There is no such group on the leaderboard",
        f"Nothing was measured for {key[1]} on {key[2]} of {key[0]} with these cases and this protocol.",
        "`sonotune leaderboard` shows all groups.",
    )


def _arranged(
    query: BoardQuery, plan: BoardPlan, listed: list[BoardGroup], group: BoardGroup | None, found: Sequence[Row]
) -> Board:
    """Rows of the statement put where they belong, without what stands behind their fields."""
    tuned = [row for row in found if row[2] is None]
    kept = [row for row in tuned if row[-1]] if plan.filtered else tuned
    references = sorted((row for row in found if row[2] is not None), key=_reference_order)
    places = {run: place for place, run in enumerate(query.pins)}
    rows = _cut(_sorted(kept, plan.key, plan.descending), plan)
    pinned = sorted((row for row in tuned if row[1] in places), key=lambda row: places[row[1]]) if places else []
    return Board(
        groups=listed,
        group=group,
        columns=plan.columns,
        available=plan.available,
        fields=plan.fields,
        rows=rows[: query.limit] if plan.limited else rows,
        references=_cut(references, plan),
        pinned=_cut(pinned, plan),
        best={} if plan.limited else _best(plan, tuned),
        total=group.runs if plan.limited and group is not None else len(tuned),
        sort=plan.sort,
        descending=plan.descending,
        filter=plan.filter,
        limited=plan.limited,
    )


def _cut(rows: list[Row], plan: BoardPlan) -> list[Row]:
    width = len(plan.fields)
    return [row[:width] for row in rows] if rows and len(rows[0]) > width else rows


def _sorted(rows: Iterable[Row], key: int, descending: bool) -> list[Row]:
    """By the value at `key`: ten thousand wide rows are sorted faster here than by SQLite.

    Like there, numbers stand below text, should a column hold both.
    """
    by_id = sorted(rows, key=itemgetter(0))
    missing, texts, numbers = [], [], by_id
    if not set(map(type, map(itemgetter(key), by_id))) <= {int, float}:
        missing = [row for row in by_id if row[key] is None]
        texts = [row for row in by_id if isinstance(row[key], str)]
        numbers = [row for row in by_id if isinstance(row[key], int | float)]
    numbers.sort(key=itemgetter(key), reverse=descending)  # stable in both directions: equals stay in order of id
    texts.sort(key=lambda row: row[key].casefold(), reverse=descending)
    return [*texts, *numbers, *missing] if descending else [*numbers, *texts, *missing]


def _reference_order(row: Row) -> tuple[int, int]:
    return _REFERENCES.index(row[2]) if row[2] in _REFERENCES else len(_REFERENCES), row[0]


def _best(plan: BoardPlan, tuned: Sequence[Row]) -> dict[str, float]:
    best = {}
    for column in plan.columns:
        place = plan.fields.index(column.name)
        values = [row[place] for row in tuned if row[place] is not None] if column.better else []
        if values:
            best[column.name] = max(values) if column.better is Better.HIGHER else min(values)
    return best
