from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import binomtest, norm, t
from scoring_helpers import READERS, answered, many, normality
from sklearn.metrics import matthews_corrcoef, roc_auc_score
from test_scoring_reports import report

from engine.questions.prompts import REPORT_ID
from engine.scoring.areas import area_interval, difference_interval, mean_placements
from engine.scoring.auroc_pairs import delong
from engine.scoring.figure_values import FIGURES, case_values, report_values
from engine.scoring.over_seeds import contrast, difference, estimate
from engine.scoring.paired import PairedValues, mcnemar_exact, paired_bootstrap, swap_test
from engine.scoring.questions import score_question
from engine.scoring.reports import score_report
from engine.scoring.resampling import Resampling, weighted_areas
from engine.scoring.seed_values import Kind, Redrawn, SeedValues, by_seeds, drawn

ABNORMAL = np.arange(200) % 4 == 0
CLASSES = ABNORMAL.astype(np.intp)
PLAIN = np.zeros(200, dtype=np.intp)
RESAMPLING = Resampling()


def scores(skill: float, seed: int) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(0, 1, 200) + skill * ABNORMAL, 1)


def areas(*skills: tuple[float, int]) -> SeedValues:
    return SeedValues("auroc", Kind.AUROC, np.stack([scores(*each) for each in skills]), CLASSES)


def rights(kind: Kind, *shares: float, classes: np.ndarray = PLAIN, seed: int = 1) -> SeedValues:
    random = np.random.default_rng(seed)
    values = np.stack([(random.random(200) < share).astype(float) for share in shares])
    return SeedValues("accuracy", kind, values, classes)


def test_one_seed_is_what_the_tests_of_pairs_are() -> None:
    one, other = areas((0.5, 1)), areas((1.5, 2))
    found = difference(one, other, RESAMPLING)
    known = delong(ABNORMAL, one.values[0], other.values[0])
    assert found is not None
    assert (found.value, found.p) == pytest.approx((known.value, known.p))
    assert found.low < known.low < known.high < found.high
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.02)


def test_an_area_has_an_interval_that_few_images_allow() -> None:
    """By hand: logit(0.9) = 2.197, of ten abnormal and 40 normal images, four of which lie above one abnormal one."""
    classes = np.array([1] * 10 + [0] * 40, dtype=np.intp)
    p = np.concatenate([np.linspace(0.8, 0.9, 9), [0.0], np.linspace(0.1, 0.5, 40)])
    found = mean_placements(SeedValues("auroc", Kind.AUROC, p[None], classes))
    low, high = area_interval(found)
    assert (found.area, found.error) == pytest.approx((0.9, 0.1))
    # The line that is just not excluded: its own error by Hanley and McNeil, on the logit scale, is 1.96 times away.
    q1, q2 = low / (2 - low), 2 * low**2 / (1 + low)
    error = np.sqrt((low * (1 - low) + 9 * (q1 - low**2) + 39 * (q2 - low**2)) / 400) / (low * (1 - low))
    reach = float(t.ppf(0.975, 9)) * 0.1 / 0.09  # DeLong's; all of the variance comes from ten images
    assert logit(low) == pytest.approx(min(logit(0.9) - reach, logit(0.9) - 1.96 * error), abs=0.005)
    assert logit(high) >= logit(0.9) + reach - 1e-9


def test_an_area_is_not_known_from_ten_images_that_happen_to_lie_alike() -> None:
    """All ten lie between the same normal ones: DeLong's variance is next to nothing, Hanley and McNeil's is not."""
    classes = np.array([1] * 10 + [0] * 400, dtype=np.intp)
    p = np.concatenate([np.full(9, 360.5), [350.5], np.arange(400)])
    found = mean_placements(SeedValues("auroc", Kind.AUROC, p[None], classes))
    low, _ = area_interval(found)
    assert found.error < 0.02
    alike = 9 * (low / (2 - low) - low**2) + 399 * (2 * low**2 / (1 + low) - low**2)
    error = np.sqrt((low * (1 - low) + alike) / 4000) / (low * (1 - low))
    assert logit(found.area) - logit(low) == pytest.approx(1.96 * error, abs=0.01)
    assert low < found.area - 0.1


def test_lines_are_reached_by_chance_as_rarely_as_an_interval_promises() -> None:
    """Ten abnormal images, and a truth that lies on the line: the percentile bootstrap says yes one time in six."""
    random = np.random.default_rng(3)
    classes = np.array([1] * 10 + [0] * 90, dtype=np.intp)
    areas_at, losses = 0, 0
    for _ in range(200):
        noise = random.normal(size=(3, 100))
        centres = [norm.ppf(area) * np.sqrt(2) for area in (0.95, 0.90)]
        rows = [0.7 * noise[0] + 0.714 * own + centre * classes for own, centre in zip(noise[1:], centres, strict=True)]
        old, new = (mean_placements(SeedValues("auroc", Kind.AUROC, row[None], classes)) for row in rows)
        areas_at += area_interval(old)[0] >= 0.95
        losses += difference_interval(old, new)[0] > -0.05
    assert areas_at <= 14  # binomial(200, 0.035): more in one of 100 sessions, and the seed is fixed
    assert losses <= 14


def test_a_threshold_chosen_elsewhere_makes_the_interval_wider() -> None:
    p = np.clip(scores(1.5, 1)[None, ABNORMAL] / 4, 0, 1)
    plain = np.zeros(50, dtype=np.intp)
    known = SeedValues("sensitivity_at_specificity", Kind.MEAN, (p >= 0.4).astype(float), plain)
    thresholds = np.random.default_rng(2).choice([0.3, 0.4, 0.5], size=(1, RESAMPLING.resamples))
    alike = np.full_like(thresholds, 0.4)
    narrow, same, wide = (
        estimate(each, RESAMPLING)
        for each in (known, replace(known, redrawn=Redrawn(p, alike)), replace(known, redrawn=Redrawn(p, thresholds)))
    )
    assert narrow is not None
    assert same is not None
    assert wide is not None
    assert narrow.value == same.value == wide.value
    assert (narrow.low, narrow.high) == pytest.approx((same.low, same.high), abs=0.02)
    assert wide.low < narrow.low - 0.03
    assert wide.high > narrow.high + 0.03


def test_a_mean_of_class_means_is_undefined_where_one_class_is_left() -> None:
    values = SeedValues("balanced_accuracy", Kind.MEAN, np.ones((1, 200)), CLASSES)
    assert estimate(values.at(~ABNORMAL), RESAMPLING) is None
    assert estimate(values.at(np.arange(200) < 40), RESAMPLING) is not None
    assert estimate(replace(values, classes=PLAIN).at(~ABNORMAL), RESAMPLING) is not None


def test_a_contrast_of_figures_that_never_change_has_a_width() -> None:
    perfect = SeedValues("auroc", Kind.AUROC, ABNORMAL[None].astype(float), CLASSES)
    found = contrast([(1.0, perfect), (-1.0, perfect)], RESAMPLING)
    reach = binomtest(0, 50).proportion_ci(method="wilson").high
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((-reach, 0, reach))


def test_the_mean_of_seeds_is_tested_as_one_figure() -> None:
    one, other = areas((0.5, 1), (0.5, 2), (0.5, 3)), areas((0.9, 4), (0.9, 5), (0.9, 6))
    found = difference(one, other, RESAMPLING)
    assert found is not None
    expected = np.mean([roc_auc_score(ABNORMAL, row) for row in other.values]) - np.mean(
        [roc_auc_score(ABNORMAL, row) for row in one.values]
    )
    assert found.value == pytest.approx(expected)
    # DeLong's standard error and the bootstrap's are two roads to one place.
    spread = np.std(drawn(other, RESAMPLING) - drawn(one, RESAMPLING))
    assert abs(found.value) / float(norm.isf(found.p / 2)) == pytest.approx(spread, rel=0.08)


def test_equal_seeds_are_one_seed() -> None:
    one, twice = areas((0.5, 1)), areas((0.5, 1), (0.5, 1))
    other = areas((1.0, 2))
    left, right = difference(one, other, RESAMPLING), difference(twice, other, RESAMPLING)
    assert left is not None
    assert right is not None
    assert (left.value, left.low, left.high, left.p) == pytest.approx((right.value, right.low, right.high, right.p))


def test_shares_of_one_seed_are_mcnemar_and_their_interval_is_wilson() -> None:
    one, other = rights(Kind.MEAN, 0.7, seed=1), rights(Kind.MEAN, 0.85, seed=2)
    found = difference(one, other, RESAMPLING)
    fixed = int(((one.values < other.values)[0]).sum())
    broken = int(((one.values > other.values)[0]).sum())
    assert found is not None
    assert found.p == mcnemar_exact(broken, fixed)
    expected = binomtest(int(one.values.sum()), 200).proportion_ci(method="wilson")
    own = estimate(one, RESAMPLING)
    assert own is not None
    assert (own.low, own.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_several_seeds_is_that_of_their_mean_on_each_image() -> None:
    several = rights(Kind.MEAN, 0.2, 0.5, 0.95)
    found = estimate(several, RESAMPLING)
    known = paired_bootstrap(PairedValues.mean("mean", np.zeros(200), several.values.mean(axis=0)))
    assert found is not None
    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.006)
    assert found.by_seed == pytest.approx(several.values.mean(axis=1))


def test_class_means_are_drawn_by_class() -> None:
    one, other = (rights(Kind.MEAN, share, classes=CLASSES, seed=seed) for share, seed in ((0.7, 1), (0.8, 2)))
    found = difference(one, other, RESAMPLING)
    values = PairedValues("accuracy", one.values[0], other.values[0], CLASSES)
    known = paired_bootstrap(values)
    assert found is not None
    assert (found.value, found.p) == (pytest.approx(known.value), swap_test(values))
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.015)


def test_mcc_is_that_of_scikit_learn_and_equal_subjects_have_no_small_p() -> None:
    one = rights(Kind.MCC, 0.8, 0.8, classes=CLASSES)
    called = [np.where(row > 0, ABNORMAL, ~ABNORMAL) for row in one.values]
    assert by_seeds(one) == pytest.approx([matthews_corrcoef(ABNORMAL, each) for each in called])
    same = difference(one, one, RESAMPLING)
    assert same is not None
    assert (same.value, same.p) == (0, 1)
    worse = difference(
        rights(Kind.MCC, 0.9, classes=CLASSES, seed=8), rights(Kind.MCC, 0.6, classes=CLASSES), RESAMPLING
    )
    assert worse is not None
    assert worse.p < 0.01
    assert worse.high < 0


@pytest.mark.parametrize("kind", [Kind.MEAN, Kind.AUROC, Kind.MCC])
def test_p_values_are_small_as_rarely_as_they_say(kind: Kind) -> None:
    """Under no difference at most one in ten falls below 0.1, chance aside: 40 pairs of equal subjects."""
    small = 0
    quick = Resampling(resamples=50)
    for seed in range(40):
        if kind is Kind.AUROC:
            pair = areas((0.5, 2 * seed), (0.5, 500 + seed)), areas((0.5, 2 * seed + 1), (0.5, 900 + seed))
        else:
            pair = (
                rights(kind, 0.8, 0.8, classes=CLASSES, seed=2 * seed),
                rights(kind, 0.8, 0.8, classes=CLASSES, seed=2 * seed + 1),
            )
        found = difference(*pair, quick)
        assert found is not None
        small += found.p < 0.1
    assert small <= 10  # binomial(40, 0.1): more in one of 500 sessions, and the seeds are fixed


def test_p_of_an_area_is_never_below_what_its_classes_can_give() -> None:
    few = np.array([1, 1, 0, 0], dtype=np.intp)
    constant = SeedValues("auroc", Kind.AUROC, np.full((1, 4), 0.5), few)
    perfect = SeedValues("auroc", Kind.AUROC, np.array([[0.9, 0.9, 0.1, 0.1]]), few)
    found = difference(constant, perfect, RESAMPLING)
    assert found is not None
    assert found.p == pytest.approx(2 / 6)


def test_a_perfect_share_keeps_an_interval_with_a_width() -> None:
    perfect = SeedValues("accuracy", Kind.MEAN, np.ones((3, 20)), np.zeros(20, dtype=np.intp))
    found = estimate(perfect, RESAMPLING)
    assert found is not None
    assert found.high == 1
    assert found.low == pytest.approx(binomtest(20, 20).proportion_ci(method="wilson").low)


def test_subjects_that_agree_on_every_image_are_not_known_to_be_equal() -> None:
    perfect = SeedValues("auroc", Kind.AUROC, ABNORMAL[None].astype(float), CLASSES)
    same = difference(perfect, perfect, RESAMPLING)
    reach = binomtest(0, 50).proportion_ci(method="wilson").high  # 50 abnormal images
    assert same is not None
    assert (same.low, same.value, same.high) == pytest.approx((-reach, 0, reach))
    own = estimate(perfect, RESAMPLING)
    assert own is not None
    assert (own.low, own.high) == pytest.approx((1 - reach, 1))


def test_a_subject_that_says_one_thing_has_an_mcc_of_exactly_0() -> None:
    always_normal = SeedValues("mcc", Kind.MCC, (~ABNORMAL)[None].astype(float), CLASSES)
    found = estimate(always_normal, RESAMPLING)
    assert found is not None
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_images_without_a_value_are_left_out_on_both_sides() -> None:
    one, other = areas((0.5, 1)), areas((1.5, 2))
    one.values[0, :7] = np.nan
    other.values[0, 190:] = np.nan
    found = difference(one, other, RESAMPLING)
    assert found is not None
    assert found.n == 183
    assert found.second == pytest.approx(roc_auc_score(ABNORMAL[7:190], other.values[0, 7:190]))


def test_without_a_class_there_is_no_area() -> None:
    none = SeedValues("auroc", Kind.AUROC, scores(0, 1)[None, ~ABNORMAL], CLASSES[~ABNORMAL])
    assert estimate(none, RESAMPLING) is None
    assert difference(none, none, RESAMPLING) is None


def test_a_difference_of_drops_is_a_contrast() -> None:
    clean, degraded, other = areas((1.5, 1)), areas((0.5, 2)), areas((1.0, 3))
    found = contrast([(1.0, clean), (-0.5, degraded), (-0.5, other)], RESAMPLING)
    values = [roc_auc_score(ABNORMAL, each.values[0]) for each in (clean, degraded, other)]
    assert found is not None
    assert found.value == pytest.approx(values[0] - (values[1] + values[2]) / 2)
    assert found.low < found.value < found.high


def test_weighted_areas_are_those_of_scikit_learn() -> None:
    p = scores(0.7, 3)
    counts = np.random.default_rng(1).integers(0, 4, size=(5, 200)).astype(float)
    found = weighted_areas(counts[:, ABNORMAL], counts[:, ~ABNORMAL], p[ABNORMAL], p[~ABNORMAL])
    assert found == pytest.approx([roc_auc_score(ABNORMAL, p, sample_weight=row) for row in counts])


def test_resamples_keep_the_size_of_each_class_and_depend_on_nothing_else() -> None:
    counts = Resampling(seed=3, resamples=40).counts(CLASSES)
    assert (counts[:, ABNORMAL].sum(axis=1) == 50).all()
    assert (counts[:, ~ABNORMAL].sum(axis=1) == 150).all()
    again = Resampling(seed=3, resamples=40)
    again.counts(PLAIN)
    assert (again.counts(CLASSES) == counts).all()
    assert not (Resampling(seed=4, resamples=40).counts(CLASSES) == counts).all()


WORDS = {
    "Q1": [(["a", "b"], ["a", "b"]), (["a"], ["a", "b", "c"]), (["d"], ["a"]), (["a", "x"], ["a"])],
    "Q4": [(["a", "b"], ["a", "b"]), (["a"], ["a", "b", "c"]), (["d"], ["a"])],
    "Q2": [("head to right", "head to right"), ("head to left", "head to right"), ("unparseable", "breech")],
    "Q3": [("axial view", "axial view"), ("axial", "sagittal view")],
    "Q5": [("8-13", "8-13"), ("13-15", "8-13"), ("38+", "8-13"), ("20-25", "20-25")],
    "Q6": [("good", "good"), ("good", "good"), ("good", "low"), ("low", "low"), ("good", "medium")],
    "Q8": [("follow up", "follow up"), ("follow", "follow up"), ("routine", "clinical assessment")],
}


@pytest.mark.parametrize("question", WORDS)
def test_every_figure_is_the_stored_score_of_its_question(question: str) -> None:
    cases = many(WORDS[question] * 3)
    stored = {each.name: each for each in score_question(question, cases, readers=READERS) if each.scope == "all"}
    for figure in FIGURES[question]:
        values = case_values(question, figure, cases, None, READERS)
        found = estimate(SeedValues(figure, values.kind, values.values[None], values.classes), RESAMPLING)
        assert found is not None
        assert (found.value, found.n) == (pytest.approx(stored[figure].value), stored[figure].n), figure


def test_every_figure_of_q7_is_its_stored_score() -> None:
    p = list(np.round(np.random.default_rng(2).random(60), 2))
    said = list(np.random.default_rng(3).random(60) > 0.5)
    cases = normality([place % 3 == 0 for place in range(60)], p, said)
    cases.append(answered("normal", "unclear", path="unclear.png", p=0.3))
    stored = {each.name: each for each in score_question("Q7", cases, threshold=0.4) if each.scope == "all"}
    for figure in FIGURES["Q7"]:
        values = case_values("Q7", figure, cases, 0.4, READERS)
        found = estimate(SeedValues(figure, values.kind, values.values[None], values.classes), RESAMPLING)
        name = figure.removesuffix("_at_specificity")
        assert found is not None
        assert (found.value, found.n) == (pytest.approx(stored[name].value), stored[name].n), figure


def test_every_figure_of_a_report_is_its_stored_score() -> None:
    cases = [
        report("1", applied=frozenset("ab"), broken=frozenset("b")),
        report("2", right="1234", missing="78", applied=frozenset("ab")),
        report("3", right="", missing="12345678"),
        report("4", right="123", unscored="58"),
    ]
    stored = {each.name: each for each in score_report(cases) if each.scope == "all"}
    for figure in FIGURES[REPORT_ID]:
        values = report_values(figure, cases)
        found = estimate(SeedValues(figure, values.kind, values.values[None], values.classes), RESAMPLING)
        assert found is not None
        assert (found.value, found.n) == (pytest.approx(stored[figure].value), stored[figure].n), figure
