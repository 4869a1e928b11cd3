"""Which of the eight questions a user message asks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache

from engine.questions.prompts import QUESTIONS

CLOSE = 0.85
"""Similarity from which a misspelt label counts ("Gestational Agee"); unrelated labels stay under 0.6."""


def recognise_question(text: str) -> str | None:
    """Question id of a user message, by its label ("Plane Evaluation: ..."), else by its whole text; None if unknown.

    Letter case, punctuation, spaces, a leading "Q7:" and an <image> tag don't matter; a label may be slightly misspelt.
    """
    plain = _plain(text)
    if (question := _prompts().get(plain)) is not None:
        return question
    numbered = re.match(r"q([1-8])\b", plain)
    if numbered:
        return f"Q{numbered[1]}"
    for label, question in _labels().items():  # longest first
        if plain == label or plain.startswith(label + " "):
            return question
    head = _plain(text.replace("<image>", " ").strip().split(":", 1)[0]) if ":" in text else ""
    close = difflib.get_close_matches(head, _labels(), n=1, cutoff=CLOSE) if len(head) <= 60 else []
    return _labels()[close[0]] if close else None


@cache
def _labels() -> Mapping[str, str]:
    """Every title and label in plain form, longest first, so that none hides behind a shorter one."""
    labels: dict[str, str] = {}
    for question in QUESTIONS.values():
        column = question.column.split(":", 1)[-1]
        detailed = question.prompts["detailed"].split(":", 1)[0]
        for label in (question.title, column, detailed):
            labels[_plain(label)] = question.id
    return dict(sorted(labels.items(), key=lambda item: (-len(item[0]), item[0])))


@cache
def _prompts() -> Mapping[str, str]:
    return {_plain(wording): question.id for question in QUESTIONS.values() for wording in question.prompts.values()}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.replace("<image>", " ").casefold()))
