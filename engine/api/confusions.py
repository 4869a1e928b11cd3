"""What was said where something else was meant: confusion tables, and how each view comes out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.api.browsing import Source, reading
from engine.api.case_subjects import CaseSubject, Decision, case_subject
from engine.errors import UsageError
from engine.store.cases import CUT_OFF, ERROR, NO_PROBABILITY, UNPARSEABLE, VALUE, CountRow, Label
from engine.store.cases_filter import OTHER, OUTCOME_PREFIX
from engine.types import Outcome, Verdict

MOST_VALUES = 8
"""Different annotated answers up to which a table names each; of more, outcomes are its columns."""
KIND_WORDS = {CUT_OFF: "cut off", NO_PROBABILITY: "no P", UNPARSEABLE: "unparseable", ERROR: "error", OTHER: "other"}
_VERDICTS = (Verdict.NORMAL, Verdict.ABNORMAL, Verdict.UNCLEAR)
_OUTCOMES = (Outcome.RIGHT, Outcome.WRONG, Outcome.UNPARSEABLE, Outcome.ERROR, Outcome.CUT_OFF)
_NT = re.compile(r"(?<![^\W_])NT(?![^\W_])", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class CellCount:
    """Cases of a cell, a row, a column or a view."""

    n: int = 0
    right: int = 0
    scored: int = 0
    """Cases whose target can be read: the others are neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Counts by what was meant (rows) and what was said (columns); every case is in one cell."""

    rows: tuple[Label, ...]
    columns: tuple[Label, ...]
    cells: Mapping[tuple[Label, Label], CellCount]

    def count(self, row: Label | None = None, column: Label | None = None) -> CellCount:
        """A cell; None counts a whole column or row, or everything."""
        found = [
            cell
            for (meant, said), cell in self.cells.items()
            if (row is None or meant == row) and (column is None or said == column)
        ]
        return CellCount(*(sum(values) for values in zip(*((c.n, c.right, c.scored) for c in found), strict=True)))


@dataclass(frozen=True, slots=True)
class ViewOutcomes:
    """How the cases of one view come out."""

    view: str
    """Untrusted text."""
    n: int
    outcomes: Mapping[str, int]
    """Cases by outcome; absent where there is none."""

    @property
    def right(self) -> int:
        """Right answers."""
        return self.outcomes.get(Outcome.RIGHT, 0)

    @property
    def scored(self) -> int:
        """Cases whose target can be read."""
        return self.n - self.outcomes.get(Outcome.UNSCORED, 0)

    @property
    def not_right(self) -> int:
        """Wrong, unparseable, cut-off and error outputs together."""
        return self.scored - self.right


@dataclass(frozen=True, slots=True)
class Confusion:
    """One evaluation: what was said where something else was meant."""

    subject: CaseSubject
    decision: Decision
    shown_views: tuple[str, ...]
    """The views that the table is of; none: all of them."""
    table: ConfusionTable
    views: tuple[ViewOutcomes, ...]
    """All views, those of nuchal translucency first, then those with the most cases that are not right."""

    @property
    def all_views(self) -> ViewOutcomes:
        """All views together."""
        outcomes: Counter[str] = Counter()
        for each in self.views:
            outcomes.update(each.outcomes)
        return ViewOutcomes("", outcomes.total(), outcomes)


def confusion(
    source: Source, evaluation: int, *, decision: Decision | str = Decision.TEXT, views: Sequence[str] = ()
) -> Confusion:
    """The confusion table of an evaluation, of all views or of some.

    Q7 has a row and a column for each verdict. Other questions have one for each annotated answer where there are few
    of them; else the most frequent ones are rows, and outcomes are the columns. Unparseable outputs, serving errors and
    outputs that were cut off have columns of their own.

    Raises:
        JobError: there is no such evaluation.
        UsageError: a threshold is asked for where none exists.
    """
    decision = Decision(decision)
    with reading(source) as reader:
        subject = case_subject(reader, evaluation)
        check_decision(subject, decision)
        rows = reader.case_counts(subject.side(decision))
    return Confusion(
        subject,
        decision,
        tuple(views),
        confusion_table(rows, subject.question, decision, views),
        _views(rows),
    )


def check_decision(subject: CaseSubject, decision: Decision) -> None:
    """Raise a UsageError where a threshold is asked for and the question has none."""
    if decision is Decision.THRESHOLD and subject.question != "Q7":
        raise UsageError(
            f"{subject.question} has no threshold",
            "Only Q7 has a probability of an abnormal answer.",
            "Look at its cases by text.",
        )


def confusion_table(
    rows: Sequence[CountRow], question: str, decision: Decision, views: Sequence[str] = ()
) -> ConfusionTable:
    """The table of some counts. Its labels are those of all views, so that tables of views can be compared."""
    meant, columns, by_outcome = _labels(rows, question, decision)
    named = {label for label in (*meant, *columns) if label.kind == VALUE}
    cells: dict[tuple[Label, Label], CellCount] = {}
    for row in rows:
        if views and row.view not in views:
            continue
        said = Label(f"{OUTCOME_PREFIX}{row.outcome}") if by_outcome else row.said
        key = (_in_table(row.meant, named), _in_table(said, named))
        before = cells.get(key, CellCount())
        right, scored = row.outcome == Outcome.RIGHT, row.outcome != Outcome.UNSCORED
        cells[key] = CellCount(before.n + row.n, before.right + right * row.n, before.scored + scored * row.n)
    return ConfusionTable(meant, columns, cells)


def label_text(label: Label) -> str:
    """A label in words; untrusted text."""
    if label.kind == VALUE:
        return label.value
    kind = label.kind.removeprefix(OUTCOME_PREFIX)
    return KIND_WORDS.get(kind, kind)


def is_nt(view: str) -> bool:
    """Whether a view shows nuchal translucency: NT stands in its name as a word (NT-View, Standard_NT)."""
    return _NT.search(view) is not None


def find_views(confusion: Confusion, text: str) -> tuple[str, ...]:
    """The views that somebody means: one by its name whatever the case, or with `NT` all of nuchal translucency.

    Raises:
        UsageError: there is no such view among the cases.
    """
    names = [each.view for each in confusion.views]
    found = [name for name in names if name.casefold() == text.strip().casefold()]
    found = found or [name for name in names if text.strip().casefold() == "nt" and is_nt(name)]
    if not found:
        raise UsageError(f"There is no view {text!r} among these cases", f"Views: {', '.join(sorted(names))}.")
    return tuple(found)


def _labels(
    rows: Sequence[CountRow], question: str, decision: Decision
) -> tuple[tuple[Label, ...], tuple[Label, ...], bool]:
    """Rows, columns, and whether the columns are outcomes."""
    unread = (Label(UNPARSEABLE),) if any(row.meant.kind != VALUE for row in rows) else ()
    if question == "Q7":
        verdicts = tuple(Label(VALUE, verdict.value) for verdict in _VERDICTS)
        unclear = verdicts if any(row.meant == verdicts[2] for row in rows) else verdicts[:2]
        meant = (*unclear, *_extra((row.meant for row in rows), verdicts), *unread)
        if decision is Decision.THRESHOLD:
            return meant, (*verdicts[:2], *_kinds(NO_PROBABILITY, ERROR)), False
        said = (*verdicts, *_extra((row.said for row in rows), verdicts))
        return meant, (*said, *_kinds(UNPARSEABLE, ERROR, CUT_OFF)), False
    values: Counter[str] = Counter()
    for row in rows:
        values.update({row.meant.value: row.n} if row.meant.kind == VALUE else {})
    shown = tuple(Label(VALUE, value) for value in _in_order(values, question)[:MOST_VALUES])
    if len(values) <= MOST_VALUES:
        said = (*shown, *_extra((row.said for row in rows), shown))
        return (*shown, *unread), (*said, *_kinds(UNPARSEABLE, ERROR, CUT_OFF)), False
    outcomes = [each for each in Outcome if each in _OUTCOMES or any(row.outcome == each for row in rows)]
    return (*shown, Label(OTHER), *unread), tuple(Label(f"{OUTCOME_PREFIX}{each}") for each in outcomes), True


def _kinds(*kinds: str) -> tuple[Label, ...]:
    return tuple(Label(kind) for kind in kinds)


def _extra(found: Iterable[Label], named: tuple[Label, ...]) -> tuple[Label, ...]:
    """A label for values that have none of their own, where there are any."""
    return (Label(OTHER),) if any(label.kind == VALUE and label not in named for label in found) else ()


def _in_order(values: Counter[str], question: str) -> list[str]:
    """The most frequent first; bins of weeks by their weeks where all of them are shown."""
    frequent = sorted(values, key=lambda value: (-values[value], value))
    if question == "Q5" and len(frequent) <= MOST_VALUES:
        return sorted(frequent, key=lambda value: [int(each) for each in _NUMBER.findall(value)[:2]])
    return frequent


def _in_table(label: Label, named: set[Label]) -> Label:
    return label if label.kind != VALUE or label in named else Label(OTHER)


def _views(rows: Iterable[CountRow]) -> tuple[ViewOutcomes, ...]:
    views: dict[str, Counter[str]] = {}
    for row in rows:
        views.setdefault(row.view, Counter())[row.outcome] += row.n
    found = [ViewOutcomes(view, outcomes.total(), outcomes) for view, outcomes in views.items()]
    return tuple(sorted(found, key=lambda each: (not is_nt(each.view), -each.not_right, each.view)))
