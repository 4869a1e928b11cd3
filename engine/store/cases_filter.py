"""Conditions on the cases of an evaluation: cells, views, outcomes, disagreement, and the filter language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.filtering import Kind
from engine.store.cases import VALUE, Label, Side, meant_sql, said_sql
from engine.store.filter_sql import Condition, FilterColumn, filter_condition

OTHER = "other"
"""Kind of a label that stands for all values that a table does not name."""

Sql = tuple[str, Sequence[Any]]
"""A condition over `a` (and `b0`) of `Reader.case_items`, with its parameters."""

_WORDS = "output or path"
"""Where words alone are looked for; with its spaces, no filter can name it, and none is taken from those who type."""
_PLAIN_COLUMNS = {
    "path": FilterColumn("a.path"),
    "view": FilterColumn("a.view"),
    "target": FilterColumn("a.target"),
    "output": FilterColumn("a.raw_output"),
    "p_abnormal": FilterColumn("a.p_abnormal", Kind.NUMBER),
    "latency": FilterColumn("a.latency_seconds", Kind.NUMBER),
    "tokens": FilterColumn("a.generated_tokens", Kind.NUMBER),
}
CASE_FILTER_COLUMNS = {
    **{name: column.kind for name, column in _PLAIN_COLUMNS.items()},
    "said": Kind.TEXT,
    "outcome": Kind.TEXT,
}
"""Columns that a filter may name, with what they hold; words alone are looked for in the output and the path."""


def case_filter(text: str, side: Side) -> Condition:
    """A filter as a condition for `Reader.case_items`.

    Raises:
        FilterError: what cannot be understood, and where.
    """
    said, value, outcome = said_sql("a", side.threshold)
    columns = {
        **_PLAIN_COLUMNS,
        "said": FilterColumn(f"CASE WHEN ({said}) = '{VALUE}' THEN {value} ELSE {said} END"),
        "outcome": FilterColumn(f"({outcome})"),
        _WORDS: FilterColumn("a.raw_output || char(10) || a.path"),
    }
    return filter_condition(text, columns, words=_WORDS)


def cell_condition(
    meant: Label | None, said: Label | None, side: Side, named: tuple[Sequence[str], Sequence[str]]
) -> Sql:
    """The condition of one cell of a confusion table; None stands for a whole row or column.

    Args:
        meant: label of the row.
        said: label of the column: what was said, or an outcome of a table that has outcomes as its columns.
        side: the evaluation.
        named: the values that rows and columns of the table name: what `other` leaves out.
    """
    kind, value, outcome = said_sql("a", side.threshold)
    parts = []
    if meant is not None:
        parts.append(_label(meant, *meant_sql("a"), outcome, named[0]))
    if said is not None:
        parts.append(_label(said, kind, value, outcome, named[1]))
    if not parts:
        return "1", ()
    return " AND ".join(f"({sql})" for sql, _ in parts), [each for _, values in parts for each in values]


OUTCOME_PREFIX = "outcome:"
"""Kinds of labels that stand for an outcome, whatever was said: `outcome:right`."""


def _label(label: Label, kind: str, value: str, outcome: str, named: Sequence[str]) -> Sql:
    if label.kind.startswith(OUTCOME_PREFIX):
        return f"({outcome}) = ?", (label.kind.removeprefix(OUTCOME_PREFIX),)
    if label.kind == OTHER:
        marks = ", ".join("?" * len(named))
        return f"({kind}) = '{VALUE}' AND ({value}) NOT IN ({marks})", tuple(named)
    if label.kind == VALUE:
        return f"({kind}) = '{VALUE}' AND ({value}) = ?", (label.value,)
    return f"({kind}) = ?", (label.kind,)


def any_of(conditions: Sequence[Sql]) -> Sql:
    """At least one of these conditions holds."""
    return " OR ".join(f"({sql})" for sql, _ in conditions), [each for _, values in conditions for each in values]


def outcome_condition(outcomes: Sequence[str], side: Side) -> Sql:
    """The outcome is one of these."""
    _, _, outcome = said_sql("a", side.threshold)
    return f"({outcome}) IN ({', '.join('?' * len(outcomes))})", tuple(outcomes)


def view_condition(views: Sequence[str]) -> Sql:
    """The view is one of these."""
    return f"a.view IN ({', '.join('?' * len(views))})", tuple(views)


def disagreement_condition(differ: str, side: Side, other: Side) -> Sql:
    """Where this evaluation and the first of the others come out differently, both having measured and scored the case.

    Args:
        differ: `fixed`: the other is right and this one is not; `broken`: the other way round; `any`: either.
        side: this evaluation.
        other: the first of the others.
    """
    mine, theirs = said_sql("a", side.threshold)[2], said_sql("b0", other.threshold)[2]
    scored = f"b0.path IS NOT NULL AND ({mine}) <> 'unscored' AND ({theirs}) <> 'unscored'"
    right, other_right = f"(({mine}) = 'right')", f"(({theirs}) = 'right')"
    sql = {
        "fixed": f"{other_right} AND NOT {right}",
        "broken": f"{right} AND NOT {other_right}",
        "any": f"{right} <> {other_right}",
    }[differ]
    return f"{scored} AND {sql}", ()
