"""The leaderboard as text that leaves the program: CSV, Markdown, one row to copy, single cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from engine.formatting import UNKNOWN, duration, figure, number, size
from engine.store.board import Board, Row
from engine.store.board_columns import BoardColumn, Unit
from engine.store.board_groups import BoardGroup
from engine.text import one_line
from engine.text_cells import RESEARCH_ONLY, markdown_cell, spreadsheet_cell

NOTE = RESEARCH_ONLY
FINGERPRINT = 8
"""Characters of a fingerprint where people read it."""

_SUFFIXES = {Unit.BYTES: "_bytes", Unit.TIME: "_time"}


def board_cell(board: Board, row: Row, column: BoardColumn) -> str:
    """One cell as people read it: a score as `0.81 (0.74–0.87) n=40`; a dash where it is missing."""
    place = board.place(column.name)
    value = row[place]
    if value is None or value == "":
        return UNKNOWN
    if column.unit is Unit.SCORE:
        return _score(*row[place : place + 4])
    return _shown(value, column.unit)


def board_row_name(board: Board, row: Row) -> str:
    """What a row is of: its name, or the number of the run where the board has no column for names."""
    if "name" in board.fields:
        return one_line(row[board.place("name")])
    return f"run {row[1]}" if row[2] is None else one_line(row[2])


def board_text_row(board: Board, row: Row) -> str:
    """One row on one line, with what it was measured on, to be pasted somewhere else."""
    number_of = f" (run {row[1]})" if row[2] is None else f" ({one_line(row[2])})"
    cells = [
        f"{one_line(column.title)} {board_cell(board, row, column)}"
        for column in board.columns
        if column.name not in ("name", "run") and row[board.place(column.name)] is not None
    ]
    where = "" if board.group is None else f"; {_group_line(board.group)}"
    return f"{board_row_name(board, row)}{number_of}: {', '.join(cells)}{where}"


def export_board(board: Board, form: Literal["csv", "markdown"]) -> str:
    """The reference rows and the rows that the filter lets through, in their order.

    CSV has every figure with low, high and n in columns of their own, raw (bytes, seconds, rates in 0..1; times as ISO
    8601), and the group in every row. Markdown is to be read.
    """
    return _csv(board) if form == "csv" else _markdown(board)


# ----- CSV


def _csv(board: Board) -> str:
    columns = [column for column in board.columns if column.name != "run"]  # every row has it in front
    heads = [f"{name}{_SUFFIXES.get(column.unit, '')}" for column in columns for name in column.fields]
    group = ("dataset", "question", "split", "cases_fingerprint", "protocol_fingerprint")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([spreadsheet_cell(head) for head in ("evaluation", "run", "reference", *heads, *group, "note")])
    key = ("",) * len(group) if board.group is None else board.group.key
    for row in [*board.references, *board.rows]:
        values = [_raw(value, column) for column in columns for value in _values(board, row, column)]
        writer.writerow([spreadsheet_cell(value) for value in (*row[:3], *values, *key, NOTE)])
    return lines.getvalue()


def _values(board: Board, row: Row, column: BoardColumn) -> Sequence[Any]:
    place = board.place(column.name)
    return row[place : place + len(column.fields)]


def _raw(value: Any, column: BoardColumn) -> Any:
    return _moment(value, "seconds") if column.unit is Unit.TIME and value is not None else value


# ----- Markdown


def _markdown(board: Board) -> str:
    columns = [column for column in board.columns if column.name != "name"]
    heads = ["run", *(one_line(column.title) for column in columns)]
    lines = [] if board.group is None else [markdown_cell(_group_line(board.group, whole=True)), ""]
    lines += [_line(heads), "|" + "---|" * len(heads)]
    for row in [*board.references, *board.rows]:
        name = markdown_cell(board_row_name(board, row))
        cells = [markdown_cell(board_cell(board, row, column)) for column in columns]
        lines.append(f"| {name if row[2] is None else f'*{name}*'} | {' | '.join(cells)} |")
    lines += ["", markdown_cell(board_count(board)), "", f"Figures: value (95 % interval) n. {NOTE}", ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(markdown_cell(cell) for cell in cells)} |"


# ----- parts


def board_count(board: Board) -> str:
    """How many rows there are, of how many, and in which order."""
    order = f"sorted by {one_line(board.sort)}, {'descending' if board.descending else 'ascending'}"
    if not board.filter:
        return f"{board.total} runs, {order}."
    return f"{len(board.rows)} of {board.total} runs, {order}; filter: {one_line(board.filter)}"


def _group_line(group: BoardGroup, *, whole: bool = False) -> str:
    key = group.key
    size_of = None if whole else FINGERPRINT
    cases = "cases" if group.n is None else f"{group.n} cases"
    abnormal = "" if group.abnormal is None else f", {group.abnormal} abnormal"
    prints = f"cases {key.cases_fingerprint[:size_of]}, protocol {key.protocol_fingerprint[:size_of]}"
    return one_line(f"{key.question} on {key.split} of {key.dataset}: {cases}{abnormal}; {prints}")


def _score(value: float, low: float | None, high: float | None, n: int) -> str:
    ends = "" if low is None or high is None else f" ({figure(low)}–{figure(high)})"
    return f"{figure(value)}{ends} n={n}"


def _shown(value: Any, unit: Unit) -> str:
    if isinstance(value, str) or unit in (Unit.TEXT, Unit.TAGS):
        return one_line(value)
    if unit is Unit.TIME:
        return _moment(value, "minutes")
    if unit is Unit.BYTES:
        return size(value)
    if unit is Unit.DURATION:
        return f"{number(value)} s" if value < 60 else duration(value)  # 0.05 s an image is not 0 s
    return str(value) if isinstance(value, int) else number(value)


def _moment(value: float, precision: str) -> str:
    """ISO 8601 with the local offset; the number itself where no calendar has it."""
    try:
        return datetime.fromtimestamp(value).astimezone().isoformat(timespec=precision)
    except (ValueError, OverflowError, OSError):
        return number(value)
