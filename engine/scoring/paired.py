"""Tests of a difference between two subjects on the same images. Always second minus first.

Three tests of one question, each exact or honest in another way:

- `mcnemar_exact`: does one subject have more right answers? Only the images on which they differ count.
- `paired_bootstrap`: how large is the difference? Its interval is what is read. Its p value is too small where few
  images differ (5 fixed and 0 broken of 27 give 0.01 where the exact test gives 0.06), so it decides nothing.
- `swap_test`: could the difference be chance? Holds for any mean, with any number of images, and equals McNemar's exact
  test where every image weighs the same. This one decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests

from engine.scoring.bootstrap import RESAMPLES, Strata, bootstrap_class_means, class_mean
from engine.scoring.intervals import Figures, percentile_interval

EXACT_CELLS = 500_000
"""Different exchanges that are all counted; beyond, they are drawn at random."""
MOST_SWAPS = 100_000
SWAP_CELLS = 4_000_000
"""Binomial draws of one swap test at most."""


@dataclass(frozen=True, slots=True)
class PairedValues:
    """One measure that is a mean over images, or a mean of class means, of both subjects."""

    name: str
    first: Figures
    """Value of each image in 0..1, shape (images,)."""
    second: Figures
    strata: Strata
    """Class of each image, 0 for all where there is one mean; every number up to the highest has an image."""

    @classmethod
    def mean(cls, name: str, first: Figures, second: Figures) -> PairedValues:
        """A plain mean over images."""
        return cls(name, first, second, np.zeros(len(first), dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two subjects in one measure."""

    name: str
    first: float
    second: float
    value: float
    """Second minus first."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    p: float
    """Of the bootstrap, two-sided."""
    n: int
    """Images behind the measure."""


def mcnemar_exact(broken: int, fixed: int) -> float:
    """Exact two-sided McNemar test (McNemar 1947) from the images that one subject alone has right.

    Args:
        broken: the first right, the second not.
        fixed: the second right, the first not.

    Returns:
        p value; 1 where the subjects differ on no image.
    """
    differing = broken + fixed
    return float(binomtest(broken, differing, 0.5).pvalue) if differing else 1.0


def paired_bootstrap(values: PairedValues, *, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """Difference of the means with its percentile interval, from resampled images that both subjects share.

    Where the measure is a mean of class means (balanced accuracy, macro recall) each class is drawn separately.

    Args:
        values: at least one image.
        seed: of the bootstrap; first and second exchanged give the same figures with the other sign.
        resamples: number of resamples.
    """
    gains = values.second - values.first
    sign = _orientation(gains, values.strata)
    generator = np.random.default_rng(seed)
    drawn = sign * bootstrap_class_means((sign * gains)[:, None], values.strata, resamples, generator)[:, 0]
    first, second = class_mean(values.first, values.strata), class_mean(values.second, values.strata)
    return difference_of(values.name, first, second, drawn, len(gains))


def difference_of(name: str, first: float, second: float, drawn: Figures, n: int) -> Difference:
    """A difference with interval and p from its value in every resample, shape (resamples,)."""
    return Difference(name, first, second, second - first, *percentile_interval(drawn), bootstrap_p(drawn), n)


def bootstrap_p(drawn: Figures) -> float:
    """Two-sided p of a difference: twice the smaller share of resamples at or beyond 0.

    One more resample is counted than there were (Davison and Hinkley 1997, 4.4), so that p is never 0.
    """
    tail = min(int((drawn <= 1e-12).sum()), int((drawn >= -1e-12).sum()))
    return min(1.0, 2 * (1 + tail) / (1 + len(drawn)))


def swap_test(values: PairedValues, *, seed: int = 0) -> float:
    """Two-sided p of the difference if, on each image, it were chance which subject gave which of the two answers.

    Fisher's randomisation test for pairs (Fisher 1935; Good 2005, chapter 3). Images with the same weight are counted
    together. With one weight (accuracy) it is McNemar's exact test; with two or three (balanced accuracy, macro recall)
    every possible exchange is counted; with many weights, up to 100,000 random ones and the observed one.

    Args:
        values: of both subjects.
        seed: of the random exchanges.
    """
    sizes = np.bincount(values.strata)
    weights = (values.second - values.first) / (len(sizes) * sizes)[values.strata]
    weights = weights[weights != 0]
    if not len(weights):
        return 1.0
    amounts, group, counts = np.unique(np.round(np.abs(weights), 12), return_inverse=True, return_counts=True)
    if len(amounts) == 1:
        gained = int((weights > 0).sum())
        return mcnemar_exact(len(weights) - gained, gained)
    observed = abs(float(np.bincount(group, weights=np.sign(weights)) @ amounts))
    if np.prod(counts + 1.0) <= EXACT_CELLS:
        return _exact(observed, amounts, counts)
    swaps = max(RESAMPLES, min(MOST_SWAPS, SWAP_CELLS // len(amounts)))
    beyond = _swapped_beyond(observed, amounts, counts, swaps, np.random.default_rng(seed))
    return (1 + beyond) / (1 + swaps)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number by the step-down method of Holm (1979), by statsmodels, in the same order."""
    if len(p_values) < 2:  # statsmodels collects garbage at each call, which takes longer than all the rest
        return list(p_values)
    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def _orientation(gains: Figures, strata: Strata) -> float:
    """-1 where the first is ahead; so both directions of a comparison meet the same random numbers."""
    for power in (1, 3):
        for stratum in range(int(strata.max()) + 1):
            total = fsum(gains[strata == stratum] ** power)
            if total:
                return -1.0 if total < 0 else 1.0
    return 1.0


def _exact(observed: float, amounts: Figures, counts: np.ndarray) -> float:
    """Share of all exchanges that give a difference at least as large as the observed one."""
    sums, chances = np.zeros(1), np.ones(1)
    for amount, count in zip(amounts, counts, strict=True):
        kept = np.arange(count + 1)
        sums = np.add.outer(sums, amount * (2 * kept - count)).ravel()
        chances = np.multiply.outer(chances, binom.pmf(kept, count, 0.5)).ravel()
    return min(1.0, float(chances[np.abs(sums) >= observed - 1e-9].sum()))


def _swapped_beyond(
    observed: float, amounts: Figures, counts: np.ndarray, swaps: int, generator: np.random.Generator
) -> int:
    """How many random exchanges give a difference at least as large as the observed one."""
    beyond = 0
    rows = max(1, 4_000_000 // len(amounts))
    for start in range(0, swaps, rows):
        size = min(rows, swaps - start)
        kept = generator.binomial(counts, 0.5, size=(size, len(counts)))
        beyond += int((np.abs((2 * kept - counts) @ amounts) >= observed - 1e-9).sum())
    return beyond
