"""What the leaderboard asks: one group with the columns in sight, those of the details, and the pinned rows.

Ten thousand rows take a sixth of a second to read, so a long board is read twice: what comes first at once, all of it
after that. Rows are read again only when an event says that something other than progress has changed (renames, tags,
notes and changes of state all write events), when other runs are pinned, or when something else is asked; otherwise the
answer is the same object as before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from engine import api

USUAL_REST = ("n", "model", "train_seconds", "samples_per_second", "peak_vram")
DETAILS = (
    "marks",
    "mark_details",
    "grey",
    "errors",
    "model",
    "backend",
    "threshold",
    "threshold_source",
    "unparseable",
    "cut_off",
    "peak_vram",
    "peak_rss",
)
"""Columns that the details of a row need besides those in sight."""
FIRST_ROWS = 200
"""So many are read at first of a long board: more than any screen shows."""
MOST_COLUMNS = 40
"""Of more scores at once one statement could not be made."""


class Boards(Protocol):
    """What reads boards: the reader of `api.Live`."""

    def board(self, query: api.BoardQuery) -> api.Board:
        """One group, sorted and filtered."""

    def board_groups(self) -> list[api.BoardGroup]:
        """All groups."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the screen wants to see."""

    group: api.GroupKey | None = None
    """None: the group of the last answer, at first the one measured most recently."""
    filter: str = ""
    columns: tuple[str, ...] | None = None
    """Names in order; empty: the usual ones; None: those that were chosen for this workspace."""
    whole: bool = False
    """All rows at once; without it, the first ones are enough where there are very many."""


@dataclass(frozen=True, slots=True)
class BoardData:
    """One answer of the poller."""

    board: api.Board | None = None
    """`columns` are those to show, `fields` has those of the details too; None where nothing was recorded yet."""
    pins: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    """Names of the columns that were chosen; empty: the usual ones."""
    looks: str = ""
    """How often the test split was looked at, in a few words."""
    problem: api.FilterError | None = None
    """What is wrong with the filter; the rows are then those of the last filter that could be understood."""

    @property
    def limited(self) -> bool:
        """Only the first rows are here."""
        return self.board is not None and self.board.limited


class BoardQuestion:
    """Asks for one screen; belongs to the poller's thread."""

    def __init__(self) -> None:
        self._known: tuple[object, BoardData] | None = None
        self._last_filter = ""

    def read(self, live: api.Live, wanted: Wanted) -> BoardData:
        """The board, or the same object as before where nothing has changed.

        Raises:
            StoreError: runs.db can't be read.
        """
        reader = live.reader()
        if reader is None:
            return BoardData()
        pins = tuple(api.pins_from(reader))
        columns = api.chosen_board_columns_from(reader) if wanted.columns is None else wanted.columns
        columns = columns[:MOST_COLUMNS]
        # The reader itself is part of the key: a runs.db that was replaced is read by another one.
        key = (reader, reader.newest_ids()[0], pins, columns, replace(wanted, whole=False))
        if self._known is None or self._known[0] != key or (wanted.whole and self._known[1].limited):
            data = self._filtered(reader, wanted, columns, pins)
            group = None if data.board is None else data.board.group
            if group is not None:
                data = replace(data, looks=api.looks_note(reader, group.dataset, group.split))
            if self._known is not None and self._known[1] == data:
                data = self._known[1]
            self._known = (key, data)
        return self._known[1]

    def _filtered(self, reader: Boards, wanted: Wanted, columns: tuple[str, ...], pins: tuple[int, ...]) -> BoardData:
        """The answer; while a filter can't be understood, that of the last one that could."""
        known = None if self._known is None else self._known[1].board
        group = (
            known.group.key if wanted.group is None and known is not None and known.group is not None else wanted.group
        )
        problem = None
        for text in dict.fromkeys((wanted.filter, self._last_filter, "")):
            try:
                limit = None if wanted.whole else FIRST_ROWS
                board = read_board(reader, api.BoardQuery(group, text, columns=columns, pins=pins, limit=limit))
            except api.FilterError as error:
                problem = problem or error
            else:
                if board.rows or not text:  # a word on its own is a filter too: `balanced_acc` fits no name
                    self._last_filter = text
                return BoardData(board, pins, columns, problem=problem)
        raise AssertionError("an empty filter can always be understood")


def read_board(reader: Boards, query: api.BoardQuery) -> api.Board:
    """The board of a query, or the nearest one that there is: other groups have other columns, and groups may vanish.

    Args:
        reader: an open one.
        query: without columns, the usual ones are shown.

    Raises:
        FilterError: the filter can't be understood.
    """
    if query.group is not None and all(group.key != query.group for group in reader.board_groups()):
        query = replace(query, group=None)
    if not query.columns:
        board = _shown(reader, query, ("name", *api.main_scores("Q7"), *USUAL_REST))
        question = None if board.group is None else board.group.question
        if question in (None, "Q7"):
            return board
        return _shown(reader, query, ("name", *api.main_scores(question), *USUAL_REST))
    try:
        return _shown(reader, query, query.columns)
    except api.FilterError:
        raise
    except api.UsageError:
        known = {column.name for column in reader.board(replace(query, filter="", columns=("name",))).available}
        return _shown(reader, query, [name for name in query.columns if name in known])


def _shown(reader: Boards, query: api.BoardQuery, names: Iterable[str]) -> api.Board:
    """The board with these columns, the name first, and the details behind them."""
    names = ("name", *(name for name in names if name != "name"))
    hidden = [name for name in DETAILS if name not in names]
    board = reader.board(replace(query, columns=(*names, *hidden)))
    return replace(board, columns=tuple(column for column in board.columns if column.name not in hidden))
