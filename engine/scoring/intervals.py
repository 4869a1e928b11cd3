"""95 % intervals: Wilson for proportions, the stratified bootstrap for figures made of both classes.

The bootstrap draws the abnormal and the normal cases of a resample separately, each class with replacement and in its
own number, so that no resample is left without one of them and no figure is ever undefined (Efron and Tibshirani 1993,
chapter 8.4). How often each distinct score is drawn is multinomial, so a resample is one row of counts and every figure
of all resamples is arithmetic on two matrices: nothing is sorted again.

The percentile interval is narrow where a class has few cases, and has no width at all where every case of a small
stratum is right; read it beside n and beside the Wilson intervals of sensitivity and specificity.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

Counts = NDArray[np.int64]
Figures = NDArray[np.float64]

LEVEL = 0.95
CHUNK_CELLS = 4_000_000
"""Cells of a count matrix that are held at once, 32 MB."""
FEW_BINS = 1000
"""Bins up to which counts are drawn at once as a multinomial; above, drawing case by case is several times faster."""


def wilson(successes: int, n: int) -> tuple[float | None, float | None]:
    """Wilson 95 % interval of a proportion (Wilson 1927, by statsmodels); (None, None) where n is 0."""
    if n == 0:
        return None, None
    low, high = proportion_confint(successes, n, alpha=1 - LEVEL, method="wilson")
    # Exactly 0 and 1 at the ends, where rounding leaves 1 - 2e-16 below the proportion itself.
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


def percentile_interval(figures: Figures) -> tuple[float, float]:
    """Percentile 95 % interval of a figure over its resamples, shape (resamples,)."""
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resampled_counts(
    positives: Counts, negatives: Counts, resamples: int, generator: np.random.Generator
) -> Iterator[tuple[Counts, Counts]]:
    """Stratified bootstrap as counts, in chunks of bounded memory.

    Args:
        positives: cases of the positive class in each bin, shape (bins,).
        negatives: the same of the negative class; a class without cases has none in any resample.
        resamples: number of resamples over all chunks.
        generator: source of randomness; the same state gives the same counts.

    Yields:
        Counts a resample and bin, shape (rows, bins), of the positive and of the negative class. The sum of a row is
        the size of the class.
    """
    rows = max(1, CHUNK_CELLS // len(positives))
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        yield _drawn(positives, size, generator), _drawn(negatives, size, generator)


def _drawn(counts: Counts, size: int, generator: np.random.Generator) -> Counts:
    total, bins = int(counts.sum()), len(counts)
    if not total:
        return np.zeros((size, bins), dtype=np.int64)
    if bins <= FEW_BINS:
        return generator.multinomial(total, counts / total, size=size)
    owners = np.repeat(np.arange(bins), counts)
    chosen = owners[generator.integers(0, total, size=(size, total), dtype=np.int32)]
    chosen += np.arange(size)[:, None] * bins
    return np.asarray(np.bincount(chosen.ravel(), minlength=size * bins).reshape(size, bins), dtype=np.int64)
