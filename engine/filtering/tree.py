"""A filter as a tree: what was said, free of text, table and database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.filtering.kinds import Kind, write_number
from engine.filtering.tokens import quoted


class Operator(StrEnum):
    """How a column is compared with a value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Compare:
    """`column OP value`. A missing value matches nothing but `!=`, which is the same as `not =`."""

    column: str
    """As the table names it."""
    operator: Operator
    value: str | float
    """Text for a text column, else a number in the column's unit."""


@dataclass(frozen=True, slots=True)
class Missing:
    """`column is none`."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that `part` does not match, rows with missing values included."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All parts match; two at least, none of them an And."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts matches; two at least, none of them an Or."""

    parts: tuple[Node, ...]


Node = Compare | Missing | Not | And | Or

KEYWORDS = ("and", "or", "not", "contains", "is")
_BARE = re.compile(r"[A-Za-z0-9_./:%-]+")


def columns_of(node: Node | None) -> Iterator[str]:
    """Every column that a filter asks for, in the order of reading; the same one may come again."""
    match node:
        case Compare(column) | Missing(column):
            yield column
        case Not(part):
            yield from columns_of(part)
        case And(parts) | Or(parts):
            for each in parts:
                yield from columns_of(each)


def render(node: Node | None, columns: Mapping[str, Kind]) -> str:
    """The filter as text from which `parse` reads the same tree; `columns` as for `parse`."""
    match node:
        case None:
            return ""
        case Compare(column, operator, value):
            text = bare_or_quoted(value) if isinstance(value, str) else write_number(value, columns[column])
            return f"{bare_or_quoted(column)} {operator} {text}"
        case Missing(column):
            return f"{bare_or_quoted(column)} is none"
        case Not(Missing(column)):
            return f"{bare_or_quoted(column)} is set"
        case Not(part):
            return f"not {_nested(part, columns)}"
        case And(parts):
            return " and ".join(_nested(each, columns) for each in parts)
        case Or(parts):
            return " or ".join(_nested(each, columns) for each in parts)


def _nested(node: Node, columns: Mapping[str, Kind]) -> str:
    text = render(node, columns)
    return f"({text})" if isinstance(node, And | Or) else text


def bare_or_quoted(text: str) -> str:
    """`text` as a word where it can stand alone, in quotes otherwise."""
    return text if _BARE.fullmatch(text) and text.lower() not in KEYWORDS else quoted(text)
