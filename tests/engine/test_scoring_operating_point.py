from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_helpers import READERS, normality
from sklearn.metrics import roc_curve

from engine.scoring.figure_values import case_values
from engine.scoring.non_inferiority import Standing, non_inferiority, reaches
from engine.scoring.operating_point import (
    SENSITIVITY_AT_SPECIFICITY,
    operating_point,
    redrawn_thresholds,
    threshold_at_specificity,
)
from engine.scoring.resampling import Resampling
from engine.types import Outcome

SHARES = st.floats(0.05, 1.0)
SCORES = st.lists(st.sampled_from([each / 10 for each in range(11)]), min_size=1, max_size=40)


@given(SCORES, SHARES)
def test_the_specificity_is_reached_and_no_smaller_threshold_reaches_it(scores: list[float], wanted: float) -> None:
    normals = np.array(scores)
    threshold = threshold_at_specificity(normals, wanted)
    assert threshold is not None
    assert (normals < threshold).mean() >= wanted - 1e-9
    below = np.nextafter(threshold, -np.inf)
    assert (normals < below).mean() < wanted


@given(SCORES, SCORES, SHARES)
def test_it_finds_what_the_best_allowed_point_of_the_roc_curve_finds(
    normals: list[float], abnormal: list[float], wanted: float
) -> None:
    threshold = threshold_at_specificity(np.array(normals), wanted)
    assert threshold is not None
    truth = np.array([0] * len(normals) + [1] * len(abnormal))
    false_rate, true_rate, _ = roc_curve(truth, [*normals, *abnormal], drop_intermediate=False)
    best = true_rate[false_rate <= 1 - wanted + 1e-9].max()
    assert (np.array(abnormal) >= threshold).mean() == pytest.approx(best)


def test_by_hand_with_ties() -> None:
    assert threshold_at_specificity(np.arange(10) / 10, 0.9) == np.nextafter(0.8, 1)
    assert threshold_at_specificity(np.array([0.2] * 9 + [0.6]), 0.5) == np.nextafter(0.2, 1)  # reaches 0.9
    assert threshold_at_specificity(np.array([1.0, 1.0]), 0.9) == np.nextafter(1.0, 2)  # nothing is abnormal then
    assert threshold_at_specificity(np.array([]), 0.9) is None


def test_normal_images_without_a_probability_are_never_below() -> None:
    assert threshold_at_specificity(np.arange(9) / 10, 0.9, unanswered=1) == np.nextafter(0.8, 1)
    assert threshold_at_specificity(np.arange(8) / 10, 0.9, unanswered=2) is None


def test_abnormal_validation_images_do_not_move_the_threshold() -> None:
    normals = [(False, 0.1), (False, 0.3), (False, 0.5), (False, 0.7)]
    points = []
    for extra in ([], [(True, 0.0)], [(True, 0.9), (True, 0.65)]):
        abnormal, p = zip(*normals, *extra, strict=True)
        points.append(operating_point(normality(abnormal, p), 0.75))
    assert points[0] is not None
    assert (points[0].specificity, points[0].normals) == (0.75, 4)
    assert points[0] == points[1] == points[2]


def test_the_threshold_of_a_resample_is_that_of_the_images_it_has_drawn() -> None:
    p = [0.1, 0.3, 0.3, 0.5, 0.7, 0.9]
    cases = normality([False] * 6 + [True] * 2, [*p, 0.2, 0.8])
    cases[5] = replace(cases[5], outcome=Outcome.ERROR)
    resampling = Resampling(resamples=200)
    found = redrawn_thresholds(cases, 0.75, resampling)
    assert len(set(found.tolist())) > 3
    for threshold, counts in zip(found, resampling.counts(np.zeros(6, dtype=np.intp)), strict=True):
        known = np.repeat(p[:5], counts[:5])
        expected = threshold_at_specificity(known, 0.75, unanswered=int(counts[5]))
        assert threshold == (np.inf if expected is None else expected)


def test_an_error_is_found_by_no_threshold_and_is_ranked_as_wrong_as_can_be() -> None:
    cases = normality([True, True, False, False], [0.9, 0.6, 0.2, 0.4])
    cases[0] = replace(cases[0], outcome=Outcome.ERROR)
    cases[3] = replace(cases[3], p_abnormal=float("nan"))
    found = case_values("Q7", SENSITIVITY_AT_SPECIFICITY, cases, 0.5, READERS).values
    np.testing.assert_equal(found, [0, 1, np.nan, np.nan])
    np.testing.assert_equal(case_values("Q7", "auroc", cases, 0.5, READERS).values, [0, 0.6, 0.2, 1])
    unscored = [replace(case, p_abnormal=None) for case in cases]
    assert np.isnan(case_values("Q7", "auroc", unscored, None, READERS).values).all()


def test_draws_of_other_images_are_not_those_of_these() -> None:
    """Else a resample that draws the first validation images often would draw the first test images often."""
    one, other = Resampling(resamples=400), Resampling(resamples=400).apart()
    plain = np.zeros(30, dtype=np.intp)
    assert abs(np.corrcoef(one.counts(plain).ravel(), other.counts(plain).ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [(-0.04, 0.1, Standing.ABOVE), (-0.06, 0.1, Standing.ACROSS), (-0.3, -0.06, Standing.BELOW),
     (-0.05, 0.0, Standing.ACROSS), (-0.3, -0.05, Standing.ACROSS)],
)  # fmt: skip
def test_non_inferiority_by_where_the_interval_lies(low: float, high: float, standing: Standing) -> None:
    assert non_inferiority(low, high, 0.05) is standing


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (0.8, 0.9, Standing.ABOVE),
        (0.79, 0.9, Standing.ACROSS),
        (0.5, 0.79, Standing.BELOW),
        (0.7, 0.8, Standing.ACROSS),
    ],
)
def test_a_threshold_is_reached_by_the_whole_interval(low: float, high: float, standing: Standing) -> None:
    assert reaches(low, high, 0.8) is standing
