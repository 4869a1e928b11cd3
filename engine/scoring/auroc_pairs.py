"""The difference of two areas under the ROC curve on the same images: paired bootstrap, DeLong's test as a check."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from engine.scoring.bootstrap import RESAMPLES, chunks
from engine.scoring.intervals import LEVEL, Figures
from engine.scoring.paired import Difference, difference_of


@dataclass(frozen=True, slots=True)
class DeLong:
    """The difference of two areas with its normal approximation."""

    value: float
    """Second minus first."""
    low: float
    high: float
    p: float
    """Two-sided; 1 where the two never differ."""


def auroc_difference(
    abnormal: NDArray[np.bool_], first: Figures, second: Figures, *, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Difference of the areas; abnormal and normal images are drawn separately, the same ones for both subjects.

    Args:
        abnormal: target of each image, shape (images,), in an order that does not depend on the subjects; both classes.
        first: P(abnormal) by the first subject, finite.
        second: by the second.
        seed: of the bootstrap.
        resamples: number of resamples.
    """
    sides = [_Ranked(abnormal, first), _Ranked(abnormal, second)]
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    ones = np.ones((1, positives), dtype=np.int32), np.ones((1, negatives), dtype=np.int32)
    areas = [float(side.areas(*ones)[0]) for side in sides]
    generator = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for rows in chunks(resamples, len(abnormal)):
        size = rows.stop - rows.start
        weights = _drawn(positives, size, generator), _drawn(negatives, size, generator)
        drawn[rows] = sides[1].areas(*weights) - sides[0].areas(*weights)
    return difference_of("auroc", areas[0], areas[1], drawn, len(abnormal))


def delong(abnormal: NDArray[np.bool_], first: Figures, second: Figures) -> DeLong:
    """Test of the difference of two paired areas (DeLong 1988, with the midranks of Sun and Xu 2014).

    Args:
        abnormal: target of each image, shape (images,); at least two of each class.
        first: P(abnormal) by the first subject, finite.
        second: by the second.
    """
    components = [placements(abnormal, scores) for scores in (first, second)]
    hits = components[1][0] - components[0][0]
    rejections = components[1][1] - components[0][1]
    value = float(hits.mean())
    error = sqrt(float(hits.var(ddof=1)) / len(hits) + float(rejections.var(ddof=1)) / len(rejections))
    if error < 1e-12:
        return DeLong(value, value, value, 1.0 if abs(value) < 1e-12 else 0.0)
    reach = error * float(norm.ppf((1 + LEVEL) / 2))
    return DeLong(value, value - reach, value + reach, 2 * float(norm.sf(abs(value) / error)))


def placements(abnormal: NDArray[np.bool_], scores: Figures) -> tuple[Figures, Figures]:
    """For each abnormal image the share of normal ones below it, for each normal one the share of abnormal above.

    Args:
        abnormal: target of each image, shape (images,); both classes.
        scores: P(abnormal), shape (images,), finite.
    """
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    ranks = rankdata(scores)
    below = (ranks[abnormal] - rankdata(scores[abnormal])) / negatives
    above = 1 - (ranks[~abnormal] - rankdata(scores[~abnormal])) / positives
    return below, above


class _Ranked:
    """One subject's scores, sorted once; each resample is then a cumulative sum."""

    def __init__(self, abnormal: NDArray[np.bool_], scores: Figures) -> None:
        negatives = scores[~abnormal]
        self._order = np.argsort(negatives, kind="stable")
        self._below = np.searchsorted(negatives[self._order], scores[abnormal], side="left")
        self._up_to = np.searchsorted(negatives[self._order], scores[abnormal], side="right")

    def areas(self, positives: NDArray[np.int32], negatives: NDArray[np.int32]) -> Figures:
        """Areas of resamples, shape (rows,), from how often each image was drawn, shapes (rows, images of a class)."""
        running = np.zeros((len(negatives), negatives.shape[1] + 1), dtype=np.int32)
        np.cumsum(negatives[:, self._order], axis=1, out=running[:, 1:])
        wins = (positives * (running[:, self._below] + running[:, self._up_to])).sum(axis=1, dtype=np.float64)
        return np.asarray(wins / (2.0 * positives.shape[1] * negatives.shape[1]), dtype=np.float64)


def _drawn(images: int, size: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """How often each image of a class is drawn in each resample, shape (size, images)."""
    chosen = generator.integers(0, images, size=(size, images), dtype=np.int32).astype(np.int64)
    chosen += np.arange(size)[:, None] * images
    return np.bincount(chosen.ravel(), minlength=size * images).reshape(size, images).astype(np.int32)
