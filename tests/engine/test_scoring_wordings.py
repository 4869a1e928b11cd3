"""One subject under several wordings, against tables worked out by hand and against statsmodels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scoring_helpers import FEW, answered, many, normality
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

from engine.errors import DataError
from engine.questions.serving_errors import compile_patterns
from engine.scoring.cases import AnsweredCase, names_of
from engine.scoring.pairing import UnpairedError
from engine.scoring.questions import score_question
from engine.scoring.wordings import _resampled_kappas, agreement, format_compliance
from engine.types import Outcome

FLEISS = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
"""Ten subjects, fourteen raters, five categories: the worked example that goes with the formula; kappa 0.210."""

N, A, U, X = "normal", "abnormal", "unclear", "unparseable"
SAID = {"simple": [N, N, A, A, U, X], "detailed": [N, A, A, A, U, X], "structured": [N, N, A, N, N, X]}


def said(readings: Sequence[str]) -> list[AnsweredCase]:
    return many([(reading, N) for reading in readings])


def by_wording() -> dict[str, list[AnsweredCase]]:
    return {wording: said(readings) for wording, readings in SAID.items()}


# ----- agreement


def test_pairs_and_all_agree_as_counted_by_hand() -> None:
    found = agreement(by_wording(), resamples=FEW)
    assert [(pair.first, pair.second, pair.share.value) for pair in found.pairs] == [
        ("simple", "detailed", 5 / 6),
        ("simple", "structured", 4 / 6),
        ("detailed", "structured", 3 / 6),
    ]
    assert (found.unanimous.value, found.unanimous.n) == (3 / 6, 6)
    assert (found.unanimous.low, found.unanimous.high) == pytest.approx(proportion_confint(3, 6, method="wilson"))
    assert found.pairs[0].share.low == pytest.approx(proportion_confint(5, 6, method="wilson")[0])


def test_kappa_is_that_of_the_worked_example_and_of_statsmodels() -> None:
    columns = [np.repeat(list("abcde"), row) for row in FLEISS]
    cases = {f"w{number}": said([column[number] for column in columns]) for number in range(14)}
    found = agreement(cases, resamples=200).kappa
    assert found.value == pytest.approx(0.2099, abs=5e-5)
    assert found.value == pytest.approx(fleiss_kappa(FLEISS))
    assert found.low is not None and found.high is not None and found.low < 0.2099 < found.high
    assert found.n == 10


def test_kappa_of_every_resample_is_the_one_of_statsmodels() -> None:
    rows, counts = np.unique(FLEISS, axis=0, return_counts=True)
    drawn = np.random.default_rng(3).multinomial(10, counts / 10, size=50)
    expected = [fleiss_kappa(np.repeat(rows, each, axis=0)) for each in drawn]
    assert _resampled_kappas(FLEISS, 50, np.random.default_rng(3)) == pytest.approx(expected)


def test_the_interval_is_the_percentile_of_the_resamples_in_which_readings_differ() -> None:
    cases = {wording: said([N, N, N, A]) for wording in ("simple", "detailed")}
    with np.errstate(all="raise"):
        found = agreement(cases, resamples=500).kappa
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)  # many resamples hold one reading alone
    table = np.array([[2, 0], [2, 0], [2, 0], [0, 2]])
    undefined = np.isnan(_resampled_kappas(table, 500, np.random.default_rng(0))).mean()
    assert 0.2 < undefined < 0.45  # expected: 0.75**4 + 0.25**4 = 0.32


def test_what_cannot_be_read_is_one_category_and_unclear_another() -> None:
    error = replace(answered(N, N, path="000000.png"), outcome=Outcome.ERROR)
    unread = answered(X, N, path="000000.png")
    unclear = answered(U, N, path="000000.png")
    for other, share in ((unread, 1.0), (unclear, 0.0)):
        assert agreement({"simple": [error], "detailed": [other]}, resamples=FEW).pairs[0].share.value == share
    named = answered([X], N, path="000000.png")  # a set whose only member is called so has been read
    assert agreement({"simple": [unread], "detailed": [named]}, resamples=FEW).unanimous.value == 0.0


def test_images_without_a_readable_target_count_too() -> None:
    cases = {wording: [replace(each, outcome=Outcome.UNSCORED) for each in said(SAID[wording])] for wording in SAID}
    assert agreement(cases, resamples=FEW) == agreement(by_wording(), resamples=FEW)


def test_neither_the_order_of_wordings_nor_of_images_changes_a_figure() -> None:
    expected = agreement(by_wording(), resamples=200)
    for order in permutations(SAID):
        # Each wording's images come in another order.
        shuffled = {wording: said(SAID[wording])[:: 1 if wording == "simple" else -1] for wording in order}
        found = agreement(shuffled, resamples=200)
        assert (found.unanimous, found.kappa) == (expected.unanimous, expected.kappa)
        assert {frozenset((each.first, each.second)): each.share for each in found.pairs} == {
            frozenset((each.first, each.second)): each.share for each in expected.pairs
        }


def test_the_same_answers_agree_wholly_and_a_single_answer_has_no_kappa() -> None:
    same = agreement({wording: said([N, A, N, A, U]) for wording in SAID}, resamples=FEW)
    assert (same.unanimous.value, same.kappa.value) == (1.0, 1.0)
    one = agreement({wording: said([N] * 20) for wording in SAID}, resamples=FEW)
    assert (one.unanimous.value, one.unanimous.high) == (1.0, 1.0)
    assert (one.kappa.value, one.kappa.low, one.kappa.n) == (None, None, 20)


def test_opposite_answers_agree_less_than_chance() -> None:
    cases = {"simple": said([N, A] * 10), "detailed": said([A, N] * 10)}
    found = agreement(cases, resamples=FEW)
    assert (found.unanimous.value, found.kappa.value) == (0.0, pytest.approx(-1.0))


def test_without_images_nothing_is_defined() -> None:
    found = agreement({"simple": [], "detailed": []}, resamples=FEW)
    assert (found.unanimous.value, found.kappa.value, found.kappa.n, found.pairs[0].share.low) == (None, None, 0, None)


def test_other_images_or_other_targets_are_refused_with_the_wordings_named() -> None:
    fewer = {**by_wording(), "structured": said(SAID["structured"][:-1])}
    with pytest.raises(UnpairedError, match="different images") as found:
        agreement(fewer, resamples=FEW)
    assert found.value.reason.startswith("Wordings simple and structured: 1 images have")
    retold = {"simple": many([(N, N)]), "detailed": many([(N, A)])}
    with pytest.raises(UnpairedError, match="different annotations"):
        agreement(retold, resamples=FEW)
    with pytest.raises(DataError, match="no two wordings"):
        agreement({"simple": said([N])}, resamples=FEW)


# ----- format


def test_the_structured_wording_asks_for_a_verdict_and_a_reason() -> None:
    texts = ["NORMAL. All seen", "**ABNORMAL**: VSD", "UNCLEAR. Shadow", "NORMAL", "Normal. All seen", "12 weeks"]
    found = format_compliance("Q7", "structured", texts)
    assert (found.value, found.n) == (3 / 6, 6)
    assert (found.low, found.high) == pytest.approx(proportion_confint(3, 6, method="wilson"))
    assert "NORMAL, ABNORMAL, UNCLEAR" in found.what and "reason" in found.what
    assert format_compliance("Q7", "structured", ["NORMAL. Cut of"], cut_off=[True]).value == 1.0


@pytest.mark.parametrize("wording", ["simple", "detailed", "clinical", "own"])
def test_other_wordings_ask_for_an_answer_that_can_be_read(wording: str) -> None:
    texts = ["Normal", "It is hard to say, unclear", "ERROR: API error 500", "12 weeks", "Abnormal VSD"]
    found = format_compliance("Q7", wording, texts)
    assert (found.value, found.n) == (3 / 5, 5)
    assert "no form" in found.what
    assert format_compliance("Q7", wording, texts, cut_off=[True, False, False, False, False]).value == 2 / 5


def test_errors_of_the_users_own_server_and_lists_of_other_questions() -> None:
    errors = compile_patterns(["^upstream"])
    assert format_compliance("Q1", "simple", ["liver, stomach", "upstream: liver"], errors=errors).value == 1 / 2
    assert format_compliance("Q7", "structured", ["NORMAL. upstream"], errors=compile_patterns(["upstream"])).value == 0
    assert format_compliance("Q1", "simple", []).value is None
    with pytest.raises(ValueError, match=r"shorter|longer"):
        format_compliance("Q1", "simple", ["liver"], cut_off=[False, True])


# ----- unclear


def test_unclear_is_neither_class_and_has_a_rate_of_its_own() -> None:
    cases = many([(U, N), (U, A), (N, N), (A, A), (X, N), (U, U)])
    cases.append(answered(U, X, path="unscored.png", outcome=Outcome.UNSCORED))
    scores = names_of(score_question("Q7", cases, resamples=FEW))
    unclear = scores["unclear_rate"]
    assert (unclear.value, unclear.n) == (3 / 6, 6)
    assert (unclear.low, unclear.high) == pytest.approx(proportion_confint(3, 6, method="wilson"))
    assert (scores["unparseable_rate"].value, scores["unparseable_rate"].n) == (1 / 6, 6)
    assert (scores["text_sensitivity"].value, scores["text_sensitivity"].n) == (1 / 2, 2)
    assert (scores["text_specificity"].value, scores["text_specificity"].n) == (1 / 3, 3)
    by_view = score_question("Q7", normality([True, False]), resamples=FEW)
    assert [each.value for each in by_view if each.name == "unclear_rate"] == [0.0] * len(
        {each.scope for each in by_view}
    )
