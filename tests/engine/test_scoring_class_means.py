"""Intervals of figures that are shares of classes, where a class has few images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from statsmodels.stats.proportion import proportion_confint

from engine.scoring.class_means import mean_difference_interval, mean_interval, score_interval
from engine.scoring.over_seeds import difference, estimate
from engine.scoring.resampling import Resampling
from engine.scoring.seed_values import Kind, SeedValues

QUICK = Resampling(resamples=200)
RARE, COMMON = 10, 200
CLASSES = np.array([1] * RARE + [0] * COMMON, dtype=np.intp)


def shares(rows: np.ndarray, classes: np.ndarray | None = None, kind: Kind = Kind.MEAN) -> SeedValues:
    rows = np.atleast_2d(rows).astype(float)
    return SeedValues("share", kind, rows, np.zeros(rows.shape[1], np.intp) if classes is None else classes)


def wilson(hits: int, n: int) -> tuple[float, float]:
    low, high = proportion_confint(hits, n, method="wilson")
    return float(low), float(high)


@pytest.mark.parametrize("hits", [0, 1, 7, 12])
def test_the_interval_of_a_share_is_wilsons_whatever_the_number_of_equal_seeds(hits: int) -> None:
    row = np.arange(12) < hits
    assert mean_interval(shares(row)) == pytest.approx(wilson(hits, 12))
    assert mean_interval(shares(np.stack([row] * 3))) == pytest.approx(wilson(hits, 12))


def test_credits_have_the_interval_of_a_score_test_with_their_own_variance() -> None:
    """As if z squared images, half of them right, were added; of a share it is the line that is just not excluded."""
    credited = np.array([1, 1, 0.5, 1, 0.8, 0.9, 1, 1])
    z2 = 1.959964**2
    centre = (credited.sum() + z2 / 2) / (8 + z2)
    width = np.sqrt(z2 * (8 * credited.var() + z2 / 4)) / (8 + z2)
    assert score_interval(credited) == pytest.approx((centre - width, min(1.0, centre + width)))
    share = np.array([1.0] * 9 + [0.0])
    low = brentq(lambda line: (0.9 - line) ** 2 - z2 * line * (1 - line) / 10, 0.1, 0.9 - 1e-9)
    assert score_interval(share)[0] == pytest.approx(low)


def test_one_miss_of_one_seed_makes_no_interval_narrower_than_no_miss() -> None:
    """With a percentile interval it did: 0.78 to 1 without a miss, but 0.92 to 1 with one."""
    right = np.ones((3, 12))
    missed = right.copy()
    missed[0, 0] = 0
    sure, less = estimate(shares(right), QUICK), estimate(shares(missed), QUICK)
    assert sure is not None
    assert less is not None
    assert less.low < sure.low < 0.8


def test_class_means_add_up_by_their_squared_reaches() -> None:
    values = np.concatenate([np.arange(RARE) < 9, np.arange(COMMON) < 190])
    low, high = mean_interval(shares(values, CLASSES))
    (a, b), (c, d) = wilson(9, RARE), wilson(190, COMMON)
    assert low == pytest.approx(0.925 - np.hypot(0.9 - a, 0.95 - c) / 2)
    assert high == pytest.approx(min(1, 0.925 + np.hypot(b - 0.9, d - 0.95) / 2))


def test_a_class_on_which_two_agree_is_not_known_to_be_equal() -> None:
    """Both find all ten; they differ in one of the many. What nothing of ten still allows stays in the interval."""
    first = np.ones(RARE + COMMON)
    second = first.copy()
    second[-1] = 0
    low, _ = mean_difference_interval(shares(first, CLASSES), shares(second, CLASSES))
    assert low < -wilson(0, RARE)[1] / 2


@pytest.mark.parametrize(("kind", "trials", "most"), [(Kind.MEAN, 200, 14), (Kind.MCC, 60, 6)])
def test_lines_and_margins_are_met_by_chance_as_rarely_as_promised(kind: Kind, trials: int, most: int) -> None:
    """Ten images of a class and a truth on the line: percentile intervals say yes one time in six to one in three."""
    random = np.random.default_rng(3)
    truth = {Kind.MEAN: (0.935, -0.05), Kind.MCC: (_mcc(0.9), _mcc(0.8) - _mcc(0.9))}[kind]
    reached = met = 0
    for _ in range(trials):
        chance = random.random(RARE + COMMON)
        rare = np.arange(RARE + COMMON) < RARE
        first = chance < np.where(rare, 0.9, 0.97)
        second = chance < np.where(rare, 0.8, 0.97)
        second[random.integers(RARE, RARE + COMMON)] ^= True
        own = estimate(shares(first, CLASSES, kind), QUICK)
        gain = difference(shares(first, CLASSES, kind), shares(second, CLASSES, kind), QUICK)
        assert own is not None
        assert gain is not None
        reached += own.low >= truth[0]
        met += gain.low > truth[1]
    assert reached <= most  # binomial(trials, 0.035): more in one of 100 sessions, and the seed is fixed
    assert met <= most


def _mcc(sensitivity: float) -> float:
    tp, tn = sensitivity * RARE, 0.97 * COMMON
    fn, fp = RARE - tp, COMMON - tn
    return float((tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
