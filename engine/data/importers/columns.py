"""Which column holds what: heads that people write, matched with those of the annotation sheet. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from engine.questions.prompts import QUESTIONS
from engine.types import QUESTION_IDS

FOLDER, IMAGE, STATUS = "Folder Name", "Image Name", "Status"
CLOSE = 0.85
"""Similarity from which a misspelt head counts."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    FOLDER: ("foldername", "folder", "view", "viewname"),
    IMAGE: ("imagename", "image", "imagefile", "filename", "file"),
    STATUS: ("status", "annotationstatus"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the parts of a row stand."""

    places: Mapping[str, int]
    """Column by `FOLDER`, `IMAGE`, `STATUS` and question id, from 0 on."""
    forgiven: Sequence[tuple[str, str]] = ()
    """(head as written, head of the annotation sheet) where the two differ."""
    repeated: Sequence[tuple[str, str, str]] = ()
    """(meaning, head, other head) of columns that mean the same: which one is right cannot be known."""
    ignored: Sequence[str] = field(default_factory=list)
    """Heads without a meaning here."""

    @property
    def questions(self) -> list[str]:
        """Questions that have a column, from Q1 to Q8."""
        return [question for question in QUESTION_IDS if question in self.places]


def find_columns(heads: Sequence[str]) -> Columns:
    """Match the heads of a table with the parts of the annotation sheet."""
    places: dict[str, int] = {}
    forgiven, repeated, ignored = [], [], []
    for place, head in enumerate(heads):
        if not head.strip():
            continue
        meaning = meaning_of(head)
        if meaning is None:
            ignored.append(head)
        elif meaning in places:
            repeated.append((meaning, heads[places[meaning]], head))
        else:
            places[meaning] = place
            proper = QUESTIONS[meaning].column if meaning in QUESTIONS else meaning
            if head != proper:
                forgiven.append((head, proper))
    return Columns(places, forgiven, repeated, ignored)


def meaning_of(head: str) -> str | None:
    """`FOLDER`, `IMAGE`, `STATUS` or a question id; None for any other head.

    Spaces, case, colons and underscores don't matter; `Q5` alone, the label alone, and slight misspellings will do.
    """
    if len(head) > 120:
        return None
    key = _plain(head)
    for meaning, names in _ALIASES.items():
        if key in names:
            return meaning
    numbered = re.match(r"\W*q(?:uestion)?[\W_]*([1-8])(?![0-9])", head.casefold())
    if numbered:
        return f"Q{numbered[1]}"
    labels = _labels()
    if key in labels:
        return labels[key]
    close = difflib.get_close_matches(key, labels, n=1, cutoff=CLOSE)
    return labels[close[0]] if close else None


@cache
def _labels() -> Mapping[str, str]:
    """Plain label by question, and the plain names of the three other columns."""
    labels = {_plain(question.column.split(":", 1)[1]): question.id for question in QUESTIONS.values()}
    return {**labels, _plain(FOLDER): FOLDER, _plain(IMAGE): IMAGE}


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
