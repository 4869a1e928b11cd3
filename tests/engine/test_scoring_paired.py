from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar

from engine.scoring.auroc_pairs import auroc_difference, delong
from engine.scoring.paired import (
    Difference,
    PairedValues,
    bootstrap_p,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    swap_test,
)

outcomes = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=40)
both_classes = outcomes.filter(lambda rows: len({row[0] for row in rows}) == 2)
graded = st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0])] * 2), min_size=1, max_size=9)


def balanced(rows: list[tuple[bool, bool, bool]]) -> PairedValues:
    """Balanced accuracy from (abnormal, first right, second right)."""
    table = np.array(rows, dtype=float)
    return PairedValues("balanced_accuracy", table[:, 1], table[:, 2], table[:, 0].astype(np.intp))


def mean_of(first: object, second: object) -> PairedValues:
    return PairedValues.mean("f2", np.array(first, dtype=float), np.array(second, dtype=float))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_statsmodels_and_scipy(broken: int, fixed: int) -> None:
    p = mcnemar_exact(broken, fixed)
    expected = float(mcnemar([[30, broken], [fixed, 20]], exact=True).pvalue)
    assert p == pytest.approx(1.0 if broken + fixed == 0 else min(1.0, expected))
    if broken + fixed:
        assert p == pytest.approx(binomtest(fixed, broken + fixed).pvalue)
    assert p == pytest.approx(mcnemar_exact(fixed, broken))


@settings(max_examples=20, deadline=None)  # statsmodels collects garbage at each call
@given(st.lists(st.floats(0, 1), min_size=0, max_size=20))
def test_holm_is_the_step_down_of_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    running = 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        assert adjusted[place] == pytest.approx(running)


@settings(max_examples=40, deadline=None)
@given(both_classes)
def test_values_of_both_sides_equal_those_of_scikit_learn(rows: list[tuple[bool, bool, bool]]) -> None:
    difference = paired_bootstrap(balanced(rows), resamples=50)
    truth = [row[0] for row in rows]
    for side, value in ((1, difference.first), (2, difference.second)):
        said = [row[0] is row[side] for row in rows]  # right: says the class
        assert value == pytest.approx(balanced_accuracy_score(truth, said))
    assert difference.value == pytest.approx(difference.second - difference.first)
    assert difference.low <= difference.high


@settings(max_examples=60, deadline=None)
@given(both_classes)
def test_exchanging_the_subjects_turns_the_sign_and_nothing_else(rows: list[tuple[bool, bool, bool]]) -> None:
    forth, back = balanced(rows), balanced([(row[0], row[2], row[1]) for row in rows])
    one, other = paired_bootstrap(forth, resamples=200), paired_bootstrap(back, resamples=200)
    if abs(one.value) > 1e-9:
        assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))
        assert other.p == pytest.approx(one.p)
    assert swap_test(back) == pytest.approx(swap_test(forth))


def test_the_order_of_images_changes_nothing_and_the_seed_does() -> None:
    generator = np.random.default_rng(0)
    rows = [tuple(bool(each) for each in row) for row in generator.random((80, 3)) < 0.5]
    shuffled = [rows[place] for place in generator.permutation(80)]
    assert paired_bootstrap(balanced(shuffled)) == paired_bootstrap(balanced(rows))
    assert paired_bootstrap(balanced(rows), seed=1) != paired_bootstrap(balanced(rows), seed=2)
    fine = generator.random((2000, 2))
    order = generator.permutation(2000)
    one = paired_bootstrap(mean_of(fine[:, 0], fine[:, 1]))
    other = paired_bootstrap(mean_of(fine[order, 0], fine[order, 1]))
    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-12)


def test_the_interval_agrees_with_a_bootstrap_that_draws_images_of_each_class() -> None:
    generator = np.random.default_rng(1)
    abnormal = np.arange(150) < 30
    first, second = generator.random(150) < 0.6, generator.random(150) < 0.75
    drawn = []
    for _ in range(3000):
        chosen = np.concatenate([generator.integers(0, 30, 30), generator.integers(30, 150, 120)])
        gain = second[chosen].astype(float) - first[chosen]
        drawn.append((gain[:30].mean() + gain[30:].mean()) / 2)
    expected = np.quantile(drawn, [0.025, 0.975])
    rows = list(zip(abnormal.tolist(), first.tolist(), second.tolist(), strict=True))
    found = paired_bootstrap(balanced(rows), resamples=6000)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.012)
    assert found.n == 150


@settings(max_examples=50, deadline=None)
@given(outcomes)
def test_with_equal_weights_the_swap_test_is_mcnemar(rows: list[tuple[bool, bool, bool]]) -> None:
    fixed = sum(not row[1] and row[2] for row in rows)
    broken = sum(row[1] and not row[2] for row in rows)
    values = mean_of([row[1] for row in rows], [row[2] for row in rows])
    assert swap_test(values) == pytest.approx(mcnemar_exact(broken, fixed))


@settings(max_examples=30, deadline=None)
@given(graded, st.booleans())
def test_the_swap_test_equals_trying_every_exchange(rows: list[tuple[float, float]], classes: bool) -> None:
    first, second = np.array(rows).T
    strata = np.zeros(len(rows), dtype=np.intp)
    if classes and len(rows) > 1:
        strata[: (len(rows) + 1) // 3 or 1] = 1
    share = 1 / (len(np.bincount(strata)) * np.bincount(strata)[strata])
    weights = (second - first) * share
    observed = abs(weights.sum())
    sums = [abs(np.dot(signs, weights)) for signs in product([-1, 1], repeat=len(rows))]
    expected = np.mean([each >= observed - 1e-9 for each in sums])
    assert swap_test(PairedValues("f2", first, second, strata)) == pytest.approx(expected, abs=0.012)


def test_a_handful_of_images_is_never_evidence() -> None:
    # All that can be seen is in favour of the second, in the bootstrap without any doubt.
    few = balanced([(True, False, True)] * 1 + [(False, True, True)] * 50)
    assert paired_bootstrap(few).low > 0
    assert swap_test(few) == 1.0
    five = balanced([(True, False, True)] * 5 + [(True, True, True)] * 22 + [(False, True, True)] * 500)
    assert paired_bootstrap(five).p < 0.03
    assert swap_test(five) == pytest.approx(0.0625)


def test_subjects_that_never_differ_have_a_p_of_one() -> None:
    same = mean_of([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])
    assert swap_test(same) == 1.0
    assert paired_bootstrap(same) == Difference("f2", 0.5, 0.5, 0.0, 0.0, 0.0, 1.0, 3)


def test_the_bootstrap_p_is_never_zero_and_never_above_one() -> None:
    assert bootstrap_p(np.ones(1999)) == pytest.approx(2 / 2000)
    assert bootstrap_p(np.zeros(99)) == 1.0
    assert bootstrap_p(np.concatenate([np.ones(95), -np.ones(4)])) == pytest.approx(2 * 5 / 100)


def test_the_interval_covers_the_true_difference_and_the_swap_test_keeps_its_level() -> None:
    generator = np.random.default_rng(12)
    covered = rejected = 0
    for _ in range(150):
        abnormal = np.arange(120) < 40
        hard = generator.random(120)  # both subjects find the same images hard
        first, second = hard + generator.normal(0, 0.3, 120) < 0.6, hard + generator.normal(0, 0.3, 120) < 0.6
        values = balanced(list(zip(abnormal, first, second, strict=True)))
        found = paired_bootstrap(values, resamples=300)
        covered += found.low <= 0 <= found.high
        rejected += swap_test(values) < 0.05
    assert 0.89 <= covered / 150 <= 0.995
    assert rejected / 150 <= 0.08


scored = st.lists(st.tuples(st.booleans(), *[st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])] * 2), min_size=4, max_size=30)
two_of_each = scored.filter(lambda rows: min(sum(row[0] for row in rows), sum(not row[0] for row in rows)) > 1)


@settings(max_examples=60, deadline=None)
@given(two_of_each)
def test_areas_equal_those_of_scikit_learn_and_exchange_with_the_sign(rows: list[tuple[bool, float, float]]) -> None:
    abnormal = np.array([row[0] for row in rows])
    first, second = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    one = auroc_difference(abnormal, first, second, resamples=100)
    other = auroc_difference(abnormal, second, first, resamples=100)
    assert one.first == pytest.approx(roc_auc_score(abnormal, first))
    assert one.second == pytest.approx(roc_auc_score(abnormal, second))
    assert (other.value, other.low, other.high, other.p) == pytest.approx((-one.value, -one.high, -one.low, one.p))


def test_resampled_areas_agree_with_scikit_learn_on_drawn_images() -> None:
    generator = np.random.default_rng(3)
    abnormal = np.arange(120) < 30
    first = (generator.normal(0.2 * abnormal, 0.3)).round(1)
    second = (generator.normal(0.5 * abnormal, 0.3)).round(1)
    drawn = []
    for _ in range(400):
        chosen = np.concatenate([generator.integers(0, 30, 30), generator.integers(30, 120, 90)])
        labels = abnormal[chosen]
        drawn.append(roc_auc_score(labels, second[chosen]) - roc_auc_score(labels, first[chosen]))
    found = auroc_difference(abnormal, first, second, resamples=3000)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.02)
    check = delong(abnormal, first, second)
    assert (check.low, check.high) == pytest.approx((found.low, found.high), abs=0.03)


@settings(max_examples=60, deadline=None)
@given(two_of_each)
def test_delong_equals_its_definition(rows: list[tuple[bool, float, float]]) -> None:
    abnormal = np.array([row[0] for row in rows])
    sides = np.array([row[1:] for row in rows]).T
    wins = [
        np.sign(side[abnormal][:, None] - side[~abnormal][None, :]) / 2 + 0.5 for side in sides
    ]  # 1 above, 1/2 equal, 0 below
    gain = wins[1] - wins[0]
    variance = gain.mean(axis=1).var(ddof=1) / abnormal.sum() + gain.mean(axis=0).var(ddof=1) / (~abnormal).sum()
    found = delong(abnormal, *sides)
    assert found.value == pytest.approx(gain.mean())
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.sqrt(variance), abs=1e-6)
    if variance == 0:
        assert found.p in (0.0, 1.0)


def test_delong_is_near_the_jackknife() -> None:
    generator = np.random.default_rng(9)
    abnormal = np.arange(300) < 100
    first, second = generator.normal(0.5 * abnormal), generator.normal(1.0 * abnormal)

    def gain(kept: np.ndarray) -> float:
        return float(roc_auc_score(abnormal[kept], second[kept]) - roc_auc_score(abnormal[kept], first[kept]))

    left_out = np.array([gain(np.arange(300) != number) for number in range(300)])
    error = (
        sum(
            (size - 1) / size * ((part - part.mean()) ** 2).sum()
            for part, size in ((left_out[abnormal], 100), (left_out[~abnormal], 200))
        )
        ** 0.5
    )
    found = delong(abnormal, first, second)
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(error, rel=0.01)


def test_random_exchanges_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        [(True, False, True)] * 9
        + [(True, True, False)] * 2
        + [(False, True, False)] * 30
        + [(False, False, True)] * 26
    )
    exact = swap_test(balanced(rows))
    monkeypatch.setattr("engine.scoring.paired.EXACT_CELLS", 0)
    drawn = swap_test(balanced(rows))
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.005)
