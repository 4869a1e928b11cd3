"""A threshold on P(abnormal) that is fixed by specificity on validation, and what it finds on other images.

The threshold comes from normal validation images alone; nothing about the images that it judges can move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from engine.scoring.cases import AnsweredCase, probability_of, scored
from engine.scoring.figure_names import SENSITIVITY_AT_SPECIFICITY as SENSITIVITY_AT_SPECIFICITY
from engine.scoring.intervals import Figures
from engine.scoring.resampling import Resampling
from engine.types import Verdict


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with what it has reached on the images that it was chosen on."""

    threshold: float
    """A case with P(abnormal) at or above it is called abnormal; above 1 where no case may be."""
    specificity: float
    """On those validation images; at least what was asked for, more where several share a probability."""
    normals: int
    """Normal validation images."""


def threshold_at_specificity(normals: Figures, specificity: float, *, unanswered: int = 0) -> float | None:
    """The smallest threshold at which at least this share of normal images is called normal.

    The smallest one finds the most abnormal images that the specificity allows. It lies directly above the probability
    of a normal image (the next float); images that tie with that one fall below it as well, so what is reached may be
    more than what was asked for, never less. Equal to the best point of `sklearn.metrics.roc_curve` whose false
    positive rate is allowed, but for being a number above a score where that is a score itself.

    Args:
        normals: P(abnormal) of the normal images, shape (images,), finite.
        specificity: above 0, up to 1.
        unanswered: normal images without a probability, which no threshold calls normal.

    Returns:
        None where there is no normal image, or too many are unanswered.
    """
    needed = ceil(specificity * (len(normals) + unanswered) - 1e-9)
    if not len(normals) or needed > len(normals):
        return None
    highest = np.sort(normals)[max(needed, 1) - 1]
    return float(np.nextafter(highest, np.inf))


def operating_point(validation: Sequence[AnsweredCase], specificity: float) -> OperatingPoint | None:
    """The point that the validation cases of a subject fix; None where they cannot.

    Args:
        validation: answers to Q7; those whose target is normal count.
        specificity: that is wanted.
    """
    normal = _normal(validation)
    known = np.array([p for case in normal if (p := probability_of(case)) is not None], dtype=np.float64)
    threshold = threshold_at_specificity(known, specificity, unanswered=len(normal) - len(known))
    if threshold is None:
        return None
    return OperatingPoint(threshold, float((known < threshold).sum()) / len(normal), len(normal))


def redrawn_thresholds(validation: Sequence[AnsweredCase], specificity: float, resampling: Resampling) -> Figures:
    """The threshold that each resample of the normal validation cases would fix, shape (resamples,).

    As `threshold_at_specificity` on what was drawn; infinite where too many of the drawn cases have no probability.

    Args:
        validation: answers to Q7 in path order, at least one whose target is normal.
        specificity: that is wanted.
        resampling: of validation cases, apart from that of the cases that are judged; the same for every subject.
    """
    p = [probability_of(case) for case in _normal(validation)]
    known = np.array([np.inf if each is None else each for each in p], dtype=np.float64)
    order = np.argsort(known, kind="stable")
    needed = max(1, ceil(specificity * len(known) - 1e-9))
    places = [
        (np.cumsum(counts[:, order], axis=1) < needed).sum(axis=1)
        for counts in resampling.blocks(np.zeros(len(known), dtype=np.intp))
    ]
    return np.asarray(np.nextafter(known[order][np.concatenate(places)], np.inf), dtype=np.float64)


def _normal(validation: Sequence[AnsweredCase]) -> list[AnsweredCase]:
    return [case for case in scored(validation) if case.target.value == Verdict.NORMAL]
