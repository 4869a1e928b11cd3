"""95 % intervals of means, class means and MCC that hold with few images of a class: of one subject and of two.

A bootstrap of few images is too narrow: where none of ten was missed, no resample misses one. So the interval of each
class is Wilson's, and those of several classes, or of two subjects, are put together by MOVER (Zou and Donner 2008):

- **A class** has images as its unit, whatever the number of seeds. Wilson's interval (1927) is that of a share; with
  the variance of the values in the place of p (1 - p) it is that of the mean of values in 0..1 (credits, or shares of
  seeds). Two values that are 0 or 1 give the share's own interval again.
- **A difference** in a class joins the two intervals with the correlation of the values over images. Where the two
  agree on every image it is what nothing seen in n images still allows, by Wilson's 0 of n.
- **Class means** add up by their squared reaches, as images of two classes say nothing of each other. So does MCC,
  which grows with sensitivity and specificity: a class reaches as far as MCC moves where its rate goes to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import hypot, sqrt

import numpy as np
from scipy.stats import norm

from engine.scoring.areas import Ends, joined
from engine.scoring.binary import matthews
from engine.scoring.intervals import LEVEL, Figures
from engine.scoring.seed_values import SeedValues, by_seeds

_Z = float(norm.ppf((1 + LEVEL) / 2))
_ALIKE = 1e-12
"""Values closer than this are the same."""


def mean_interval(values: SeedValues) -> Ends:
    """Of one subject, in 0..1; its values are usable and its classes are numbered from 0."""
    reaches = []
    for part in _by_class(values):
        low, high = score_interval(part)
        reaches.append((float(part.mean()) - low, high - float(part.mean())))
    return _around(_mean(values), reaches, (0.0, 1.0))


def mean_difference_interval(first: SeedValues, second: SeedValues) -> Ends:
    """Of second minus first, in -1..1, on the same images."""
    reaches = [_joined(one, other) for one, other in zip(_by_class(first), _by_class(second), strict=True)]
    return _around(_mean(second) - _mean(first), reaches, (-1.0, 1.0))


def mcc_interval(values: SeedValues) -> Ends:
    """Of the MCC of one subject, the mean over its seeds, in -1..1; both classes are there, 1 is abnormal."""
    normal, abnormal = _by_class(values)
    sensitivity, specificity = float(abnormal.mean()), float(normal.mean())

    def at(found: float, spared: float) -> float:
        hits, rejections = np.array(found * len(abnormal)), np.array(spared * len(normal))
        return float(matthews(hits, len(abnormal), rejections, len(normal)))

    centre = at(sensitivity, specificity)
    moved = zip(
        (at(end, specificity) for end in score_interval(abnormal)),
        (at(sensitivity, end) for end in score_interval(normal)),
        strict=True,
    )
    below, above = (hypot(one - centre, other - centre) for one, other in moved)
    value = float(by_seeds(values).mean())
    return max(-1.0, value - below), min(1.0, value + above)


def mcc_difference_interval(first: SeedValues, second: SeedValues, correlation: float) -> Ends:
    """Of second minus first in MCC, on the same images.

    Args:
        first: the one held against.
        second: the one asked about.
        correlation: of the two over resamples of the images.
    """
    one, other = mcc_interval(first), mcc_interval(second)
    values = float(by_seeds(first).mean()), float(by_seeds(second).mean())
    gain = values[1] - values[0]
    below = joined(values[1] - other[0], one[1] - values[0], correlation)
    above = joined(other[1] - values[1], values[0] - one[0], correlation)
    return gain - below, gain + above


def score_interval(values: Figures) -> Ends:
    """Wilson's interval of the mean of values in 0..1, shape (images,), with their own variance."""
    n, total = len(values), float(values.sum())
    squares = float(((values - values.mean()) ** 2).sum())
    centre, reach = (total + _Z**2 / 2) / (n + _Z**2), _Z * sqrt(squares + _Z**2 / 4) / (n + _Z**2)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _joined(first: Figures, second: Figures) -> Ends:
    """How far the difference of two means of one class reaches down and up."""
    if float(np.abs(second - first).max()) < _ALIKE:
        reach = _Z**2 / (len(first) + _Z**2)
        return reach, reach
    spreads = float(first.std()), float(second.std())
    known = min(spreads) > _ALIKE
    shared = float(np.mean((first - first.mean()) * (second - second.mean())))
    correlation = shared / (spreads[0] * spreads[1]) if known else 0.0
    means = float(first.mean()), float(second.mean())
    (low, high), (other_low, other_high) = score_interval(first), score_interval(second)
    below, above = means[1] - other_low, other_high - means[1]
    return (
        joined(below, high - means[0], correlation),
        joined(above, means[0] - low, correlation),
    )


def _by_class(values: SeedValues) -> Iterator[Figures]:
    """The mean over the seeds of each image, class by class."""
    means = values.values.mean(axis=0)
    for each in np.unique(values.classes):
        yield means[values.classes == each]


def _mean(values: SeedValues) -> float:
    return float(np.mean([part.mean() for part in _by_class(values)]))


def _around(value: float, reaches: Iterable[Ends], limits: Ends) -> Ends:
    """The interval of a mean of class means, from how far each class reaches down and up."""
    below, above = np.array(list(reaches)).T
    return (
        max(limits[0], value - float(np.linalg.norm(below)) / len(below)),
        min(limits[1], value + float(np.linalg.norm(above)) / len(above)),
    )
