"""Which measures two subjects are compared by, and the value of each on every shared image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.questions.vocabulary import NORMALITY
from engine.scoring.cases import AnsweredCase, probability_of
from engine.scoring.intervals import Figures
from engine.scoring.measures import (
    PRIMARY,
    GradedValues,
    Readers,
    graded_measures,
    right_answers,
    target_classes,
    within_one_bin,
)
from engine.scoring.paired import PairedValues
from engine.scoring.pairing import Pairs
from engine.types import Verdict

CLASSES = (Verdict.NORMAL, Verdict.ABNORMAL)


@dataclass(frozen=True, slots=True)
class AurocPairs:
    """P(abnormal) of both subjects on the images on which both have one."""

    abnormal: NDArray[np.bool_]
    first: Figures
    second: Figures


@dataclass(frozen=True, slots=True)
class Sides:
    """Two subjects, image by image."""

    paths: list[str]
    right_first: NDArray[np.bool_]
    """Whether the first is right, shape (images,)."""
    right_second: NDArray[np.bool_]
    measures: list[PairedValues]
    """The primary measure first; empty where it is undefined on these images."""
    primary: str
    """Name of the primary measure."""
    undefined: str = ""
    """Why there is no primary measure."""
    auroc: AurocPairs | None = None
    """Q7 alone, where both have probabilities for cases of both classes."""


def sides_of(
    question: str,
    pairs: Pairs[AnsweredCase],
    thresholds: tuple[float | None, float | None],
    readers: Readers,
    *,
    primary_only: bool = False,
) -> Sides:
    """All measures of a question, the primary one first.

    Args:
        question: Q1 to Q8.
        pairs: the cases of both subjects.
        thresholds: of the first and the second on P(abnormal); Q7 alone.
        readers: how texts are read.
        primary_only: leave out whatever the verdict does not need.
    """
    paths = [case.path for case in pairs.first]
    if question == NORMALITY:
        return _normality_sides(pairs, thresholds, paths, primary_only)
    first, second = right_answers(pairs.first), right_answers(pairs.second)
    measures = []
    if question == "Q6":
        if paths:
            measures.append(PairedValues("macro_recall", first, second, target_classes(pairs.first)))
    else:
        measures += _graded_pairs(question, pairs, readers, primary_only)
    measures.append(PairedValues.mean("accuracy", first, second))
    if question == "Q5" and not primary_only:
        near = [within_one_bin(side, readers.bin_index) for side in (pairs.first, pairs.second)]
        measures.append(PairedValues.mean("within_one_bin", *near))
    primary = PRIMARY[question]
    measures.sort(key=lambda values: values.name != primary)
    return Sides(
        paths,
        first > 0,
        second > 0,
        (measures[:1] if primary_only else measures) if paths else [],
        primary,
        undefined="" if paths else "no image has a target that can be read",
    )


def _graded_pairs(
    question: str, pairs: Pairs[AnsweredCase], readers: Readers, primary_only: bool
) -> list[PairedValues]:
    return [
        PairedValues.mean(measure.name, GradedValues(measure, pairs.first).own, GradedValues(measure, pairs.second).own)
        for measure in graded_measures(question, readers)
        if not primary_only or measure.name == PRIMARY[question]
    ]


def _normality_sides(
    pairs: Pairs[AnsweredCase],
    thresholds: tuple[float | None, float | None],
    paths: list[str],
    primary_only: bool,
) -> Sides:
    """Each subject decides at its own threshold; where either has no probabilities, both are judged by their texts."""
    kept = [number for number, case in enumerate(pairs.first) if case.target.value in CLASSES]
    first, second = [pairs.first[number] for number in kept], [pairs.second[number] for number in kept]
    paths = [paths[number] for number in kept]
    abnormal = np.array([case.target.value == Verdict.ABNORMAL for case in first], dtype=bool)
    p_first, p_second = _probabilities(first), _probabilities(second)
    known = np.isfinite(p_first) & np.isfinite(p_second)
    by_text = None in thresholds or not np.isfinite(p_first).any() or not np.isfinite(p_second).any()
    prefix = "text_" if by_text else ""
    if by_text:
        rights = [right_answers(first), right_answers(second)]
    else:
        rights = [
            _called_right(p, abnormal, threshold or 0.0)
            for p, threshold in zip((p_first, p_second), thresholds, strict=True)
        ]
    measures = []
    if abnormal.any() and not abnormal.all():
        measures.append(PairedValues(f"{prefix}balanced_accuracy", rights[0], rights[1], abnormal.astype(np.intp)))
    if measures and not primary_only:
        for name, members in (("sensitivity", abnormal), ("specificity", ~abnormal)):
            measures.append(PairedValues.mean(prefix + name, rights[0][members], rights[1][members]))
        measures.append(PairedValues.mean(f"{prefix}accuracy", rights[0], rights[1]))
    both = abnormal[known].any() and not abnormal[known].all()
    return Sides(
        paths,
        rights[0] > 0,
        rights[1] > 0,
        measures,
        f"{prefix}balanced_accuracy",
        undefined=_lacking(abnormal),
        auroc=AurocPairs(abnormal[known], p_first[known], p_second[known]) if both and not primary_only else None,
    )


def _probabilities(cases: Sequence[AnsweredCase]) -> Figures:
    """P(abnormal) of each case, NaN where there is none."""
    given = map(probability_of, cases)
    return np.array([np.nan if p is None else p for p in given], dtype=np.float64)


def _called_right(p: Figures, abnormal: NDArray[np.bool_], threshold: float) -> Figures:
    """1 where the decision at the threshold is right; a case without a probability is not."""
    right = np.isfinite(p) & ((p >= threshold) == abnormal)
    return np.asarray(right, dtype=np.float64)


def _lacking(abnormal: NDArray[np.bool_]) -> str:
    if not len(abnormal):
        return "no image has a target that is normal or abnormal"
    if abnormal.any() and not abnormal.all():
        return ""
    return f"none of {len(abnormal):,} images is {'normal' if abnormal.all() else 'abnormal'}"
