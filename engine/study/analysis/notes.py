"""How the figures and answers of a study were come by, in the sentences that its own kinds of them need."""

from __future__ import annotations

from collections.abc import Iterable

from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.study.analysis.words import FEW
from engine.study.results import Answer, ArmFigure

NOT_ADJUSTED = (
    "Whether an arm is non-inferior, or reaches a line, is read off its own 95 % interval: a false yes has a chance of "
    "about 2.5 % each. That is not adjusted (by Holm or otherwise) for how many such questions the study asks. With "
    f"fewer than {FEW} cases of a class none of them is answered."
)
AREAS = (
    "Intervals of AUROC come from DeLong's variance, on the logit scale for one arm, widened by what so few images of "
    "a class can hide (Hanley and McNeil; for differences put together by MOVER). Where a class has 10 to 25 images "
    "and its scores spread far more than those of the other, they are still too narrow."
)
THRESHOLDS = (
    "Intervals of the sensitivity at a specificity hold that other validation images would have given another "
    "threshold: validation is resampled too. p values, and the specificity reached, take the threshold as it is."
)


def notes_on(figures: Iterable[ArmFigure], decided: Iterable[Answer]) -> list[str]:
    """What holds for the figures and the answers of a result."""
    answers = list(decided)
    names = {each.figure for each in figures} | {each.figure for each in answers}
    found = [NOT_ADJUSTED] if any(each.kind in ("non_inferior", "at_least") for each in answers) else []
    found += [AREAS] if "auroc" in names else []
    return found + ([THRESHOLDS] if SENSITIVITY_AT_SPECIFICITY in names else [])
