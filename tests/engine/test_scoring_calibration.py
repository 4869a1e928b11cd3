from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from engine.scoring.calibration import brier_score, expected_calibration_error, reliability_curve
from engine.scoring.normality import ScoredCase, score_normality
from engine.scoring.roc import roc_points
from engine.types import Score, Verdict

probabilities = st.one_of(st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0]), st.floats(0, 1, allow_subnormal=False))
cases = st.lists(st.tuples(probabilities, st.booleans()), min_size=1, max_size=60)


def both_classes(rows: list[tuple[float, bool]]) -> bool:
    return len({abnormal for _, abnormal in rows}) == 2


@settings(max_examples=60, deadline=None)
@given(cases.filter(both_classes), st.sampled_from([10, 15]), st.booleans())
def test_the_curve_equals_that_of_scikit_learn(rows: list[tuple[float, bool]], bins: int, equal_mass: bool) -> None:
    p, abnormal = [row[0] for row in rows], [row[1] for row in rows]
    observed, mean = calibration_curve(abnormal, p, n_bins=bins, strategy="quantile" if equal_mass else "uniform")
    curve = reliability_curve(p, abnormal, bins=bins, equal_mass=equal_mass)
    assert [point.observed for point in curve] == pytest.approx(list(observed))
    assert [point.mean_p for point in curve] == pytest.approx(list(mean))
    assert sum(point.n for point in curve) == len(rows)
    error = expected_calibration_error(p, abnormal, bins=bins, equal_mass=equal_mass)
    weights = np.array([point.n for point in curve]) / len(rows)
    assert error == pytest.approx(float(weights @ np.abs(observed - mean)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases.filter(both_classes))
def test_brier_equals_that_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    p, abnormal = [row[0] for row in rows], [row[1] for row in rows]
    assert brier_score(p, abnormal) == pytest.approx(brier_score_loss(abnormal, p), abs=1e-12)


def test_points_of_the_curve_have_wilson_intervals() -> None:
    curve = reliability_curve([0.05] * 20 + [0.95] * 5, [True] * 3 + [False] * 17 + [True] * 5)
    expected = binomtest(3, 20).proportion_ci(method="wilson")
    assert (curve[0].observed, curve[0].n) == (0.15, 20)
    assert (curve[0].low, curve[0].high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert (curve[1].observed, curve[1].high, curve[1].n) == (1.0, 1.0, 5)


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_a_large_one() -> None:
    generator = np.random.default_rng(0)
    p = generator.random(20_000)
    abnormal = list(generator.random(20_000) < p)
    assert (expected_calibration_error(list(p), abnormal) or 0) < 0.02
    assert (expected_calibration_error(list(np.round(p)), abnormal) or 0) == pytest.approx(0.25, abs=0.02)


def test_without_cases_there_is_no_figure() -> None:
    assert expected_calibration_error([], []) is None
    assert brier_score([], []) is None
    assert reliability_curve([], []) == []


def rows_of(p: list[float], abnormal: list[bool]) -> list[ScoredCase]:
    return [
        ScoredCase("Femur", Verdict.ABNORMAL if each else Verdict.NORMAL, Verdict.NORMAL, chance)
        for chance, each in zip(p, abnormal, strict=True)
    ]


def test_scores_of_q7_hold_both_with_intervals_of_the_stratified_bootstrap() -> None:
    generator = np.random.default_rng(3)
    abnormal = np.arange(200) < 40
    p = np.clip(generator.normal(0.3 + 0.3 * abnormal, 0.2), 0, 1)
    scores = {
        s.name: s for s in score_normality(rows_of(list(p), list(abnormal)), 0.5, resamples=3000) if s.scope == "all"
    }
    drawn = []
    for _ in range(1500):
        chosen = np.concatenate([generator.integers(0, 40, 40), generator.integers(40, 200, 160)])
        drawn.append((brier_score_loss(abnormal[chosen], p[chosen]),
                      expected_calibration_error(list(p[chosen]), list(abnormal[chosen]))))  # fmt: skip
    low, high = np.quantile(np.array(drawn, dtype=float), [0.025, 0.975], axis=0)
    for column, name in enumerate(("brier", "ece")):
        assert scores[name].n == 200
        assert (scores[name].low, scores[name].high) == pytest.approx((low[column], high[column]), abs=0.012)
    assert scores["brier"].value == pytest.approx(brier_score_loss(abnormal, p))
    assert scores["ece"].value == pytest.approx(expected_calibration_error(list(p), list(abnormal)))


def test_calibration_needs_no_second_class_and_nothing_needs_no_case() -> None:
    scores = {s.name: s for s in score_normality(rows_of([0.2, 0.4], [False, False]), 0.5) if s.scope == "all"}
    assert scores["brier"].value == pytest.approx((0.04 + 0.16) / 2)
    assert scores["ece"].value == pytest.approx(0.3)
    assert scores["auroc"] == Score("all", "auroc", None, None, None, 2)
    without = score_normality([ScoredCase("Femur", Verdict.NORMAL, Verdict.NORMAL, None)], 0.5)
    assert next(score for score in without if score.name == "brier") == Score("all", "brier", None, None, None, 0)


def test_many_distinct_probabilities_are_drawn_case_by_case_with_the_same_result() -> None:
    generator = np.random.default_rng(8)
    abnormal = generator.random(3000) < 0.1
    p = np.clip(generator.normal(0.4 + 0.1 * abnormal, 0.2), 0, 1)
    many = {s.name: s for s in score_normality(rows_of(list(p), list(abnormal)), 0.5) if s.scope == "all"}
    few = {s.name: s for s in score_normality(rows_of(list(p.round(2)), list(abnormal)), 0.495) if s.scope == "all"}
    for name in ("auroc", "brier", "balanced_accuracy"):
        assert (many[name].low, many[name].high) == pytest.approx((few[name].low, few[name].high), abs=0.01)


@settings(max_examples=40, deadline=None)
@given(cases.filter(both_classes))
def test_roc_points_equal_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    p, abnormal = [row[0] for row in rows], [row[1] for row in rows]
    false_positives, hits, _ = roc_curve(abnormal, p)
    points = roc_points(p, abnormal)
    assert [point.false_positive_rate for point in points] == pytest.approx(list(false_positives))
    assert [point.sensitivity for point in points] == pytest.approx(list(hits))
    area = np.trapezoid([point.sensitivity for point in points], [point.false_positive_rate for point in points])
    assert area == pytest.approx(roc_auc_score(abnormal, p))


def test_one_class_has_no_roc_curve() -> None:
    assert roc_points([0.1, 0.9], [True, True]) == []
    assert roc_points([], []) == []
