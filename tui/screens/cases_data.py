"""What the cases screen asks: the confusion table, and the cases of one of its cells.

Both are read again only when an event or another prediction says that something may have changed; the table is kept
while the cursor goes from cell to cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine import api

Cell = tuple["api.Label | None", "api.Label | None"]
"""Target and what was said; None: any."""


@dataclass(frozen=True, slots=True)
class CasesWanted:
    """What the screen wants to see."""

    evaluation: int
    others: tuple[int, ...] = ()
    decision: api.Decision = api.Decision.TEXT
    views: tuple[str, ...] = ()
    cell: Cell | None = None
    """None: the cell in which most cases are not right."""
    not_right: bool = False
    """Only cases that are not right."""
    differ: str = ""
    filter: str = ""
    sort: str = "view"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class CasesData:
    """One answer of the poller."""

    confusion: api.Confusion
    cell: Cell
    """The cell that the list is of."""
    found: api.CaseList
    problem: api.FilterError | None = None
    """What is wrong with the filter; the cases are then those of the last one that could be understood."""


class CasesQuestion:
    """Asks for one screen; belongs to the poller's thread."""

    def __init__(self) -> None:
        self._confusion: tuple[object, api.Confusion] | None = None
        self._known: tuple[object, CasesData] | None = None
        self._last_filter = ""

    def read(self, live: api.Live, wanted: CasesWanted) -> CasesData:
        """The table and the cases, or the same object as before where nothing has changed.

        Raises:
            JobError: there is no such evaluation (any more).
            StoreError: runs.db can't be read.
        """
        reader = live.reader()
        evaluations = (wanted.evaluation, *wanted.others)
        stamp: object = None
        if reader is not None:
            # The reader itself is part of it: a runs.db that was replaced is read by another one.
            stamp = (reader, reader.newest_ids()[0], *(reader.prediction_count(each) for each in evaluations))
        if self._known is None or self._known[0] != (stamp, wanted):
            self._known = ((stamp, wanted), self._read(live, wanted, stamp))
        return self._known[1]

    def _read(self, live: api.Live, wanted: CasesWanted, stamp: object) -> CasesData:
        key = (stamp, wanted.evaluation, wanted.decision, wanted.views)
        if self._confusion is None or self._confusion[0] != key:
            table = api.confusion(live, wanted.evaluation, decision=wanted.decision, views=wanted.views)
            self._confusion = (key, table)
        confusion = self._confusion[1]
        cell = wanted.cell if wanted.cell is not None and _has(confusion, wanted.cell) else worst_cell(confusion)
        problem = None
        for text in dict.fromkeys((wanted.filter, self._last_filter, "")):
            try:
                found = api.cases(live, query_of(wanted, cell, text))
            except api.FilterError as error:
                problem = problem or error
            else:
                self._last_filter = text
                return CasesData(confusion, cell, found, problem)
        raise AssertionError("an empty filter can always be understood")


def query_of(wanted: CasesWanted, cell: Cell, filter_text: str) -> api.CaseQuery:
    """The list of a cell."""
    return api.CaseQuery(
        evaluation=wanted.evaluation,
        others=wanted.others,
        decision=wanted.decision,
        cells=() if cell == (None, None) else (cell,),
        views=wanted.views,
        outcomes=api.NOT_RIGHT if wanted.not_right else (),
        differ=wanted.differ if wanted.others else "",
        filter=filter_text,
        sort=wanted.sort,
        descending=wanted.descending,
    )


def worst_cell(confusion: api.Confusion) -> Cell:
    """The cell with the most cases that are not right; all cases where everything is right."""
    counts = {
        (row, column): confusion.table.count(row, column)
        for row in confusion.table.rows
        for column in confusion.table.columns
    }
    wrong = {cell: count.scored - count.right for cell, count in counts.items()}
    worst = max(wrong, key=lambda cell: wrong[cell], default=None)
    return (None, None) if worst is None or not wrong[worst] else worst


def _has(confusion: api.Confusion, cell: Cell) -> bool:
    """Whether the table has that row and that column: by threshold there are others than by text."""
    meant, said = cell
    table = confusion.table
    return (meant is None or meant in table.rows) and (said is None or said in table.columns)
