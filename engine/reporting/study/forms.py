"""How figures, arms and counts of a study are written. Light."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from engine.formatting import UNKNOWN
from engine.reporting.names import REFERENCES, cut, difference_text, interval_text, measure_title, question_title
from engine.study.results import Answer, ArmFigure, Estimate, StudyResult
from engine.text import one_line
from engine.types import Reference, Score

LONGEST = 40
"""Characters of a name in a plot."""
UNTUNED = "untuned"
"""How a study file calls the model as it was before training."""
_SAFE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_REFERENCE_WORDS = {**REFERENCES, UNTUNED: REFERENCES[Reference.BASE]}


def title_of(result: StudyResult) -> str:
    """`Layer ablation (incomplete)`; the mark is a part of the title, so that no excerpt loses it."""
    return one_line(result.title) + ("" if result.complete else " (incomplete)")


def arm_title(name: str, *, reference: bool = False) -> str:
    """An arm by its name, a reference row in words."""
    return _REFERENCE_WORDS.get(name, one_line(name)) if reference else one_line(name)


def than_title(result: StudyResult, answer: Answer) -> str:
    """What an arm was held against: an arm, or a reference row in words."""
    arms = {each.arm for each in result.figures if not each.reference}
    return arm_title(answer.than, reference=answer.than not in arms)


def short_arm(name: str, *, reference: bool = False) -> str:
    """As `arm_title`, cut to fit a plot."""
    return cut(arm_title(name, reference=reference).strip() or UNKNOWN, LONGEST)


def figure_title(name: str) -> str:
    """`AUROC`, `sensitivity at specificity`."""
    return measure_title(name)


def axis_title(label: str) -> str:
    """What stands at an axis: a figure by its title, other words as they are."""
    return measure_title(one_line(label).strip())


def question_figure(question: str, figure: str) -> str:
    """`Q7 Normality Assessment: AUROC`."""
    return f"{question_title(question)}: {figure_title(figure)}"


def defined(estimate: Estimate) -> Estimate:
    """The estimate; what is no finite number is undefined."""
    value, low, high = (
        each if each is not None and math.isfinite(each) else None
        for each in (estimate.value, estimate.low, estimate.high)
    )
    return Estimate(value, low, high, estimate.n)


def estimate_text(estimate: Estimate, *, n: bool = False) -> str:
    """`0.84 (0.75–0.92)`, with `n` also `, n = 304`; a dash where undefined."""
    found = defined(estimate)
    return interval_text(Score("all", "", found.value, found.low, found.high, found.n), n=n)


def change_text(estimate: Estimate | None) -> str:
    """`+0.12 (0.05 to 0.19)`; a dash where undefined."""
    found = None if estimate is None else defined(estimate)
    if found is None or found.value is None:
        return UNKNOWN
    return difference_text(found.value, found.low, found.high)


def counts_text(counts: Iterable[int]) -> str:
    """`n = 240`, `n = 118–126`; "" without any."""
    found = sorted(set(counts))
    if not found:
        return ""
    return f"n = {found[0]:,}" if len(found) == 1 else f"n = {found[0]:,}–{found[-1]:,}"


def marks_text(figure: ArmFigure) -> str:
    """What a reader must know first; a dash for nothing."""
    return ", ".join(dict.fromkeys(one_line(mark) for mark in figure.marks)) or UNKNOWN


def file_name(words: str, fallback: str) -> str:
    """A name for a file: the words where they are small letters, digits and hyphens, so that no text becomes a path."""
    return words if len(words) <= 40 and _SAFE.fullmatch(words) else fallback


def questions_of(result: StudyResult) -> tuple[str, ...]:
    """Questions in their order."""
    return tuple(dict.fromkeys(each.question for each in result.figures))
