"""What normalisation makes of the answers of a dataset: a table for people to check, and what was left for them to
decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.questions.answers import SETS, formed, normalise, read_answer
from engine.questions.normalise.layers import ALL_LAYERS, LONGEST_READ, Layer, Layers
from engine.questions.normalise.spelling import is_known_word
from engine.questions.parsers.gestational_age import why_unread
from engine.questions.parsers.structures import unknown_elements
from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Reading, Status
from engine.questions.serving_errors import is_serving_error
from engine.questions.words import tokens

MOST_WORDS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Change:
    """What one distinct answer became."""

    raw: str
    """As it stands in the data; untrusted."""
    count: int
    canonical: str
    """Canonical form; where it was left alone, the text after the layers `text` and `spelling`."""
    layers: tuple[Layer, ...]
    """Layers that changed something, in order."""
    left_alone: bool
    """No meaning was found in it: a person should look."""
    reason: str
    """Why it was left alone, or which part of it is unknown; empty where everything was understood."""


def trace(question: str, answers: Iterable[str], layers: Layers = ALL_LAYERS) -> list[Change]:
    """One row for each distinct raw answer: those left alone first, then by count (most frequent first) and text.

    Args:
        question: id, Q1 to Q8 or `report`.
        answers: raw answers, one an image; each distinct one is worked on once.
        layers: layers to apply. Without `meaning` nothing is read, and so nothing is left alone but empty text.

    Raises:
        KeyError: for a question that does not exist.
    """
    changes = [_change(question, raw, count, layers) for raw, count in Counter(answers).items()]
    return sorted(changes, key=lambda change: (not change.left_alone, -change.count, change.raw))


def _change(question: str, raw: str, count: int, layers: Layers) -> Change:
    cleaned = formed(raw, layers & {Layer.TEXT})
    form = formed(raw, layers)
    canonical = normalise(question, raw, layers)
    steps = ((Layer.TEXT, raw, cleaned), (Layer.SPELLING, cleaned, form), (Layer.MEANING, form, canonical))
    changed = tuple(layer for layer, before, after in steps if before != after)
    reading = read_answer(question, raw, layers)
    left_alone = reading.status is not Status.READ
    reason = _why(question, raw, form, reading) if left_alone else _unknown_part(question, form, layers)
    return Change(raw, count, canonical, changed, left_alone, reason)


def _why(question: str, raw: str, form: str, reading: Reading) -> str:
    if not raw.strip():
        return "empty"
    if len(form) > LONGEST_READ:
        return f"longer than {LONGEST_READ:,} characters"
    if is_serving_error(raw):
        return "an error of a server"
    if question == "Q5":
        return why_unread(form)
    if reading.status is Status.UNCLEAR:
        return "says that it cannot be told, or names several answers"
    if question == REPORT_ID:
        return "no section titles found"
    unknown = [word for word in dict.fromkeys(tokens(form)) if word[0].isalpha() and not is_known_word(word)]
    return _named(unknown) if unknown else "no answer to this question found"


def _unknown_part(question: str, form: str, layers: Layers) -> str:
    """Elements of a list that are no term of the domain; they count as items of their own."""
    if question not in SETS or Layer.MEANING not in layers or len(form) > LONGEST_READ:
        return ""
    reading = read_answer(question, form, layers)
    return _named(sorted(unknown_elements(form) & set(reading.items)))


def _named(words: list[str]) -> str:
    more = len(words) - MOST_WORDS_NAMED
    return (
        f"unknown words: {', '.join(words[:MOST_WORDS_NAMED])}{f' and {more} more' if more > 0 else ''}"
        if words
        else ""
    )
