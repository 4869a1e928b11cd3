"""Which ranking a report is about, and which of its rows are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import DataError, UsageError
from engine.store.board import Board
from engine.store.board_groups import BoardGroup
from engine.store.board_plan import BoardQuery
from engine.store.reader import Reader
from engine.text import one_line
from engine.types import Split

MOST_RUNS = 12
"""Runs on one page; more cannot be read."""


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """What a report is to be about; whatever is left out is taken from the ranking that was measured last."""

    question: str | None = None
    """Q1 to Q8, or report."""
    split: Split | None = None
    dataset: str | None = None
    runs: tuple[int | str, ...] = ()
    """Numbers or names; the first is the one that the others are compared with. Empty: the best of the ranking."""
    group: int | None = None
    """Number of the ranking among those that fit, from 1, in the order of `sonotune leaderboard`."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One ranking and the rows of it that are shown."""

    group: BoardGroup
    runs: tuple[int, ...]
    """Evaluations of runs, best first; as they were named where they were."""
    references: tuple[int, ...]
    """Evaluations of reference rows."""


def choose_group(reader: Reader, query: ReportQuery, primary: dict[str, str]) -> Chosen:
    """The newest ranking that fits and holds every run that was named.

    Args:
        reader: of the store.
        query: what is wanted.
        primary: the measure that decides, by question: where no run is named, the best by it are shown.

    Raises:
        DataError: nothing has been measured, or nothing that fits.
        UsageError: no ranking holds all runs that were named, or there is no ranking of that number.
        JobError: there is no such run.
    """
    if len(query.runs) > MOST_RUNS:
        raise UsageError(f"A report has at most {MOST_RUNS} runs", next_step="Name fewer runs.")
    wanted = list(dict.fromkeys(reader.run(run).id for run in query.runs))
    groups = _fitting(reader, query)
    for group in groups:
        board = _board(reader, group, primary.get(group.question, "accuracy"))
        rows = {row[1]: row[0] for row in board.rows}
        if all(run in rows for run in wanted):
            runs = [rows[run] for run in wanted] if wanted else [row[0] for row in board.rows[:MOST_RUNS]]
            return Chosen(group, tuple(runs), tuple(row[0] for row in board.references))
    raise UsageError(
        "These runs were not measured together",
        "No ranking holds all of them: they were measured on different cases, or in different ways.",
        "`sonotune leaderboard` shows what stands together; `sonotune evaluate RUN` measures what is missing.",
    )


def _fitting(reader: Reader, query: ReportQuery) -> Sequence[BoardGroup]:
    groups = reader.board_groups()
    if not groups:
        raise DataError(
            "There is nothing to report",
            "No evaluation has ended in this workspace.",
            "`sonotune evaluate RUN` measures a run; `sonotune demo` shows all of it.",
        )
    asked = (query.question, None if query.split is None else str(query.split), query.dataset)
    fitting = [
        group
        for group in groups
        if all(
            want in (None, value)
            for want, value in zip(asked, (group.question, group.split, group.dataset), strict=True)
        )
    ]
    if not fitting:
        measured = dict.fromkeys(f"{group.question} on {group.split} of {group.dataset}" for group in groups)
        raise DataError(
            "There is nothing to report on that",
            f"Measured so far: {one_line('; '.join(list(measured)[:8]))}.",
            "Ask for one of these, or measure a run with `sonotune evaluate RUN`.",
        )
    if query.group is None:
        return fitting
    if not 1 <= query.group <= len(fitting):
        raise UsageError(
            f"There is no ranking {query.group}", f"{len(fitting)} of them fit.", "Choose another --group."
        )
    return [fitting[query.group - 1]]


def _board(reader: Reader, group: BoardGroup, primary: str) -> Board:
    """The rows of a ranking, best first by the measure that decides, by the text where there are no probabilities."""

    def sorted_by(measure: str) -> Board:
        return reader.board(BoardQuery(group.key, sort=measure, columns=("name", measure)))

    board = sorted_by(primary)
    if primary == "balanced_accuracy" and not any(_value(board, row, primary) is not None for row in board.rows):
        return sorted_by(f"text_{primary}")
    return board


def _value(board: Board, row: tuple[Any, ...], name: str) -> float | None:
    value: float | None = row[board.place(name)]
    return value
