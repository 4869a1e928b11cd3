from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring_helpers import FEW, READERS, by_name, many

from engine.scoring.agreement import f_beta
from engine.scoring.questions import score_question
from engine.scoring.shuffled import cannot_tell, deals, rounds_for
from engine.types import Outcome, Score


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 5))
def test_every_deal_gives_each_image_another_images_answer_and_uses_each_once(
    images: int, rounds: int, seed: int
) -> None:
    dealt = list(deals(images, rounds, np.random.default_rng(seed)))
    assert len(dealt) == (min(rounds, images - 1) if images > 1 else 0)
    for donors in dealt:
        assert sorted(donors) == list(range(images))
        assert not (donors == np.arange(images)).any()
    assert len({tuple(donors) for donors in dealt}) == len(dealt)


def test_few_images_are_dealt_often_and_many_at_least_once() -> None:
    assert rounds_for(16) == 10
    assert rounds_for(15_000) == 2
    assert rounds_for(1_000_000) == 1


def test_dealing_all_ways_gives_the_mean_over_all_pairs_of_different_images() -> None:
    sets = [["a", "b"], ["b", "c"], ["c"], ["a"], ["d", "a"]]
    targets = [["a"], ["b", "c"], ["c", "d"], ["d"], ["a", "b"]]
    pairs = [
        f_beta(set(said), set(target), 2) for i, said in enumerate(sets) for j, target in enumerate(targets) if i != j
    ]
    scores = by_name(score_question("Q1", many(list(zip(sets, targets, strict=True))), resamples=FEW, readers=READERS))
    assert scores["f2_shuffled"].value == pytest.approx(np.mean(pairs))
    assert scores["f2_over_shuffled"].value == pytest.approx((scores["f2"].value or 0) - np.mean(pairs))


def test_a_model_that_says_the_same_of_every_image_gains_nothing_over_shuffled_answers() -> None:
    cases = many([("follow up", f"monitoring {number % 3}") for number in range(40)])
    scores = score_question("Q8", cases, readers=READERS)
    named = by_name(scores)
    assert named["chrf_shuffled"].value == pytest.approx(named["chrf"].value)
    assert named["chrf_over_shuffled"].value == 0.0
    assert cannot_tell(scores) == ["chrf"]


def test_a_measure_that_is_high_for_any_text_shows_itself() -> None:
    # Right and wrong recommendations share almost every character: chrF is high, and as high for shuffled answers.
    texts = [f"prenatal routine monitoring and follow up in two weeks at the clinic number {n}" for n in range(2)]
    generator = np.random.default_rng(0)
    pairs = [(texts[generator.integers(2)], texts[generator.integers(2)]) for _ in range(60)]
    scores = score_question("Q8", many(pairs), readers=READERS)
    assert (by_name(scores)["chrf"].value or 0) > 0.9
    assert (by_name(scores)["chrf_shuffled"].value or 0) > 0.9
    assert cannot_tell(scores) == ["chrf"]


@pytest.mark.parametrize(
    ("question", "name"), [("Q1", "f2"), ("Q2", "keyword_agreement"), ("Q4", "f1"), ("Q8", "chrf")]
)
def test_a_model_that_is_mostly_right_is_told_from_shuffled_answers(question: str, name: str) -> None:
    values = ["alpha", "beta", "gamma", "delta", "epsilon"]
    cases = many([(values[n % 5] if n % 4 else "zeta", values[n % 5]) for n in range(60)])
    scores = score_question(question, cases, readers=READERS)
    assert cannot_tell(scores) == []
    gain = by_name(scores)[f"{name}_over_shuffled"]
    assert (gain.low or 0) > 0.3


def test_one_image_has_nobody_to_get_an_answer_from() -> None:
    scores = score_question("Q1", many([(["a"], ["a"])]), resamples=FEW, readers=READERS)
    assert by_name(scores)["f2_shuffled"] == Score("all", "f2_shuffled", None, None, None, 1)
    assert cannot_tell(scores) == []


def test_errors_are_worth_nothing_to_whomever_they_are_dealt() -> None:
    cases = many([(["a"], ["a"])] * 4, outcome=Outcome.ERROR)
    assert by_name(score_question("Q1", cases, resamples=FEW, readers=READERS))["f2_shuffled"].value == 0.0
