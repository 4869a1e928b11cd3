"""What may stand at the cursor of a half-written filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from engine.filtering.errors import FilterError
from engine.filtering.kinds import Kind
from engine.filtering.tokens import WORD, Sort, Token, tokens
from engine.filtering.tree import Operator, bare_or_quoted


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text that may replace `text[start:end]` of the filter."""

    text: str
    start: int
    end: int
    kind: str
    """column, operator or keyword."""


class _Expected(Enum):
    CONDITION = "a column, `not`, or part of a name"
    OPERATOR = "an operator, or the next condition"
    VALUE = "a value"
    PRESENCE = "none or set"
    JOINT = "and, or"


_TEXT = (Operator.CONTAINS, Operator.EQUAL, Operator.NOT_EQUAL)
_ORDER = (Operator.AT_LEAST, Operator.AT_MOST, Operator.ABOVE, Operator.BELOW)
_OPERATORS: Mapping[Kind, Sequence[str]] = {
    Kind.TEXT: _TEXT,
    Kind.TAGS: _TEXT,
    Kind.TIME: _ORDER,
    **dict.fromkeys(
        (Kind.NUMBER, Kind.SHARE, Kind.BYTES, Kind.DURATION), (*_ORDER, Operator.EQUAL, Operator.NOT_EQUAL)
    ),
}
_JOINTS = ("and", "or")


def complete(text: str, cursor: int, columns: Mapping[str, Kind]) -> list[Suggestion]:
    """Suggestions for the word at the cursor, those that begin with it first; none inside quotes or a value.

    Args:
        text: a filter, finished or not; may be anything.
        cursor: in characters from 0; values outside the text mean its ends.
        columns: as for `parse`.
    """
    cursor = min(max(cursor, 0), len(text))
    try:
        before = list(tokens(text[:cursor]))
    except FilterError:
        return []  # an open quote: its content is the user's own
    start = end = cursor
    if before and before[-1].sort is Sort.WORD and before[-1].end == cursor:
        start = before.pop().start
    if rest := WORD.match(text, cursor):
        end = rest.end()
    offered = _offered(_expected(before), before, columns)
    prefix = text[start:cursor].lower()
    begins = [each for each in offered if each[0].lower().startswith(prefix)]
    inside = [each for each in offered if prefix in each[0].lower() and each not in begins]
    return [Suggestion(bare_or_quoted(word) if kind == "column" else word, start, end, kind)
            for word, kind in begins + inside]  # fmt: skip


def _offered(expected: _Expected, before: Sequence[Token], columns: Mapping[str, Kind]) -> list[tuple[str, str]]:
    match expected:
        case _Expected.CONDITION:
            return [*_as("column", columns), ("not", "keyword")]
        case _Expected.OPERATOR:
            known = {name.lower(): kind for name, kind in columns.items()}
            kind = known.get(before[-1].text.lower())
            if before[-1].is_word("not"):
                return [("contains", "operator")]
            if kind is None:
                return _as("keyword", _JOINTS)
            return [*_as("operator", _OPERATORS[kind]), ("is", "operator")]
        case _Expected.PRESENCE:
            return _as("keyword", ("none", "set"))
        case _Expected.JOINT:
            return _as("keyword", _JOINTS)
        case _Expected.VALUE:
            return []


def _as(kind: str, words: Iterable[str]) -> list[tuple[str, str]]:
    return [(str(word), kind) for word in words]


def _expected(before: Iterable[Token]) -> _Expected:
    """What may follow these tokens; wrong ones are taken as well as they can be."""
    expected = _Expected.CONDITION
    for token in before:
        expected = _after(expected, token)
    return expected


def _after(expected: _Expected, token: Token) -> _Expected:
    if token.sort is Sort.OPERATOR:
        return _Expected.VALUE
    if token.sort is Sort.OPEN or token.is_word(*_JOINTS):
        return _Expected.CONDITION
    if token.sort is Sort.CLOSE or expected in (_Expected.VALUE, _Expected.JOINT):
        return _Expected.JOINT
    if expected is _Expected.PRESENCE:
        return _Expected.PRESENCE if token.is_word("not") else _Expected.JOINT
    if token.is_word("contains"):
        return _Expected.VALUE
    if token.is_word("is"):
        return _Expected.PRESENCE
    return expected if token.is_word("not") else _Expected.OPERATOR
