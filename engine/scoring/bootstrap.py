"""Percentile bootstrap of means over images, and of means of class means (Efron and Tibshirani 1993, chapter 13).

A mean depends on the values alone, not on which image has which. Where there are few distinct values a resample is
therefore one multinomial draw of how often each is drawn; only where there are many are images drawn one by one. In
both cases the values are sorted first, so that the order of the cases changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.scoring.intervals import CHUNK_CELLS, FEW_BINS, Figures, percentile_interval
from engine.types import Score

RESAMPLES = 2000
Strata = NDArray[np.intp]
"""Class of each image, numbered from 0, shape (images,)."""


def bootstrap_means(values: Figures, resamples: int, generator: np.random.Generator) -> Figures:
    """Means over images of every resample; the columns of a resample are those of the same images.

    Args:
        values: one row an image, shape (images, columns), at least one image, finite.
        resamples: number of resamples.
        generator: source of randomness.

    Returns:
        Shape (resamples, columns).
    """
    n = len(values)
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    if len(distinct) <= FEW_BINS:
        drawn = generator.multinomial(n, counts / n, size=resamples)
        return np.asarray(drawn @ distinct / n, dtype=np.float64)
    ordered = np.repeat(distinct, counts, axis=0)
    means = np.empty((resamples, values.shape[1]))
    for rows in chunks(resamples, n):
        chosen = generator.integers(0, n, size=(rows.stop - rows.start, n), dtype=np.int32)
        for column in range(values.shape[1]):
            means[rows, column] = ordered[:, column][chosen].mean(axis=1)
    return means


def bootstrap_class_means(values: Figures, strata: Strata, resamples: int, generator: np.random.Generator) -> Figures:
    """Means of class means of every resample, each class drawn separately and in its own number.

    Args:
        values: shape (images, columns).
        strata: class of each image, shape (images,); every number from 0 to the highest has an image.
        resamples: number of resamples.
        generator: source of randomness.

    Returns:
        Shape (resamples, columns).
    """
    classes = int(strata.max()) + 1
    means = [bootstrap_means(values[strata == each], resamples, generator) for each in range(classes)]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def class_mean(values: Figures, strata: Strata) -> float:
    """Mean of the class means of `values`, shape (images,)."""
    return float(np.mean(np.bincount(strata, weights=values) / np.bincount(strata)))


def mean_scores(scope: str, columns: Mapping[str, Figures], seed: tuple[int, ...], resamples: int) -> Iterator[Score]:
    """The mean of each column with its percentile interval; the resamples are the same for all columns.

    Args:
        scope: `all` or `view:NAME`.
        columns: values by name, each of shape (images,); undefined scores where there is no image.
        seed: of the bootstrap.
        resamples: number of resamples.
    """
    n = len(next(iter(columns.values()))) if columns else 0
    if not n:
        yield from (Score(scope, name, None, None, None, 0) for name in columns)
        return
    stacked = np.stack(list(columns.values()), axis=1)
    drawn = bootstrap_means(stacked, resamples, np.random.default_rng(seed))
    for name, values, resampled in zip(columns, stacked.T, drawn.T, strict=True):
        yield Score(scope, name, float(values.mean()), *percentile_interval(resampled), n)


def chunks(resamples: int, cells: int) -> Iterator[slice]:
    """Resamples in blocks of bounded memory, where one resample takes `cells` numbers."""
    rows = max(1, CHUNK_CELLS // max(1, cells))
    for start in range(0, resamples, rows):
        yield slice(start, min(start + rows, resamples))
