"""How an output is read and held against its target. Pure and light."""

from __future__ import annotations

from engine.questions.parsing import parse_normality
from engine.questions.vocabulary import NORMALITY, normalise_answer
from engine.types import Verdict


def judge(question: str, output: str, target: str) -> tuple[str, str, bool | None]:
    """Output and target as they are read, and whether they agree.

    Q7 compares verdicts; None where one of them cannot be read, so that it counts as neither right nor wrong. The
    other questions compare the text after normalisation; an empty output is not read.
    """
    if question == NORMALITY:
        said, meant = parse_normality(output), parse_normality(target)
        unread = Verdict.UNPARSEABLE in (said, meant)
        return said.value, meant.value, None if unread else said is meant
    said_text, meant_text = normalise_answer(output), normalise_answer(target)
    return said_text, meant_text, said_text == meant_text if said_text and meant_text else None
