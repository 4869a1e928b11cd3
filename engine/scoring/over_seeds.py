"""Figures of a subject that was trained several times: the mean over its seeds, its interval, and paired differences.

All seeds count, none is picked. What is resampled is images: the same ones for every seed and every subject, so a
difference of two subjects is paired by image. An interval therefore tells what other images would have given; how much
other seeds would have changed is told by the spread over seeds, which stands beside it.

**Where resamples are all alike** (every image right; two subjects that agree on every image) the percentile interval
has no width, and would promise a certainty that few images don't give. There it is widened by what nothing seen in n
images still allows: the upper end of Wilson's interval of 0 of n, n being the images of the smallest class.

Percentile intervals of few images are too narrow as well, so of means, class means and MCC the interval is the outer
one of the percentile interval and that of `class_means`. Intervals of AUROC are not resampled but those of `areas`,
which hold with few images too. Those of a `contrast`, which decides nothing, are percentile intervals alone. Where a
threshold was chosen on other images, those are resampled as well, apart from the images that are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.scoring.areas import area_interval, difference_interval, mean_placements
from engine.scoring.class_means import mcc_difference_interval, mcc_interval, mean_difference_interval, mean_interval
from engine.scoring.intervals import percentile_interval, wilson
from engine.scoring.resampling import Resampling
from engine.scoring.seed_tests import p_value
from engine.scoring.seed_values import Kind, SeedValues, by_seeds, drawn


@dataclass(frozen=True, slots=True)
class SeedEstimate:
    """The mean over the seeds with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Images behind it."""
    by_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """Second minus first, each the mean over its seeds."""

    name: str
    first: float
    second: float
    value: float
    low: float
    high: float
    p: float
    """Two-sided, by `seed_tests.p_value`; not adjusted."""
    n: int
    """Images that both have a value on."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of figures with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: SeedValues, resampling: Resampling) -> SeedEstimate | None:
    """The figure with its interval; None where it is undefined. Wilson's interval for a share of one seed."""
    kept = values.at(values.usable())
    if not kept.defined:
        return None
    by_seed = by_seeds(kept)
    value, n = float(by_seed.mean()), kept.values.shape[1]
    return SeedEstimate(value, *_ends(kept, value, resampling), n, tuple(by_seed.tolist()))


def difference(
    first: SeedValues, second: SeedValues, resampling: Resampling, *, seed: int = 0
) -> SeedDifference | None:
    """Second minus first on the images on which both have a value; None where it is undefined there.

    The two may have other numbers of seeds: each is the mean of its own.

    Args:
        first: the one held against.
        second: the one asked about, on the same images in the same order.
        resampling: of both.
        seed: of random exchanges.
    """
    both = first.usable() & second.usable()
    left, right = first.at(both), second.at(both)
    if not (left.defined and right.defined):
        return None
    means = float(by_seeds(left).mean()), float(by_seeds(right).mean())
    if left.kind is Kind.AUROC:
        ends = difference_interval(mean_placements(left), mean_placements(right))
    else:
        ends = _difference_ends(left, right, resampling)
    low, high = _widened(ends, _smallest(left), (-1.0, 1.0))
    p = p_value(left, right, seed)
    return SeedDifference(first.name, *means, means[1] - means[0], low, high, p, int(both.sum()))


def contrast(terms: Sequence[tuple[float, SeedValues]], resampling: Resampling) -> Contrast | None:
    """A sum of weighted figures, such as a drop or a difference of drops, from images on which all have a value.

    Args:
        terms: weight and figure of each; all of the same images in the same order, with the same classes.
        resampling: of all.

    Returns:
        None where one of the figures is undefined on the images that all share.
    """
    shared = np.logical_and.reduce([values.usable() for _, values in terms])
    kept = [(weight, values.at(shared)) for weight, values in terms]
    if not all(values.defined for _, values in kept):
        return None
    value = sum(weight * float(by_seeds(values).mean()) for weight, values in kept)
    draws = np.sum([weight * drawn(values, resampling) for weight, values in kept], axis=0)
    limits = sum(min(weight, 0.0) for weight, _ in kept), sum(max(weight, 0.0) for weight, _ in kept)
    ends = _widened(percentile_interval(draws), _smallest(kept[0][1]), limits)
    return Contrast(value, *ends, int(shared.sum()))


def _ends(kept: SeedValues, value: float, resampling: Resampling) -> tuple[float, float]:
    """The interval of one figure."""
    if kept.kind is Kind.AUROC:
        return area_interval(mean_placements(kept))
    if _is_share(kept) and kept.redrawn is None:
        n = kept.values.shape[1]
        low, high = wilson(round(value * n), n)
        return (0.0 if low is None else low), (1.0 if high is None else high)
    ends = percentile_interval(drawn(kept, resampling))
    if kept.kind is Kind.MEAN:
        return _outer(ends, mean_interval(kept))
    # What says one thing of every image has an MCC of 0 whatever the images are.
    return ends if value == 0.0 and ends[0] == ends[1] else _outer(ends, mcc_interval(kept))


def _difference_ends(left: SeedValues, right: SeedValues, resampling: Resampling) -> tuple[float, float]:
    """The interval of right minus left, of means or of MCC."""
    draws = drawn(left, resampling), drawn(right, resampling)
    ends = percentile_interval(draws[1] - draws[0])
    if left.kind is Kind.MEAN:
        return _outer(ends, mean_difference_interval(left, right))
    if (draws[0] == draws[1]).all():
        return ends
    known = min(float(each.std()) for each in draws) > 0
    correlation = float(np.corrcoef(draws[0], draws[1])[0, 1]) if known else 0.0
    return _outer(ends, mcc_difference_interval(left, right, correlation))


def _outer(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])


def _is_share(values: SeedValues) -> bool:
    """Whether it is a plain share of the images, of one seed."""
    plain = values.kind is Kind.MEAN and not values.classes.any()
    return plain and len(values.values) == 1 and bool(np.isin(values.values, (0.0, 1.0)).all())


def _smallest(values: SeedValues) -> int:
    """Images of the smallest class."""
    return int(np.unique(values.classes, return_counts=True)[1].min())


def _widened(ends: tuple[float, float], n: int, limits: tuple[float, float]) -> tuple[float, float]:
    """An interval without width, widened as the head of this module says; any other as it is."""
    reach = wilson(0, n)[1]
    if reach is None or ends[1] - ends[0] > 1e-12:
        return ends
    return max(limits[0], ends[0] - reach), min(limits[1], ends[1] + reach)
