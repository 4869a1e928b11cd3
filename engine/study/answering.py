"""What an answer has come to in one word, and what a study has answered in a line for each of its questions.

The same words stand on the command line, on the screens and in the report. Light and pure.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from engine.scoring.verdicts import SIGNIFICANT
from engine.study.results import Answer, StudyResult
from engine.text import one_line

YES, NO, BETTER, WORSE = "yes", "no", "better", "worse"
NOT_DISTINGUISHABLE = "not distinguishable"
UNDECIDED = "cannot be decided"
WAITING = "waiting"
WORDS = (YES, NO, BETTER, WORSE, NOT_DISTINGUISHABLE, UNDECIDED, WAITING)
"""Every word that an answer can come to."""
TESTED = ("better", "each")
"""Kinds of decisions that rest on a test against no difference."""
ALONE = "at_least"
"""The kind that holds an arm against a number."""
LATE = ("rule of decision was changed", "not declared beforehand")
"""Words of the warnings of a rule that was not declared before something had been measured under it."""
MOST_NAMED = 3
"""Arms of one word that a line names; of more, their number is told."""
_QUESTION = "{question}"


def answer_word(answer: Answer) -> str:
    """One of `WORDS`.

    A test that finds no difference has not shown that there is none, so it is not called a no. Whether any arm differs
    is answered by how: a no would be read as "it makes no difference" where the arm is worse.
    """
    if answer.waiting:
        return WAITING
    shown = _shown(answer) if answer.kind in TESTED else None
    if shown is False:
        return NOT_DISTINGUISHABLE
    if answer.holds is None:
        return UNDECIDED
    if answer.kind == "each" and shown:
        return BETTER if answer.holds else WORSE if _falls(answer) else NO
    return YES if answer.holds else NO


def _shown(answer: Answer) -> bool | None:
    """Whether a difference, in whichever direction, is shown by its interval and by its test; None without one."""
    found = answer.difference
    p = answer.p if answer.p_adjusted is None else answer.p_adjusted
    if found is None or found.low is None or found.high is None or p is None:
        return None
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None
    return (found.low > 0 or found.high < 0) and p < SIGNIFICANT


def _falls(answer: Answer) -> bool:
    return answer.difference is not None and answer.difference.value is not None and answer.difference.value < 0


def by_ask(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Answers by what was asked, in the order of the file; `ask` is untrusted text."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.ask, []).append(answer)
    return found


def summaries(result: StudyResult) -> tuple[str, ...]:
    """What a study has answered, a line for each of its decisions, on one line each.

    `basic against none: yes`, `none of 6 arms is distinguishable from none`,
    `weighted loss better, focal loss worse, 4 not distinguishable (against none)`,
    `yes for Q1 Q3, no for Q6, not decided for Q2`.
    """
    found: dict[tuple[str, str], list[Answer]] = {}
    for answer in result.answers:
        found.setdefault((answer.kind, _declared(answer)), []).append(answer)
    return tuple(_summary(answers) for answers in found.values())


def declared_late(result: StudyResult) -> bool:
    """Whether the rule that decides was changed, or first declared, after something had been measured."""
    return any(words in warning for warning in result.warnings for words in LATE)


def _declared(answer: Answer) -> str:
    """The question as the file has it: one decision that is asked for each question is still one."""
    return re.sub(rf"\b{re.escape(answer.question)}\b", _QUESTION, answer.ask) if answer.question else answer.ask


def _summary(answers: Sequence[Answer]) -> str:
    if answers[0].kind == "each":
        questions: dict[str, list[Answer]] = {}
        for answer in answers:
            questions.setdefault(answer.question, []).append(answer)
        lines = [(question, _any_arm(found)) for question, found in questions.items()]
        return "; ".join(f"{one_line(question)}: {line}" if len(lines) > 1 else line for question, line in lines)
    if len(answers) == 1:
        return f"{_pair(answers[0])}: {answer_word(answers[0])}"
    return _by_word(answers)


def _pair(answer: Answer) -> str:
    """`basic against none`; of an arm alone its name."""
    return f"{_name(answer.arm)} against {_name(answer.than)}" if answer.than else _name(answer.arm)


def _name(name: str) -> str:
    """A reference row in words; names of arms hold no underscore."""
    return one_line(name).replace("_", " ")


def _any_arm(answers: Sequence[Answer]) -> str:
    """Of one question that was asked of each arm."""
    counts = Counter(map(answer_word, answers))
    thans = list(dict.fromkeys(_name(answer.than) for answer in answers))
    than = thans[0] if len(thans) == 1 else "their own"
    if counts[NOT_DISTINGUISHABLE] == len(answers):
        if len(answers) == 1:
            return f"{_name(answers[0].arm)} is not distinguishable from {than}"
        return f"none of {len(answers)} arms is distinguishable from {than}"
    parts = []
    for word in (BETTER, WORSE, NO):
        arms = [_name(answer.arm) for answer in answers if answer_word(answer) == word]
        said = "not better" if word == NO else word
        parts += [f"{arm} {said}" for arm in arms[:MOST_NAMED]]
        parts += [f"{len(arms) - MOST_NAMED} more {said}"] if len(arms) > MOST_NAMED else []
    parts += [f"{counts[word]} {_short(word)}" for word in WORDS[4:] if counts[word]]
    parts += [f"{counts[YES]} {YES}"] if counts[YES] else []
    return f"{', '.join(parts)} (against {than})"


def _by_word(answers: Sequence[Answer]) -> str:
    """Of one decision that was asked for several questions."""
    parts = []
    for word in WORDS:
        questions = [one_line(answer.question) for answer in answers if answer_word(answer) == word]
        parts += [f"{_short(word)} for {' '.join(questions)}"] if questions else []
    return ", ".join(parts)


def _short(word: str) -> str:
    return "not decided" if word == UNDECIDED else word
