"""The leaderboard for front ends: one group at a time, sorted, filtered, pinned."""

from __future__ import annotations

from collections.abc import Iterable

from engine.filtering import Kind
from engine.store.board import Board, empty_board
from engine.store.board_columns import BOARD_COLUMNS, BoardColumn
from engine.store.board_groups import BoardGroup
from engine.store.board_plan import BoardQuery
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.workspace import Workspace

PINS_SETTING = "leaderboard_pins"
COLUMNS_SETTING = "leaderboard_columns"


def board(workspace: Workspace, query: BoardQuery | None = None) -> Board:
    """One group of the leaderboard; without rows where nothing was recorded yet.

    Raises:
        UsageError: there is no such group or column.
        FilterError: the filter can't be understood.
    """
    query = query or BoardQuery()
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return empty_board(query)
    with reader:
        return reader.board(query)


def board_groups(workspace: Workspace) -> list[BoardGroup]:
    """The groups of the leaderboard, the one measured most recently first."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    with reader:
        return reader.board_groups()


def board_columns() -> tuple[BoardColumn, ...]:
    """The columns that every group has; `Board.available` adds those of the views of one group."""
    return tuple(BOARD_COLUMNS.values())


def board_filter_columns(board: Board | None = None) -> dict[str, Kind]:
    """What a filter of this board may name, for `complete_filter`: columns first, then the ends of intervals and n."""
    columns = board_columns() if board is None else board.available
    kinds = {name: kind for column in columns for name, kind in column.kinds.items()}
    names = [column.name for column in columns]
    return {name: kinds[name] for name in [*names, *kinds]}


def pins(workspace: Workspace) -> list[int]:
    """Ids of the pinned runs, in the order of pinning."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    with reader:
        return pins_from(reader)


def pins_from(reader: Reader) -> list[int]:
    """As `pins`, from a reader that is open already."""
    value = reader.setting(PINS_SETTING)
    return [each for each in value if type(each) is int] if isinstance(value, list) else []


def set_pins(workspace: Workspace, run_ids: Iterable[int]) -> None:
    """Pin these runs and no others; the same run twice counts once."""
    with Writer.open(workspace) as writer:
        writer.set_setting(PINS_SETTING, list(dict.fromkeys(run_ids)))


def chosen_board_columns_from(reader: Reader) -> tuple[str, ...]:
    """Names of the columns that were chosen for this workspace, in order; nothing where the usual ones are wanted.

    A name may mean a column that a group does not have, such as the score of another dataset's view.
    """
    value = reader.setting(COLUMNS_SETTING)
    return tuple(each for each in value if type(each) is str) if isinstance(value, list) else ()


def choose_board_columns(workspace: Workspace, names: Iterable[str]) -> None:
    """Keep the columns of the leaderboard for this workspace; no names take the choice back."""
    chosen = list(dict.fromkeys(names))
    with Writer.open(workspace) as writer:
        writer.set_setting(COLUMNS_SETTING, chosen or None)
