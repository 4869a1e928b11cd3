"""From text to words, quoted strings, operators and parentheses, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from engine.filtering.errors import FilterError


class Sort(Enum):
    """What a token is."""

    WORD = "word"
    STRING = "string"
    OPERATOR = "operator"
    OPEN = "("
    CLOSE = ")"


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a filter."""

    sort: Sort
    text: str
    """As written; a string without its quotes and escapes."""
    start: int
    end: int
    """Behind its last character."""

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case; a quoted one never is."""
        return self.sort is Sort.WORD and self.text.lower() in words

    @property
    def is_value(self) -> bool:
        """A word or a string."""
        return self.sort in (Sort.WORD, Sort.STRING)


QUOTES = "\"'"
WORD = re.compile(r"[^\s()=!<>~]+")
"""Everything else, so that model names, paths, numbers with units and names of views need no quotes."""
_OPERATOR = re.compile(r"==|!=|<=|>=|<>|=|<|>|~")
_SPACE = re.compile(r"\s+")
_ESCAPED = re.compile(r"\\([\\\"'])")


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a filter, one by one.

    Raises:
        FilterError: a quote is left open, or `!` stands alone.
    """
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            position = space.end()
        else:
            token = _token(text, position)
            yield token
            position = token.end


def _token(text: str, start: int) -> Token:
    first = text[start]
    if first in QUOTES:
        return _string(text, start)
    if first in "()":
        return Token(Sort(first), first, start, start + 1)
    if operator := _OPERATOR.match(text, start):
        return Token(Sort.OPERATOR, operator[0], start, operator.end())
    word = WORD.match(text, start)
    if word is None:  # only "!" is left
        raise FilterError("`!` alone means nothing", text, start, "Write `!=`, or `not` before a condition.")
    return Token(Sort.WORD, word[0], start, word.end())


def _string(text: str, start: int) -> Token:
    quote = text[start]
    end = start + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" and text[end + 1 : end + 2] in (*QUOTES, "\\") else 1
    if end >= len(text):
        raise FilterError("A quote is left open", text, start, f"Close it with {quote}.")
    return Token(Sort.STRING, _ESCAPED.sub(r"\1", text[start + 1 : end]), start, end + 1)


def quoted(text: str) -> str:
    """`text` as a string token."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
