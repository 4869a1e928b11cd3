"""By which figures a question can be decided: names alone, without numpy, for whoever checks a study file."""

from __future__ import annotations

from difflib import get_close_matches

from engine.errors import UsageError
from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.text import one_line
from engine.types import QUESTION_IDS

SENSITIVITY_AT_SPECIFICITY = "sensitivity_at_specificity"
"""Name of the figure of `engine.scoring.operating_point`."""
DECIDED = ("balanced_accuracy", "sensitivity", "specificity", "accuracy")
"""Figures of Q7 that need a verdict for each image."""
TEXT = "text_"
"""Before a figure of Q7 that takes its verdicts from the answers themselves."""
FIGURES: dict[str, tuple[str, ...]] = {
    "Q1": ("f2", "set_precision", "set_recall", "accuracy"),
    "Q2": ("accuracy", "keyword_agreement"),
    "Q3": ("accuracy", "keyword_agreement"),
    "Q4": ("f1", "set_precision", "set_recall", "accuracy"),
    "Q5": ("accuracy", "within_one_bin"),
    "Q6": ("macro_recall", "accuracy"),
    NORMALITY: (*DECIDED, "mcc", "auroc", SENSITIVITY_AT_SPECIFICITY, *(TEXT + name for name in DECIDED)),
    "Q8": ("accuracy", "chrf"),
    REPORT_ID: (
        "section_accuracy",
        "completeness",
        "coherence",
        "coherent_reports",
        "accuracy",
        *(f"{question}_accuracy" for question in QUESTION_IDS),
    ),
}
"""Figures by question, by which it can be decided: more is better in each, and each has a paired test."""


def check_figure(question: str, figure: str) -> None:
    """Refuse a figure that a question does not have.

    Raises:
        UsageError: it names those that there are.
    """
    known = FIGURES[question]
    if figure not in known:
        near = get_close_matches(figure[:60], known, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"{question} cannot be decided by {one_line(figure)[:60]}",
            f"{hint}Its figures: {', '.join(known)}.",
            "Change `figure` in the study file.",
        )
