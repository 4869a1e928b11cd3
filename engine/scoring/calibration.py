"""Whether P(abnormal) means what it says: calibration error, Brier score and the reliability curve.

The functions on counts take one resample or many at once: the last axis of `positives` and `negatives` runs over the
distinct probabilities in ascending order, as in `binary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scoring.intervals import Counts, Figures, wilson

BINS = 10
"""Equal-width bins of the calibration error that stands among the scores."""

Weights = Counts | Figures
"""Counts, perhaps as floating-point numbers: many resamples are multiplied much faster so."""

Bins = NDArray[np.intp]
"""Bin of each distinct probability, shape (probabilities,)."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One bin of the reliability curve."""

    mean_p: float
    """Mean P(abnormal) of the cases of the bin."""
    observed: float
    """Share of them that is abnormal."""
    low: float
    high: float
    n: int


def width_bins(probabilities: Figures, bins: int = BINS) -> Bins:
    """Bins of equal width over 0..1, a probability at an edge in the lower one, as in scikit-learn."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.asarray(np.searchsorted(edges[1:-1], probabilities), dtype=np.intp)


def mass_bins(probabilities: Figures, totals: Counts, bins: int = BINS) -> Bins:
    """Bins with equal numbers of cases, as far as equal probabilities allow; edges are quantiles as in scikit-learn.

    Args:
        probabilities: distinct, ascending.
        totals: cases with each of them.
        bins: number of bins; fewer remain where many cases share one probability.
    """
    # In percent, as scikit-learn asks: an edge that is rounded otherwise puts its case into the other bin.
    edges = np.percentile(np.repeat(probabilities, totals), np.linspace(0.0, 1.0, bins + 1) * 100)
    return np.asarray(np.searchsorted(edges[1:-1], probabilities), dtype=np.intp)


def brier(probabilities: Figures, positives: Weights, negatives: Weights) -> Figures:
    """Mean squared distance between P(abnormal) and 1 for an abnormal, 0 for a normal case (Brier 1950); 0 is best.

    Args:
        probabilities: distinct, shape (probabilities,).
        positives: abnormal cases with each, shape (..., probabilities); at least one case of either class in a row.
        negatives: normal cases with each, same shape.
    """
    squares = positives @ (1 - probabilities) ** 2 + negatives @ probabilities**2
    return np.asarray(squares / _cases(positives, negatives), dtype=np.float64)


def calibration_error(probabilities: Figures, positives: Weights, negatives: Weights, bins: Bins) -> Figures:
    """Expected calibration error (Naeini 2015): the mean over cases of |mean P(abnormal) - share abnormal| in its bin.

    It is never below 0 and grows with chance alone where bins have few cases; read it with n and the curve.

    Args:
        probabilities: distinct, shape (probabilities,).
        positives: abnormal cases with each, shape (..., probabilities); at least one case of either class in a row.
        negatives: normal cases with each, same shape.
        bins: bin of each probability.
    """
    members = np.zeros((len(probabilities), int(bins.max()) + 1))
    members[np.arange(len(probabilities)), bins] = 1.0
    p = probabilities[:, None]
    surplus = positives @ (members * (1 - p)) - negatives @ (members * p)
    return np.asarray(np.abs(surplus).sum(axis=-1) / _cases(positives, negatives), dtype=np.float64)


def _cases(positives: Weights, negatives: Weights) -> Figures:
    return np.asarray(positives.sum(axis=-1) + negatives.sum(axis=-1), dtype=np.float64)


def expected_calibration_error(
    p_abnormal: Sequence[float], abnormal: Sequence[bool], *, bins: int = BINS, equal_mass: bool = False
) -> float | None:
    """Calibration error of a list of cases, in equal-width or equal-mass bins; None without cases."""
    if not len(p_abnormal):
        return None
    probabilities, positives, negatives = _by_probability(p_abnormal, abnormal)
    return float(calibration_error(probabilities, positives, negatives,
                                   _bins(probabilities, positives + negatives, bins, equal_mass)))  # fmt: skip


def brier_score(p_abnormal: Sequence[float], abnormal: Sequence[bool]) -> float | None:
    """Brier score of a list of cases, equal to `sklearn.metrics.brier_score_loss`; None without cases."""
    return float(brier(*_by_probability(p_abnormal, abnormal))) if len(p_abnormal) else None


def reliability_curve(
    p_abnormal: Sequence[float], abnormal: Sequence[bool], *, bins: int = BINS, equal_mass: bool = False
) -> list[CurvePoint]:
    """Mean P(abnormal) and observed share of every bin that has a case, with the Wilson 95 % interval of the share.

    Equal to `sklearn.calibration.calibration_curve`.

    Args:
        p_abnormal: P(abnormal) of each case, in 0..1.
        abnormal: whether each is abnormal.
        bins: number of bins, usually 10 or 15.
        equal_mass: bins with equal numbers of cases instead of equal width.
    """
    if not len(p_abnormal):
        return []
    probabilities, positives, negatives = _by_probability(p_abnormal, abnormal)
    totals = positives + negatives
    places = _bins(probabilities, totals, bins, equal_mass)
    count = np.bincount(places, weights=totals).astype(int)
    found = np.bincount(places, weights=positives).astype(int)
    summed = np.bincount(places, weights=totals * probabilities)
    points = []
    for place in np.flatnonzero(count):
        n, hits = int(count[place]), int(found[place])
        low, high = wilson(hits, n)
        points.append(CurvePoint(float(summed[place] / n), hits / n, low or 0.0, 1.0 if high is None else high, n))
    return points


def _bins(probabilities: Figures, totals: Counts, bins: int, equal_mass: bool) -> Bins:
    return mass_bins(probabilities, totals, bins) if equal_mass else width_bins(probabilities, bins)


def _by_probability(p_abnormal: Sequence[float], abnormal: Sequence[bool]) -> tuple[Figures, Counts, Counts]:
    distinct, position = np.unique(np.asarray(p_abnormal, dtype=np.float64), return_inverse=True)
    positive = np.asarray(abnormal, dtype=bool)
    return (
        distinct,
        np.bincount(position[positive], minlength=len(distinct)),
        np.bincount(position[~positive], minlength=len(distinct)),
    )
