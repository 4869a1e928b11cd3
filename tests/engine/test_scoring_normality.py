from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef, roc_auc_score

from engine.scoring.normality import ScoredCase, choose_threshold, score_normality
from engine.types import Score, Verdict

NORMAL, ABNORMAL, UNCLEAR, UNPARSEABLE = Verdict.NORMAL, Verdict.ABNORMAL, Verdict.UNCLEAR, Verdict.UNPARSEABLE
FEW = 50
"""Resamples where the interval does not matter."""


def case(target: Verdict, p: float | None, verdict: Verdict = NORMAL, view: str = "Femur") -> ScoredCase:
    return ScoredCase(view, target, verdict, p)


def scores_of(
    rows: Sequence[ScoredCase], threshold: float = 0.5, scope: str = "all", **options: int
) -> dict[str, Score]:
    scores = score_normality(rows, threshold, **({"resamples": FEW} | options))
    return {score.name: score for score in scores if score.scope == scope}


probabilities = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
cases = st.builds(
    ScoredCase,
    view=st.sampled_from(["Femur", "Thorax"]),
    target=st.sampled_from([NORMAL, ABNORMAL]),
    verdict=st.sampled_from(list(Verdict)),
    p_abnormal=probabilities,
)
both_classes = st.lists(cases, min_size=2, max_size=60).filter(lambda rows: len({row.target for row in rows}) == 2)


@settings(max_examples=60, deadline=None)
@given(both_classes, st.floats(0, 1))
def test_figures_equal_those_of_scikit_learn(rows: list[ScoredCase], threshold: float) -> None:
    truth = [row.target is ABNORMAL for row in rows]
    called = [row.p_abnormal is not None and row.p_abnormal >= threshold for row in rows]
    scores = scores_of(rows, threshold)
    assert scores["auroc"].value == pytest.approx(roc_auc_score(truth, [row.p_abnormal for row in rows]), abs=1e-12)
    assert scores["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(truth, called), abs=1e-12)
    assert scores["mcc"].value == pytest.approx(matthews_corrcoef(truth, called), abs=1e-12)
    assert scores["accuracy"].value == pytest.approx(np.mean(np.equal(truth, called)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(both_classes)
def test_every_value_lies_within_its_range_and_near_its_interval(rows: list[ScoredCase]) -> None:
    for score in score_normality(rows, 0.5, resamples=FEW):
        if score.value is None:
            assert score.low is None
            assert score.high is None
        else:
            assert score.low is not None
            assert score.high is not None
            assert (-1 if score.name == "mcc" else 0) - 1e-9 <= score.low <= score.high <= 1 + 1e-9


def test_the_bootstrap_agrees_with_one_that_draws_cases() -> None:
    generator = np.random.default_rng(7)
    truth = np.arange(120) < 30
    p = np.clip(generator.normal(0.4 + 0.25 * truth, 0.2), 0, 1).round(2)
    rows = [case(ABNORMAL if t else NORMAL, float(value)) for t, value in zip(truth, p, strict=True)]
    drawn = []
    for _ in range(600):
        pos, neg = generator.choice(p[truth], 30), generator.choice(p[~truth], 90)
        labels, values = np.repeat([True, False], [30, 90]), np.concatenate([pos, neg])
        called = values >= 0.5
        drawn.append([roc_auc_score(labels, values), (called[:30].mean() + (~called[30:]).mean()) / 2,
                      matthews_corrcoef(labels, called)])  # fmt: skip
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    scores = scores_of(rows, resamples=4000)
    for position, name in enumerate(["auroc", "balanced_accuracy", "mcc"]):
        assert scores[name].low == pytest.approx(low[position], abs=0.03)
        assert scores[name].high == pytest.approx(high[position], abs=0.03)


def test_intervals_are_the_same_each_time_and_change_with_the_seed() -> None:
    generator = np.random.default_rng(1)
    rows = [case(ABNORMAL if i % 4 == 0 else NORMAL, float(generator.random())) for i in range(80)]
    assert score_normality(rows, 0.5) == score_normality(rows, 0.5)
    assert scores_of(rows, seed=1)["auroc"].low != scores_of(rows, seed=2)["auroc"].low


def test_the_order_of_cases_changes_nothing() -> None:
    generator = np.random.default_rng(2)
    rows = [case(ABNORMAL if i % 3 == 0 else NORMAL, float(generator.random())) for i in range(60)]
    assert score_normality(rows, 0.5) == score_normality(rows[::-1], 0.5)


def test_the_scores_of_a_view_do_not_depend_on_the_other_views() -> None:
    femur = [case(ABNORMAL if i % 3 == 0 else NORMAL, i / 30) for i in range(30)]
    thorax = [case(NORMAL, 0.1, view="Thorax")]
    assert scores_of(femur + thorax, scope="view:Femur") == scores_of(femur, scope="view:Femur")


def test_each_view_has_its_own_scores_beside_those_of_all() -> None:
    rows = [case(NORMAL, 0.1, view="Thorax"), case(ABNORMAL, 0.9, view="Cervix")]
    scores = score_normality(rows, 0.5, resamples=FEW)
    assert list(dict.fromkeys(score.scope for score in scores)) == ["all", "view:Cervix", "view:Thorax"]
    names = [score.name for score in scores if score.scope == "all"]
    proportions = {"accuracy", "sensitivity", "specificity"}
    text = {f"text_{name}" for name in proportions | {"balanced_accuracy"}}
    assert len(names) == len(set(names))
    rates = {"unclear_rate", "unparseable_rate"}
    assert set(names) == proportions | text | rates | {"balanced_accuracy", "mcc", "auroc", "brier", "ece"}


def test_without_abnormal_cases_what_needs_them_is_undefined_and_n_is_stated() -> None:
    scores = scores_of([case(NORMAL, 0.2), case(NORMAL, 0.7)])
    assert scores["sensitivity"] == Score("all", "sensitivity", None, None, None, 0)
    for name in ("balanced_accuracy", "mcc", "auroc", "text_balanced_accuracy"):
        assert scores[name] == Score("all", name, None, None, None, 2)
    assert (scores["specificity"].value, scores["specificity"].n) == (0.5, 2)


def test_sensitivity_counts_the_abnormal_cases_and_specificity_the_normal_ones() -> None:
    scores = scores_of([case(ABNORMAL, 0.9), case(ABNORMAL, 0.2), case(ABNORMAL, 0.1), case(NORMAL, 0.1)])
    assert (scores["sensitivity"].value, scores["sensitivity"].n) == (pytest.approx(1 / 3), 3)
    assert (scores["specificity"].value, scores["specificity"].n) == (1.0, 1)
    assert scores["accuracy"].n == 4


def test_a_probability_at_the_threshold_is_abnormal() -> None:
    assert scores_of([case(ABNORMAL, 0.3), case(NORMAL, 0.2)], 0.3)["sensitivity"].value == 1.0


def test_unparseable_and_unclear_texts_are_never_right() -> None:
    rows = [case(NORMAL, 0.1, UNPARSEABLE), case(NORMAL, 0.1, UNCLEAR), case(NORMAL, 0.1, NORMAL),
            case(ABNORMAL, 0.9, UNPARSEABLE)]  # fmt: skip
    scores = scores_of(rows)
    assert scores["text_accuracy"].value == 0.25
    assert scores["text_specificity"].value == pytest.approx(1 / 3)
    assert scores["text_sensitivity"].value == 0.0
    assert (scores["unparseable_rate"].value, scores["unparseable_rate"].n) == (0.5, 4)
    assert scores["accuracy"].value == 1.0


@pytest.mark.parametrize("p", [None, math.nan, math.inf])
def test_cases_without_a_probability_leave_n_smaller(p: float | None) -> None:
    scores = scores_of([case(ABNORMAL, p, ABNORMAL), case(ABNORMAL, 0.8, ABNORMAL), case(NORMAL, 0.2)])
    assert scores["accuracy"].n == 2
    assert scores["auroc"].n == 2
    assert scores["text_accuracy"].n == 3


def test_without_any_probability_only_the_text_is_scored() -> None:
    scores = scores_of([case(ABNORMAL, None, ABNORMAL), case(NORMAL, None)])
    assert scores["accuracy"] == Score("all", "accuracy", None, None, None, 0)
    assert scores["auroc"].value is None
    assert scores["text_balanced_accuracy"].value == 1.0


def test_targets_that_are_neither_class_count_only_as_answers() -> None:
    scores = scores_of([case(UNCLEAR, 0.9, UNPARSEABLE), case(ABNORMAL, 0.9, ABNORMAL), case(NORMAL, 0.1)])
    assert scores["accuracy"].n == 2
    assert scores["text_accuracy"].n == 2
    assert scores["unparseable_rate"].n == 3


def test_no_cases_give_no_scores() -> None:
    assert score_normality([], 0.5) == []


def test_scoring_raises_no_numeric_warning_on_degenerate_cases() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score_normality([case(NORMAL, 0.0), case(ABNORMAL, 0.0)], 0.5, resamples=FEW)
        score_normality([case(UNPARSEABLE, None)], 0.5, resamples=FEW)


@settings(max_examples=60, deadline=None)
@given(both_classes)
def test_no_threshold_has_a_higher_balanced_accuracy_than_the_chosen_one(rows: list[ScoredCase]) -> None:
    truth = [row.target is ABNORMAL for row in rows]

    def gain(threshold: float) -> float:
        return float(balanced_accuracy_score(truth, [(row.p_abnormal or 0.0) >= threshold for row in rows]))

    chosen = choose_threshold(rows)
    assert 0 <= chosen <= 1
    assert gain(chosen) >= max(gain(row.p_abnormal or 0.0) for row in rows) - 1e-12


def test_the_threshold_lies_midway_between_the_classes() -> None:
    assert choose_threshold([case(NORMAL, 0.1), case(NORMAL, 0.2), case(ABNORMAL, 0.6)]) == pytest.approx(0.4)


def test_of_equal_thresholds_the_one_closest_to_one_half_is_taken() -> None:
    rows = [case(ABNORMAL, 0.1), case(NORMAL, 0.2), case(ABNORMAL, 0.7), case(NORMAL, 0.9)]
    assert choose_threshold(rows) == pytest.approx(0.45)


def test_without_both_classes_the_threshold_is_one_half() -> None:
    assert choose_threshold([]) == 0.5
    assert choose_threshold([case(NORMAL, 0.1)]) == 0.5
    assert choose_threshold([case(NORMAL, 0.1), case(ABNORMAL, None)]) == 0.5
