"""Every figure that a question can be decided by, as a value an image: what a mean, an area or a test is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.scoring.bootstrap import Strata
from engine.scoring.cases import AnsweredCase, probability_of
from engine.scoring.coherence import ImageRules, kept_shares
from engine.scoring.figure_names import FIGURES as FIGURES
from engine.scoring.figure_names import SENSITIVITY_AT_SPECIFICITY, TEXT
from engine.scoring.figure_names import check_figure as check_figure
from engine.scoring.intervals import Figures
from engine.scoring.measures import (
    GradedValues,
    Readers,
    graded_measures,
    right_answers,
    target_classes,
    within_one_bin,
)
from engine.scoring.reports import ReportCase
from engine.scoring.seed_values import Kind
from engine.types import QUESTION_IDS, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class ImageValues:
    """One figure of one measurement."""

    kind: Kind
    values: Figures
    """Shape (images,); NaN where an image says nothing about the figure."""
    classes: Strata
    """Class of each image by its target, shape (images,)."""


def case_values(
    question: str, figure: str, cases: Sequence[AnsweredCase], threshold: float | None, readers: Readers
) -> ImageValues:
    """One figure of answers to Q1 to Q8.

    Args:
        question: Q1 to Q8.
        figure: one of `FIGURES`.
        cases: in path order; those whose target cannot be read have no value.
        threshold: on P(abnormal), Q7 alone; for the sensitivity at a specificity the one of validation.
        readers: how texts are read.

    Raises:
        UsageError: the question has no such figure.
    """
    check_figure(question, figure)
    if question == NORMALITY:
        return _normality(figure, cases, threshold)
    unscored = np.array([case.outcome is Outcome.UNSCORED for case in cases], dtype=bool)
    graded = {measure.name: measure for measure in graded_measures(question, readers)}
    if figure in graded:
        values = GradedValues(graded[figure], cases).own
    elif figure == "within_one_bin":
        values = within_one_bin(cases, readers.bin_index)
    else:
        values = right_answers(cases)
    classes = target_classes(cases) if figure == "macro_recall" else np.zeros(len(cases), dtype=np.intp)
    return ImageValues(Kind.MEAN, np.where(unscored, np.nan, values), classes)


def report_values(figure: str, cases: Sequence[ReportCase]) -> ImageValues:
    """One figure of combined reports; see `reports.score_report` for what each means.

    Raises:
        UsageError: reports have no such figure.
    """
    check_figure(REPORT_ID, figure)
    value = _REPORT.get(figure) or _section(figure.removesuffix("_accuracy"))
    values = np.array([value(case) for case in cases], dtype=np.float64)
    unscored = np.array([case.outcome is Outcome.UNSCORED for case in cases], dtype=bool)
    return ImageValues(Kind.MEAN, np.where(unscored, np.nan, values), np.zeros(len(cases), dtype=np.intp))


def _normality(figure: str, cases: Sequence[AnsweredCase], threshold: float | None) -> ImageValues:
    targets = [case.target.value if case.outcome is not Outcome.UNSCORED else "" for case in cases]
    abnormal = np.array([target == Verdict.ABNORMAL for target in targets], dtype=bool)
    normal = np.array([target == Verdict.NORMAL for target in targets], dtype=bool)
    p = np.array([np.nan if (each := probability_of(case)) is None else each for case in cases], dtype=np.float64)
    decided = abnormal | normal
    classes = abnormal.astype(np.intp)
    none = np.zeros(len(cases), dtype=np.intp)
    if figure == "auroc":
        return ImageValues(Kind.AUROC, np.where(decided, _ranked(p, abnormal), np.nan), classes)
    right = _right(cases, p, abnormal, None if figure.startswith(TEXT) else threshold)
    name = figure.removeprefix(TEXT)
    if name in ("sensitivity", SENSITIVITY_AT_SPECIFICITY):
        return ImageValues(Kind.MEAN, np.where(abnormal, right, np.nan), none)
    if name == "specificity":
        return ImageValues(Kind.MEAN, np.where(normal, right, np.nan), none)
    if name == "accuracy":
        return ImageValues(Kind.MEAN, np.where(decided, right, np.nan), none)
    values = np.where(decided & (abnormal.any() & normal.any()), right, np.nan)
    return ImageValues(Kind.MCC if name == "mcc" else Kind.MEAN, values, classes)


def _right(cases: Sequence[AnsweredCase], p: Figures, abnormal: NDArray[np.bool_], threshold: float | None) -> Figures:
    """1 where the call is right: at the threshold, or by the text where there is none or nothing was scored."""
    if threshold is None or not np.isfinite(p).any():
        return right_answers(cases)
    return np.asarray(np.isfinite(p) & ((p >= threshold) == abnormal), dtype=np.float64)


def _ranked(p: Figures, abnormal: NDArray[np.bool_]) -> Figures:
    """P(abnormal) to rank by: what has none is as wrong as can be, unless nothing was scored at all."""
    worst = np.where(abnormal, 0.0, 1.0)
    return np.where(np.isfinite(p), p, worst) if np.isfinite(p).any() else p


def _completeness(case: ReportCase) -> float:
    return len(case.present.intersection(QUESTION_IDS)) / len(QUESTION_IDS)


def _section_accuracy(case: ReportCase) -> float:
    outcomes = [case.sections.get(question, Outcome.UNPARSEABLE) for question in QUESTION_IDS]
    n = len(outcomes) - outcomes.count(Outcome.UNSCORED)
    return outcomes.count(Outcome.RIGHT) / n if n else np.nan


def _coherence(case: ReportCase) -> float:
    return float(kept_shares([ImageRules(case.path, case.view, case.applied, case.broken)])[0])


def _coherent(case: ReportCase) -> float:
    share = _coherence(case)
    return share if np.isnan(share) else float(share == 1)


def _section(question: str) -> Callable[[ReportCase], float]:
    def value(case: ReportCase) -> float:
        outcome = case.sections.get(question, Outcome.UNPARSEABLE)
        return np.nan if outcome is Outcome.UNSCORED else float(outcome is Outcome.RIGHT)

    return value


_REPORT: dict[str, Callable[[ReportCase], float]] = {
    "section_accuracy": _section_accuracy,
    "completeness": _completeness,
    "coherence": _coherence,
    "coherent_reports": _coherent,
    "accuracy": lambda case: float(case.outcome is Outcome.RIGHT),
}
