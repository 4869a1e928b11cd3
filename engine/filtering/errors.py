"""What is wrong with a filter, and where."""

from __future__ import annotations

import unicodedata

from engine.errors import UsageError
from engine.text import one_line

AROUND = 35
"""Characters shown before and after the place; a pasted page shall not fill the screen."""


class FilterError(UsageError):
    """A filter that can't be understood; the reason shows the text with a caret under the place."""

    def __init__(self, problem: str, text: str, position: int, valid: str = "") -> None:
        """`problem` in one sentence, `position` in characters of `text` from 0, `valid`: what could stand there."""
        super().__init__(problem, _pointed_at(text, position), valid)
        self.text = text
        """The whole filter; untrusted."""
        self.position = position
        """Where in `text` it is, in characters from 0; `len(text)` where something is missing at the end."""


def _pointed_at(text: str, position: int) -> str:
    """Two lines: the text around the place, and the caret below it."""
    start, end = max(0, position - AROUND), position + AROUND
    lead = "…" if start else ""
    before = lead + one_line(text[start:position])
    after = one_line(text[position:end]) + ("…" if end < len(text) else "")
    return f"{before}{after}\n{' ' * sum(map(_cells, before))}^"


def _cells(character: str) -> int:
    """How many cells of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
