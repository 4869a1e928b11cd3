"""From a filter to SQL: column expressions from a list that the program wrote, everything else as parameters.

Every condition is made true or false, never NULL: a missing value matches nothing, so `not` and `!=` match it.
Text is compared without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from engine.filtering import And, Compare, Kind, Missing, Node, Not, Operator, Or, parse

NOTHING = "1"
"""The condition of an empty filter."""


class FilterColumn(NamedTuple):
    """What a column of a filter means to one statement."""

    expression: str
    """SQL that the program wrote, never data."""
    kind: Kind = Kind.TEXT


Condition = tuple[str, list[str | float]]
"""SQL, and a parameter for each `?` in it."""


def kinds_of(columns: Mapping[str, FilterColumn]) -> dict[str, Kind]:
    """The columns as the filter language knows them, for `parse` and `complete`."""
    return {name: column.kind for name, column in columns.items()}


def filter_condition(text: str, columns: Mapping[str, FilterColumn], words: str = "name") -> Condition:
    """A filter's text as a condition for WHERE; `words` is the column that bare words are looked for in.

    The connection must know `fold` (see `engine.store.functions`); those of `Reader` do.

    Raises:
        FilterError: the text is no filter of these columns.
    """
    return compile_filter(parse(text, kinds_of(columns), words), columns)


def compile_filter(node: Node | None, columns: Mapping[str, FilterColumn]) -> Condition:
    """A tree as a condition; every column that it names must be one of `columns`."""
    match node:
        case None:
            return NOTHING, []
        case Compare(column, operator, value):
            return _comparison(columns[column], operator, value)
        case Missing(column):
            return f"({columns[column].expression}) IS NULL", []
        case Not(part):
            condition, parameters = compile_filter(part, columns)
            return f"NOT ({condition})", parameters
        case And(parts):
            return _joined(" AND ", parts, columns)
        case Or(parts):
            return _joined(" OR ", parts, columns)


def _joined(word: str, parts: Iterable[Node], columns: Mapping[str, FilterColumn]) -> Condition:
    conditions, parameters = [], []
    for part in parts:
        condition, more = compile_filter(part, columns)
        conditions.append(f"({condition})")
        parameters += more
    return word.join(conditions), parameters


def _comparison(column: FilterColumn, operator: Operator, value: str | float) -> Condition:
    if operator is Operator.NOT_EQUAL:
        condition, parameters = _comparison(column, Operator.EQUAL, value)
        return f"NOT ({condition})", parameters
    if isinstance(value, str):
        return _text_comparison(column, operator, value)
    return f"(({column.expression}) {operator} ?) IS TRUE", [value]


def _text_comparison(column: FilterColumn, operator: Operator, value: str) -> Condition:
    # `instr` rather than LIKE: no wildcards to escape, no limit on the length, and a NUL does not end the text.
    function, wanted = ("lower", value.lower()) if value.isascii() else ("fold", value.casefold())
    text = f"{function}({column.expression})"
    if operator is Operator.CONTAINS:
        return f"(instr({text}, ?) > 0) IS TRUE", [wanted]
    if column.kind is Kind.TAGS:
        return f"(instr(', ' || {text} || ', ', ?) > 0) IS TRUE", [f", {wanted}, "]
    return f"({text} {operator} ?) IS TRUE", [wanted]
