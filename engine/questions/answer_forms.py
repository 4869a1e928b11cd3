"""Answers in the form that a wording asks for: what a model is trained to say, chooses among, and is checked for. Pure.

Annotations stay as they are, and so do the targets of an evaluation: an answer is brought into a form where a model
must give it, never where it is held against the truth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.questions.parsing import parse_normality
from engine.questions.prompts import AnswerForm, answer_form
from engine.types import Verdict

VERDICT_WORDS: Mapping[Verdict, str] = {
    Verdict.NORMAL: "NORMAL",
    Verdict.ABNORMAL: "ABNORMAL",
    Verdict.UNCLEAR: "UNCLEAR",
}
"""The words of which the structured wording of Q7 asks for one, in the case in which it writes them."""

_WORD = f"(?:{'|'.join(VERDICT_WORDS.values())})"
_BEGIN = re.compile(rf"\s{{0,40}}(\*\*|__)?(?P<verdict>{_WORD})(?!_?[^\W_])[.:]?(?:\*\*|__)?(?P<rest>.*)", re.DOTALL)
_ANOTHER = re.compile(rf"\s*(?:,|/|\||\bor\b|\band\b)\s*{_WORD}\b")
"""Behind the first word: the list of the question itself, which chooses nothing."""
_LETTERS = re.compile(r"[^\W\d_]")


def formed_answer(question: str, wording: str, answer: str) -> str:
    """`answer` in the form that a wording asks for: `NORMAL. Normal for gestational age` for the structured one of Q7.

    An answer that already begins so, or that says no verdict (a broken cell), stays as it is. The verdict that
    `parse_normality` reads is the same before and after.

    Args:
        question: Q1 to Q8 or report.
        wording: name of the wording; most of them ask for no form, and neither does `own`.
        answer: as annotated; untrusted.
    """
    if answer_form(question, wording) is AnswerForm.FREE:
        return answer
    word = VERDICT_WORDS.get(parse_normality(answer))
    if word is None or answer.startswith(f"{word}. "):
        return answer
    return f"{word}. {answer}"


def in_form(form: AnswerForm, text: str) -> bool:
    """Whether an output has the form that a wording asks for; any text has the form `free`.

    `VERDICT_FIRST`: exactly one of the three words, in capitals, at the start, and a reason (some other word) behind
    it. White space before it, bold type by markdown (`**NORMAL**`), and any mark or line end before the reason are
    tolerated; other case, a heading (`Answer: NORMAL`), the words in a row (`NORMAL, ABNORMAL`) and the word alone
    are not.
    """
    if form is AnswerForm.FREE:
        return True
    found = _BEGIN.match(text)
    if found is None or _ANOTHER.match(found["rest"]):
        return False
    return bool(_LETTERS.search(re.sub(rf"\b{_WORD}\b", "", found["rest"])))
