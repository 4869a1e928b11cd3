"""Lists of cases: from a cell of a confusion table to its images, with what several evaluations say of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.api.browsing import Source, reading
from engine.api.case_subjects import CaseSubject, Decision, beside, case_subject
from engine.api.confusions import check_decision, confusion_table, is_nt, label_text
from engine.data.manifest import image_root
from engine.errors import UsageError
from engine.store.cases import NO_PROBABILITY, VALUE, CaseRows, Label, Side
from engine.store.cases_filter import (
    Sql,
    any_of,
    case_filter,
    cell_condition,
    disagreement_condition,
    outcome_condition,
    view_condition,
)
from engine.store.images import natural_key
from engine.store.reader import Reader
from engine.types import Outcome

CaseCell = tuple[Label | None, Label | None]
"""Target and what was said; None stands for a whole row or column of the table."""
CASE_SORTS = ("view", "path", "p_abnormal", "latency")
"""What a list can be sorted by; `view` has views of nuchal translucency first."""
CASE_OUTCOMES = (*(outcome.value for outcome in Outcome), NO_PROBABILITY)
NOT_RIGHT = tuple(each for each in CASE_OUTCOMES if each not in (Outcome.RIGHT, Outcome.UNSCORED))
"""Everything that counts against a run."""
DIFFERENCES = ("fixed", "broken", "any")
"""Against the first evaluation beside: it is right and this one is not; the other way round; either."""


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases of an evaluation to list, with which others beside it, and in which order."""

    evaluation: int
    others: tuple[int, ...] = ()
    """Evaluations of the same question and dataset; joined by the path of the image."""
    decision: Decision = Decision.TEXT
    cells: tuple[CaseCell, ...] = ()
    """Cells of the confusion table of all views; none: every case."""
    views: tuple[str, ...] = ()
    """Only these views; none: all of them."""
    outcomes: tuple[str, ...] = ()
    differ: str = ""
    """One of `DIFFERENCES`, or "" for every case."""
    filter: str = ""
    """In the filter language, over `CASE_FILTER_COLUMNS`; words alone are looked for in the raw output and the path."""
    sort: str = "view"
    descending: bool = False
    offset: int = 0
    limit: int | None = None
    whole: bool = False
    """Outputs in full, for an export; a list has their beginnings."""


@dataclass(frozen=True, slots=True)
class CaseList:
    """The cases that a query finds."""

    query: CaseQuery
    subject: CaseSubject
    others: tuple[CaseSubject, ...]
    """In the order of `CaseItem.others`."""
    items: CaseRows
    """From `offset` on, at most `limit`."""
    found: int
    """All that the query finds."""
    root: Path | None
    """Image root: `locate_image` finds the file of an item under it. None: the dataset is not here any more."""
    notes: tuple[str, ...]
    """What must be known before evaluations are held against each other; untrusted text."""


def cases(source: Source, query: CaseQuery) -> CaseList:
    """The cases that a query finds, sorted.

    Raises:
        JobError: there is no such evaluation.
        UsageError: evaluations that cannot stand side by side, an unknown order or outcome, a filter that cannot be
            understood.
    """
    _check(query)
    with reading(source) as reader:
        subject = case_subject(reader, query.evaluation)
        check_decision(subject, query.decision)
        others = beside(reader, subject, query.others)
        side, sides = subject.side(query.decision), [each.side(query.decision) for each in others]
        items = reader.case_items(side, sides, _conditions(reader, query, side, sides), whole=query.whole)
        record = reader.dataset(subject.dataset)
        root = None if record is None else image_root(reader.workspace, record)
    items = sort_cases(items, query.sort, query.descending)
    end = None if query.limit is None else query.offset + query.limit
    return CaseList(query, subject, others, items[query.offset : end], len(items), root, case_notes(subject, others))


def parse_cell(text: str, source: Source, evaluation: int, decision: Decision = Decision.TEXT) -> CaseCell:
    """A cell as it is typed: `abnormal:normal`, `abnormal:*`, `*:error`, `20-25:other`.

    Raises:
        UsageError: the table of the evaluation has no such row or column.
    """
    with reading(source) as reader:
        subject = case_subject(reader, evaluation)
        table = confusion_table(reader.case_counts(subject.side(decision)), subject.question, decision)
    meant, colon, said = text.partition(":")
    if not colon:
        raise _no_cell(text, "A cell is written TARGET:SAID, such as abnormal:normal; * stands for any.")
    return _named(meant, table.rows, text), _named(said, table.columns, text)


def sort_cases(items: CaseRows, by: str, descending: bool = False) -> CaseRows:
    """Sorted by one of `CASE_SORTS`, then by path in natural order; cases without a value come last, either way."""
    paths = [natural_key(path) for path in items.column("path")]
    places = sorted(range(len(items)), key=paths.__getitem__, reverse=descending and by == "path")
    if by == "view":
        views = items.column("view")
        keys = {view: (not is_nt(view), view) for view in set(views)}
        places.sort(key=lambda place: keys[views[place]], reverse=descending)
    elif by != "path":
        values = items.column(by)
        known = [place for place in places if values[place] is not None]
        known.sort(key=values.__getitem__, reverse=descending)
        places = known + [place for place in places if values[place] is None]
    return items.in_order(places)


def case_notes(subject: CaseSubject, others: Sequence[CaseSubject]) -> tuple[str, ...]:
    """Whatever makes evaluations that stand side by side something else than two answers to the same questions."""
    notes = []
    for other in others:
        if other.cases_fingerprint != subject.cases_fingerprint:
            note = f"{other.name} was measured on other cases: {other.common} of {subject.measured} images in common"
            notes.append(note + (f", {other.other_targets} with another target." if other.other_targets else "."))
        elif (other.common or 0) < subject.measured:
            notes.append(f"{other.name} has measured {other.common} of {subject.measured} images.")
        if other.protocol_fingerprint != subject.protocol_fingerprint and other.reference is None:
            notes.append(f"{other.name} was measured in another way (prompt, image size, limits or candidates).")
    return tuple(notes)


def _check(query: CaseQuery) -> None:
    if query.sort not in CASE_SORTS:
        raise UsageError(f"Cases cannot be sorted by {query.sort!r}", f"Sort by one of: {', '.join(CASE_SORTS)}.")
    unknown = [outcome for outcome in query.outcomes if outcome not in CASE_OUTCOMES]
    if unknown:
        raise UsageError(f"There is no outcome {unknown[0]!r}", f"Outcomes are: {', '.join(CASE_OUTCOMES)}.")
    if query.differ not in ("", *DIFFERENCES):
        raise UsageError(f"There is no difference {query.differ!r}", f"Choose: {', '.join(DIFFERENCES)}.")
    if query.differ and not [each for each in query.others if each != query.evaluation]:
        raise UsageError(
            "There is nothing to differ from",
            "Cases that come out differently need a second evaluation.",
            "Lay one beside: `sonotune cases RUN --with RUN2`.",
        )


def _conditions(reader: Reader, query: CaseQuery, side: Side, others: Sequence[Side]) -> list[Sql]:
    conditions: list[Sql] = []
    if query.cells:
        table = confusion_table(reader.case_counts(side), side.question, query.decision)
        named = (
            [label.value for label in table.rows if label.kind == VALUE],
            [label.value for label in table.columns if label.kind == VALUE],
        )
        conditions.append(any_of([cell_condition(meant, said, side, named) for meant, said in query.cells]))
    if query.views:
        conditions.append(view_condition(query.views))
    if query.outcomes:
        conditions.append(outcome_condition(query.outcomes, side))
    if query.differ:
        conditions.append(disagreement_condition(query.differ, side, others[0]))
    if query.filter.strip():
        conditions.append(case_filter(query.filter, side))
    return conditions


def _named(text: str, labels: Sequence[Label], cell: str) -> Label | None:
    wanted = text.strip().casefold().replace("_", " ")
    if wanted in ("*", "", "all"):
        return None
    for label in sorted(labels, key=lambda each: each.kind != VALUE):  # a value wins over a kind of the same name
        if wanted == label_text(label).casefold().replace("_", " "):
            return label
    raise _no_cell(cell, f"This table has: {', '.join(label_text(label) for label in labels)}.")


def _no_cell(cell: str, reason: str) -> UsageError:
    return UsageError(f"There is no cell {cell!r}", reason, "`sonotune cases RUN` prints the table.")
