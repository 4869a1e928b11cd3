"""Q7: the verdict, by `parse_normality`, which reads the raw text."""

from __future__ import annotations

from engine.questions.parsing import parse_normality
from engine.questions.reading import Reading, Status, read_as, unread
from engine.types import Verdict


def read_normality(text: str) -> Reading:
    """`normal` or `abnormal`; see `engine.questions.parsing` for what wins over what."""
    verdict = parse_normality(text)
    if verdict in (Verdict.NORMAL, Verdict.ABNORMAL):
        return read_as(verdict.value)
    return unread(Status.UNCLEAR if verdict is Verdict.UNCLEAR else Status.UNPARSEABLE)
