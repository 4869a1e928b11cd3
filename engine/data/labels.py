"""What a case's answers say: the verdict that strata use, and the target text of a question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from engine.questions.parsing import parse_normality
from engine.questions.prompts import REPORT_ID, report_text
from engine.types import QUESTION_IDS, Verdict

UNANSWERED = "unanswered"
"""Label of a case without an answer to Q7; a name of its own beside the `Verdict` values."""


def case_label(answers: Mapping[str, str]) -> str:
    """Label by which a case is stratified: the verdict of its Q7 answer, or `UNANSWERED`."""
    verdict = case_verdict(answers)
    return UNANSWERED if verdict is None else verdict.value


def case_verdict(answers: Mapping[str, str]) -> Verdict | None:
    """Verdict of the Q7 answer; None where there is none."""
    answer = answers.get("Q7")
    return None if answer is None else _verdict(answer)


@lru_cache(maxsize=4096)
def _verdict(answer: str) -> Verdict:
    """Thousands of images share a few dozen answers, and an import asks three times for each."""
    return parse_normality(answer)


def target_text(answers: Mapping[str, str], question: str) -> str | None:
    """The answer to train on and to score against; the eight-section text for `report`.

    None where the case has no such answer; a report needs all eight.
    """
    if question != REPORT_ID:
        return answers.get(question)
    return report_text(answers) if all(answers.get(each) is not None for each in QUESTION_IDS) else None
