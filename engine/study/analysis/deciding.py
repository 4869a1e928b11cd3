"""Which figure decides, declared before anything runs."""

from __future__ import annotations

from engine.questions.vocabulary import NORMALITY
from engine.scoring.figure_values import FIGURES, check_figure
from engine.scoring.measures import PRIMARY
from engine.study.models import Decision
from engine.study.scaled import Scaled


def deciding_figure(scaled: Scaled, question: str, decision: Decision | None = None) -> str:
    """The figure of the decision, else of the study, else the main one of the question.

    Q7 on validation is decided by AUROC, which needs no threshold: one chosen on the same images would flatter. A
    figure that the study names but another of its questions lacks decides where it can; that question keeps its own.

    Raises:
        UsageError: the decision names a figure that the question does not have.
    """
    if decision is not None and decision.figure:
        check_figure(question, decision.figure)
        return decision.figure
    named = scaled.study.measure.figure
    if named in FIGURES[question]:
        return named
    if question == NORMALITY and scaled.study.measure.split == "validation":
        return "auroc"
    return PRIMARY[question]
