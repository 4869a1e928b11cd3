from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF
from scipy.stats import binomtest
from scoring_helpers import BINS, FEW, READERS, answered, by_name, many, normality
from sklearn.metrics import balanced_accuracy_score, fbeta_score, precision_score, recall_score

from engine.scoring.agreement import chrf, f_beta, jaccard, precision, recall
from engine.scoring.measures import PRIMARY
from engine.scoring.normality import score_normality
from engine.scoring.normality_cases import normality_rows
from engine.scoring.questions import score_question
from engine.types import QUESTION_IDS, Outcome, Score

STRUCTURES = ("aorta", "liver", "spine", "stomach", "thalami")
sets = st.frozensets(st.sampled_from(STRUCTURES), min_size=1)
pairs_of_sets = st.lists(st.tuples(sets, sets), min_size=1, max_size=30)
QUIET = {"resamples": FEW, "readers": READERS}


def scores_of(question: str, cases: Sequence, scope: str = "all") -> dict[str, Score]:
    return by_name(score_question(question, cases, **QUIET), scope)


def indicator(members: Sequence[frozenset[str]]) -> np.ndarray:
    return np.array([[name in each for name in STRUCTURES] for each in members], dtype=int)


@settings(max_examples=50, deadline=None)
@given(pairs_of_sets, st.sampled_from(["Q1", "Q4"]))
def test_set_figures_equal_those_of_scikit_learn(
    pairs: list[tuple[frozenset[str], frozenset[str]]], question: str
) -> None:
    said, target = indicator([pair[0] for pair in pairs]), indicator([pair[1] for pair in pairs])
    beta = 2 if question == "Q1" else 1
    scores = scores_of(question, many([(sorted(one), sorted(other)) for one, other in pairs]))
    assert scores[f"f{beta}"].value == pytest.approx(fbeta_score(target, said, beta=beta, average="samples"))
    assert scores["set_precision"].value == pytest.approx(precision_score(target, said, average="samples"))
    assert scores["set_recall"].value == pytest.approx(recall_score(target, said, average="samples"))


@pytest.mark.parametrize(
    ("said", "target", "f2"),
    [
        ({"a"}, {"a"}, 1.0),
        ({"a"}, {"a", "b"}, 5 * 1 / (4 * 2 + 1)),
        ({"a", "b"}, {"a"}, 5 * 1 / (4 * 1 + 2)),
        ({"a"}, {"b"}, 0.0),
        (set(), {"a"}, 0.0),
        ({"a"}, set(), 0.0),
        (set(), set(), 1.0),
    ],
)
def test_f2_of_known_sets(said: set[str], target: set[str], f2: float) -> None:
    assert f_beta(said, target, 2) == pytest.approx(f2)


def test_empty_sets_agree_with_each_other_alone() -> None:
    assert (precision(set(), set()), recall(set(), set()), jaccard(set(), set())) == (1.0, 1.0, 1.0)
    assert (precision(set(), {"a"}), recall(set(), {"a"}), jaccard(set(), {"a"})) == (0.0, 0.0, 0.0)
    assert (precision({"a"}, set()), recall({"a"}, set())) == (0.0, 0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["good", "medium", "low"])] * 2), min_size=1, max_size=40))
def test_macro_recall_equals_the_balanced_accuracy_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    scores = scores_of("Q6", many(pairs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an answer that is no target's
        expected = balanced_accuracy_score([target for _, target in pairs], [said for said, _ in pairs])
    assert scores["macro_recall"].value == pytest.approx(expected)
    assert scores["macro_recall"].n == len(pairs)


def test_always_good_has_a_high_accuracy_and_a_macro_recall_of_one_third() -> None:
    scores = scores_of("Q6", many([("good", "good")] * 82 + [("good", "medium")] * 12 + [("good", "low")] * 6))
    assert scores["accuracy"].value == pytest.approx(0.82)
    assert scores["macro_recall"].value == pytest.approx(1 / 3)


def test_accuracy_and_rates_have_the_wilson_interval_of_scipy() -> None:
    cases = many([("head", "head")] * 7 + [("unparseable", "head")] * 2 + [("spine", "head")] * 11)
    cases[-1] = replace(cases[-1], outcome=Outcome.ERROR)
    scores = scores_of("Q2", cases)
    for name, successes in (("accuracy", 7), ("unparseable_rate", 2), ("error_rate", 1), ("cut_off_rate", 0)):
        expected = binomtest(successes, 20).proportion_ci(method="wilson")
        assert (scores[name].low, scores[name].high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert (scores[name].value, scores[name].n) == (successes / 20, 20)


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.UNPARSEABLE, Outcome.CUT_OFF])
@pytest.mark.parametrize("question", [question for question in QUESTION_IDS if question != "Q7"])
def test_what_is_no_answer_stays_in_n_and_is_not_right(outcome: Outcome, question: str) -> None:
    # The text says what the target says: an error that happens to hold the answer is an error all the same.
    cases = many([("20-25", "20-25"), ("15-20", "20-25"), ("20-25", "20-25")])
    cases[2] = replace(cases[2], outcome=outcome)
    scores = scores_of(question, cases)
    assert (scores["accuracy"].value, scores["accuracy"].n) == (pytest.approx(1 / 3), 3)
    assert scores[f"{outcome}_rate"].value == pytest.approx(1 / 3)
    if outcome is not Outcome.CUT_OFF:
        graded = {"Q1": "f2", "Q2": "keyword_agreement", "Q3": "keyword_agreement", "Q4": "f1", "Q5": "within_one_bin",
                  "Q8": "chrf"}  # fmt: skip
        if question in graded:
            clean = scores_of(question, cases[:2])[graded[question]]
            assert scores[graded[question]].value == pytest.approx((clean.value or 0) * 2 / 3)


def test_cases_whose_target_cannot_be_read_are_counted_and_measured_by_nothing() -> None:
    cases = many([("20-25", "20-25"), ("15-20", "20-25")])
    unscored = answered("20-25", "unparseable", path="z.png", outcome=Outcome.UNSCORED)
    for question in set(QUESTION_IDS) - {"Q7"}:
        without, scores = scores_of(question, cases), scores_of(question, [*cases, unscored])
        assert {name: score for name, score in scores.items() if name != "unscored_rate"} == {
            name: score for name, score in without.items() if name != "unscored_rate"
        }
        assert (scores["unscored_rate"].value, scores["unscored_rate"].n) == (pytest.approx(1 / 3), 3)


def test_weeks_of_a_neighbouring_bin_are_within_one_bin() -> None:
    cases = many([(BINS[2], BINS[2]), (BINS[3], BINS[2]), (BINS[1], BINS[2]), (BINS[0], BINS[2]), ("unclear", BINS[2])])
    score = scores_of("Q5", cases)["within_one_bin"]
    assert (score.value, score.n) == (pytest.approx(3 / 5), 5)


def test_answers_read_without_meaning_are_in_no_bin() -> None:
    assert scores_of("Q5", many([("some weeks", BINS[2])]))["within_one_bin"].value == 0.0


def test_keyword_agreement_is_the_mean_share_of_common_words() -> None:
    scores = scores_of("Q3", many([("axial head", "axial head"), ("axial femur", "axial head"), ("x", "axial head")]))
    assert scores["keyword_agreement"].value == pytest.approx((1 + 1 / 3 + 0) / 3)


@settings(max_examples=40, deadline=None)
@given(st.text("abc de", max_size=30), st.text("abc de", min_size=1, max_size=30))
def test_chrf_equals_that_of_sacrebleu(said: str, target: str) -> None:
    folded = [" ".join(text.split()) for text in (said, target)]
    assert chrf(said, target) == pytest.approx(CHRF().sentence_score(folded[0], [folded[1]]).score / 100)


def test_chrf_looks_past_case_and_spacing_and_not_further_than_needed() -> None:
    assert chrf("Prenatal  routine monitoring.", "prenatal routine monitoring") == pytest.approx(1.0)
    assert chrf("follow up " * 100_000, "follow up") < 0.5


def test_every_question_has_its_primary_measure_among_its_scores() -> None:
    for question in QUESTION_IDS:
        cases = many([("normal", "normal"), ("abnormal", "abnormal")] if question == "Q7" else [("20-25", "20-25")])
        cases = [replace(case, p_abnormal=0.3) for case in cases]
        assert PRIMARY[question] in scores_of(question, cases)


def test_each_view_has_scores_of_its_own() -> None:
    cases = many([("a", "a"), ("b", "a"), ("a", "a"), ("a", "a")], views=2)
    scores = score_question("Q2", cases, **QUIET)
    assert list(dict.fromkeys(score.scope for score in scores)) == ["all", "view:V0", "view:V1"]
    assert by_name(scores, "view:V0")["accuracy"].value == 1.0
    assert by_name(scores, "view:V1")["accuracy"].value == 0.5
    alone = score_question("Q2", [case for case in cases if case.view == "V1"], **QUIET)
    assert by_name(alone, "view:V1") == by_name(scores, "view:V1")


@pytest.mark.parametrize("question", QUESTION_IDS)
def test_the_order_of_cases_changes_nothing_and_the_seed_does(question: str) -> None:
    generator = np.random.default_rng(4)
    if question == "Q7":
        cases = normality([bool(each) for each in generator.random(60) < 0.3], list(generator.random(60)))
    else:
        values = [" ".join(sorted(generator.choice(list("abcdef"), 3, replace=False))) for _ in range(120)]
        cases = many([(values[i].split(), values[i + 60].split()) for i in range(60)], views=2)
        cases = [replace(case, outcome=Outcome.RIGHT if i % 3 else Outcome.WRONG) for i, case in enumerate(cases)]
    shuffled = [cases[i] for i in generator.permutation(60)]
    assert score_question(question, shuffled, **QUIET) == score_question(question, cases, **QUIET)
    bootstrapped = {"Q1": "f2", "Q2": "keyword_agreement", "Q3": "keyword_agreement", "Q4": "f1", "Q6": "macro_recall",
                    "Q7": "auroc", "Q8": "chrf"}  # fmt: skip
    if question in bootstrapped:
        name = bootstrapped[question]
        other = by_name(score_question(question, cases, seed=1, **QUIET))[name]
        assert other.low != by_name(score_question(question, cases, **QUIET))[name].low


def test_intervals_of_means_agree_with_a_bootstrap_that_draws_images() -> None:
    generator = np.random.default_rng(5)
    pairs = [
        (generator.choice(STRUCTURES, 3, replace=False), generator.choice(STRUCTURES, 2, replace=False))
        for _ in range(150)
    ]
    values = [f_beta(frozenset(map(str, said)), frozenset(map(str, target)), 2) for said, target in pairs]
    expected = np.quantile([generator.choice(values, 150).mean() for _ in range(4000)], [0.025, 0.975])
    cases = many([(list(map(str, said)), list(map(str, target))) for said, target in pairs])
    score = by_name(score_question("Q1", cases, resamples=4000, readers=READERS))["f2"]
    assert (score.low, score.high) == pytest.approx(tuple(expected), abs=0.01)


@pytest.mark.parametrize("question", QUESTION_IDS)
def test_degenerate_input_gives_scores_without_a_warning(question: str) -> None:
    assert score_question(question, [], **QUIET) == []
    word = "normal" if question == "Q7" else "20-25"
    one = answered(word, word)
    error = replace(one, outcome=Outcome.ERROR, said=answered("unparseable", word).said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cases in ([one], [error], [replace(one, outcome=Outcome.UNSCORED)], [error, replace(error, path="2.png")]):
            scores = scores_of(question, cases)
            for score in scores.values():
                assert (score.value is None) == (score.low is None) == (score.high is None)
                if score.value is not None and score.low is not None and score.high is not None:
                    assert score.low - 1e-9 <= score.value <= score.high + 1e-9
                if score.n == 0:
                    assert score.value is None
        assert scores_of(question, [error])["error_rate"].value == 1.0


def test_scores_of_q7_are_those_of_the_normality_scorer_with_outcomes_counted_apart() -> None:
    generator = np.random.default_rng(6)
    cases = normality([bool(each) for each in generator.random(80) < 0.3], list(generator.random(80)))
    cases[3] = replace(cases[3], outcome=Outcome.ERROR, p_abnormal=None)
    scores = by_name(score_question("Q7", cases, threshold=0.4, resamples=FEW))
    expected = by_name(score_normality(normality_rows(cases), 0.4, resamples=FEW))
    shared = expected.keys() - {"unparseable_rate"}
    assert {name: scores[name] for name in shared} == {name: expected[name] for name in shared}
    assert scores["error_rate"].value == pytest.approx(1 / 80)
    assert scores["unparseable_rate"].value == 0.0
    assert scores["probability_rate"].value == pytest.approx(79 / 80)
    assert scores["text_accuracy"].n == 80


def test_an_error_that_reads_normal_is_no_right_answer_to_q7() -> None:
    cases = normality([False, True])
    cases[0] = replace(cases[0], outcome=Outcome.ERROR)
    scores = scores_of("Q7", cases)
    assert (scores["text_specificity"].value, scores["text_specificity"].n) == (0.0, 1)


def test_without_readers_texts_are_read_as_the_questions_package_reads_them() -> None:
    plane = replace(
        answered("x", "y"), said_text="A transthalamic view of the head.", target_text="Trans-thalamic plane"
    )
    agreement = by_name(score_question("Q3", [plane], resamples=FEW))["keyword_agreement"].value
    assert agreement is not None
    assert agreement > 0.4
    weeks = answered("20-25", "25-30")
    assert by_name(score_question("Q5", [weeks], resamples=FEW))["within_one_bin"].value == 1.0
