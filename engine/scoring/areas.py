"""95 % intervals of areas under the ROC curve that hold with few images of a class, for one subject and for two.

Each area is the mean over the seeds of a subject; its placements are those of the seeds averaged (DeLong, DeLong and
Clarke-Pearson 1988, with the midranks of Sun and Xu 2014). A bootstrap of few images is too narrow, and so is DeLong's
variance by itself: where none of ten abnormal images was missed, both take it that none is. So each interval is the
outer one of two, of which one sees the scores and the other knows what so few images can hide:

- one area: DeLong's on the logit scale (Pepe 2003, chapter 5), with Student's t by Welch and Satterthwaite; and the
  areas whose own standard error (Hanley and McNeil 1982) leaves the observed one possible, on the logit scale too.
- a difference: DeLong's with t; and the two single intervals put together by MOVER with the correlation of the areas
  (Zou 2007; Zou and Donner 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, t

from engine.scoring.auroc_pairs import placements
from engine.scoring.intervals import LEVEL, Figures, wilson
from engine.scoring.seed_values import SeedValues

EXACT = 1e-12
"""Standard errors below it are 0: no image differs from another."""
_UPPER = (1 + LEVEL) / 2
_LOGITS = np.linspace(-16.0, 16.0, 16_001)
"""Areas that are tried, on the logit scale."""

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placements:
    """Where images lie among those of the other class, the mean over the seeds; or a difference of two such."""

    hits: Figures
    """For each abnormal image the share of normal ones below it, shape (abnormal images,); the mean is the area."""
    rejections: Figures
    """For each normal image the share of abnormal ones above it, shape (normal images,)."""

    @property
    def area(self) -> float:
        """The area, or the difference of two."""
        return float(self.hits.mean())

    @property
    def known(self) -> bool:
        """Whether there is a variance: two images of each class."""
        return min(len(self.hits), len(self.rejections)) > 1

    @property
    def error(self) -> float:
        """Standard error by DeLong; needs two images of each class."""
        return sqrt(self.covariance(self))

    def covariance(self, other: Placements) -> float:
        """Of the areas of two subjects on the same images."""
        return float(
            np.cov(self.hits, other.hits)[0, 1] / len(self.hits)
            + np.cov(self.rejections, other.rejections)[0, 1] / len(self.rejections)
        )

    def minus(self, other: Placements) -> Placements:
        """Of the difference to another subject on the same images."""
        return Placements(self.hits - other.hits, self.rejections - other.rejections)

    def reach(self) -> float:
        """Half the width of DeLong's interval on the scale of the area, with Student's t."""
        each = [float(part.var(ddof=1)) / len(part) for part in (self.hits, self.rejections)]
        freedom = sum(each) ** 2 / (each[0] ** 2 / (len(self.hits) - 1) + each[1] ** 2 / (len(self.rejections) - 1))
        return float(t.ppf(_UPPER, freedom)) * sqrt(sum(each))


def mean_placements(values: SeedValues) -> Placements:
    """Of a subject with one seed or several; its values are usable and both classes are there."""
    abnormal = values.classes == 1
    parts = [placements(abnormal, row) for row in values.values]
    return Placements(np.mean([hits for hits, _ in parts], axis=0), np.mean([below for _, below in parts], axis=0))


def area_interval(found: Placements) -> Ends:
    """Of one area. Where it is 0 or 1: what nothing seen in the smaller class still allows, by Wilson."""
    area = found.area
    if not EXACT < area < 1 - EXACT:
        reach = wilson(0, min(len(found.hits), len(found.rejections)))[1] or 0.0
        return (0.0, reach) if area < 0.5 else (1 - reach, 1.0)
    if not found.known:
        return 0.0, 1.0
    if found.error < EXACT:  # one score for all: half of the pairs, whatever the images are
        return area, area
    centre, reach = float(logit(area)), found.reach() / (area * (1 - area))
    low, high = _possible(centre, len(found.hits), len(found.rejections))
    return float(expit(min(low, centre - reach))), float(expit(max(high, centre + reach)))


def difference_interval(first: Placements, second: Placements) -> Ends:
    """Of second minus first, in -1..1; without width where the two place every image alike."""
    gain = second.minus(first)
    value = gain.area
    if not gain.known:
        return -1.0, 1.0
    if gain.error < EXACT:
        return value, value
    errors = first.error, second.error
    correlation = first.covariance(second) / (errors[0] * errors[1]) if min(errors) > EXACT else 0.0
    one, other = area_interval(first), area_interval(second)
    below = joined(second.area - other[0], one[1] - first.area, correlation)
    above = joined(other[1] - second.area, first.area - one[0], correlation)
    reach = gain.reach()
    return max(-1.0, value - max(below, reach)), min(1.0, value + max(above, reach))


def joined(own: float, others: float, correlation: float) -> float:
    """How far a difference reaches, from how far the two reach on the sides that make it larger (Zou 2007)."""
    return sqrt(max(0.0, hypot(own, others) ** 2 - 2 * correlation * own * others))


def _possible(centre: float, positives: int, negatives: int) -> Ends:
    """Lowest and highest logit of an area under which the observed one is possible, without a gap between them."""
    area = expit(_LOGITS)
    alike = 1 + (positives - 1) * (1 - area) / (2 - area) + (negatives - 1) * area / (1 + area)
    errors = np.sqrt(alike / (positives * negatives * area * (1 - area)))
    outside = np.abs(centre - _LOGITS) > float(norm.ppf(_UPPER)) * errors
    place = int(np.searchsorted(_LOGITS, centre))
    below, above = np.flatnonzero(outside[:place]), np.flatnonzero(outside[place:])
    return (
        float(_LOGITS[below[-1]]) if len(below) else -np.inf,
        float(_LOGITS[place + above[0]]) if len(above) else np.inf,
    )
