from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import small_dataset
from data_helpers import case
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from engine import api
from engine.errors import DataError
from engine.recipe import parse_recipe
from engine.training.balance import MOST_FROM_ONE, OVERSAMPLE, SYNTHETIC, Origin, balance, training_samples
from engine.training.balance_record import BalanceCounts, balance_words, read_balance
from engine.training.class_weights import ClassWeights, weighed
from engine.training.dataset import build_examples
from engine.training.pictures import Pictures
from engine.types import Case, Split, Verdict


def cases(abnormal: int, normal: int, *, unclear: int = 0) -> list[Case]:
    return [
        *(case(f"V/a{number}.png", q7="Abnormal VSD") for number in range(abnormal)),
        *(case(f"V/n{number}.png", q7="Normal") for number in range(normal)),
        *(case(f"V/u{number}.png", q7="Unclear") for number in range(unclear)),
    ]


shares = st.floats(0.01, 0.95)
OF_BOTH = {"abnormal": st.integers(1, 30), "normal": st.integers(0, 60), "share": shares, "seed": st.integers(0, 9)}


@given(**OF_BOTH)
def test_oversampling_reaches_the_share_with_as_few_repeats_as_possible(
    abnormal: int, normal: int, share: float, seed: int
) -> None:
    real = cases(abnormal, normal, unclear=3)
    balanced = balance(real, OVERSAMPLE, share, seed)
    added = [sample for sample in balanced.samples if sample.origin is not Origin.REAL]
    assert [sample.case for sample in balanced.samples[: len(real)]] == real
    assert all(sample.origin is Origin.REPEATED for sample in added)
    assert all(sample.case.answers["Q7"] == "Abnormal VSD" for sample in added)

    def reached(count: int) -> float:
        return (abnormal + count) / (abnormal + normal + count)

    assert reached(len(added)) >= share - 1e-9
    assert not added or reached(len(added) - 1) < share
    times = Counter(sample.case.path for sample in added)
    assert all(times[each.path] in (len(added) // abnormal, -(-len(added) // abnormal)) for each in real[:abnormal])
    assert balanced.counts is not None
    assert balanced.counts.added == len(added)
    assert balanced.counts.share == pytest.approx(reached(len(added)))
    assert len({sample.name for sample in balanced.samples}) == len(balanced.samples)


def test_the_seed_draws_who_is_repeated_once_more_and_the_order_of_cases_does_not() -> None:
    def once_more(seed: int, real: list[Case]) -> set[str]:
        samples = balance(real, OVERSAMPLE, 0.5, seed).samples
        return {sample.case.path for sample in samples if sample.copy == 2}

    real = cases(10, 25)
    assert len(once_more(1, real)) == 5
    assert once_more(1, real) == once_more(1, real[::-1])
    assert len({frozenset(once_more(seed, real)) for seed in range(6)}) > 1


def test_a_share_that_is_there_already_adds_nothing() -> None:
    balanced = balance(cases(6, 4), OVERSAMPLE, 0.5, 7)
    assert [sample.origin for sample in balanced.samples] == [Origin.REAL] * 10
    assert balanced.counts == BalanceCounts(OVERSAMPLE, 6, 10, 0, 0.5)


@pytest.mark.parametrize(
    ("abnormal", "normal", "share", "added"), [(3, 7, 0.3, 0), (40, 760, 0.5, 720), (1, 1, 0.9, 8)]
)
def test_binary_fractions_add_no_sample_too_many(abnormal: int, normal: int, share: float, added: int) -> None:
    balanced = balance(cases(abnormal, normal), OVERSAMPLE, share, 0)
    assert balanced.counts is not None
    assert balanced.counts.added == added


def test_synthetic_samples_stop_at_the_most_of_one_image_and_say_so() -> None:
    balanced = balance(cases(2, 100), SYNTHETIC, 0.5, 7)
    made = [sample for sample in balanced.samples if sample.origin is Origin.SYNTHETIC]
    assert Counter(sample.case.path for sample in made) == {"V/a0.png": MOST_FROM_ONE, "V/a1.png": MOST_FROM_ONE}
    assert balanced.counts is not None
    assert balanced.counts.short
    line = balance_words(balanced.counts)
    assert "40 synthetic ones made from them, share 29.6 % (asked for 50 %); less than asked for" in line
    assert line.endswith("; in training alone")
    assert not balance(cases(2, 40), SYNTHETIC, 0.5, 7).counts.short  # type: ignore[union-attr]


def test_without_an_abnormal_image_there_is_a_next_step() -> None:
    with pytest.raises(DataError, match="no abnormal image") as caught:
        balance(cases(0, 5, unclear=1), OVERSAMPLE, 0.5, 7)
    assert "data.balance" in caught.value.next_step


@given(
    st.builds(
        BalanceCounts,
        how=st.sampled_from([OVERSAMPLE, SYNTHETIC]),
        abnormal=st.integers(1, 99),
        judged=st.integers(99, 9999),
        added=st.integers(0, 9999),
        wanted=shares,
        short=st.booleans(),
    )
)
def test_the_line_of_the_history_is_read_back(counts: BalanceCounts) -> None:
    found = read_balance(balance_words(counts))
    assert found is not None
    assert found.wanted == pytest.approx(counts.wanted)
    assert (found.how, found.abnormal, found.judged, found.added, found.short) == (
        counts.how,
        counts.abnormal,
        counts.judged,
        counts.added,
        counts.short,
    )
    assert read_balance(balance_words(counts) + " and more") is None


def recipe(balance: str, **data: object) -> object:
    content = {"name": "t", "data": {"balance": balance, **data}, "training": {"seed": 7}}
    return parse_recipe(content, "test")


def test_a_run_is_balanced_from_its_own_sample_and_only_with_images_that_it_trains_on() -> None:
    real = cases(20, 180)
    silent = [case(f"V/s{number}.png", q7=None) for number in range(5)]
    balanced = training_samples([*real, *silent], recipe("oversample", limit=41))  # type: ignore[arg-type]
    counts = balanced.counts
    assert counts is not None
    assert counts.judged + 1 == 41  # one silent image was drawn, and answers nothing
    assert (counts.abnormal, counts.share) == (4, 0.5)
    chosen = {sample.case.path for sample in balanced.samples if sample.origin is Origin.REAL}
    assert {sample.case.path for sample in balanced.samples} == chosen
    assert all("Q7" in sample.case.answers for sample in balanced.samples)
    plain = training_samples([*real, *silent], recipe("none", limit=41))  # type: ignore[arg-type]
    assert plain.counts is None
    assert {sample.case.path for sample in plain.samples} == chosen


def test_repeats_share_a_picture_and_synthetic_ones_have_one_of_their_own() -> None:
    check = [case("V/check.png", split=Split.VALIDATION)]
    repeated = Pictures.of(balance(cases(2, 7), OVERSAMPLE, 0.5, 7).samples, check, 7)
    assert repeated.numbers == [*range(9), *repeated.numbers[9:14], 9]
    assert set(repeated.numbers[9:14]) == {0, 1}
    assert (repeated.made, repeated.trained, len(repeated.files)) == ({}, 9, 10)
    made = Pictures.of(balance(cases(2, 7), SYNTHETIC, 0.5, 7).samples, check, 7)
    assert made.numbers == list(range(15))
    assert sorted(made.made) == [9, 10, 11, 12, 13]
    assert len(set(made.made.values())) == 5
    assert made.made[9] != Pictures.of(balance(cases(2, 7), SYNTHETIC, 0.5, 8).samples, check, 8).made[9]
    assert {made.files[number].stem for number in made.made} == {"a0", "a1"}
    assert made.files[14].name == "check.png"


@given(abnormal=st.integers(1, 50), normal=st.integers(1, 50), unclear=st.integers(0, 3))
def test_class_weights_are_those_of_scikit_learn(abnormal: int, normal: int, unclear: int) -> None:
    real = cases(abnormal, normal, unclear=unclear)
    examples, weights = weighed(build_examples(real, ("Q7",), "detailed"), real)
    expected = compute_class_weight("balanced", classes=np.array([1, 0]), y=[1] * abnormal + [0] * normal)
    assert [weights.weight(Verdict.ABNORMAL), weights.weight(Verdict.NORMAL)] == pytest.approx(list(expected))
    assert [example.weight for example in examples[abnormal + normal :]] == [1.0] * unclear
    assert sum(example.weight for example in examples) == pytest.approx(len(examples))


def test_class_weights_after_balance_do_not_correct_twice() -> None:
    balanced = balance(cases(2, 30), OVERSAMPLE, 0.5, 7)
    everything = [sample.case for sample in balanced.samples]
    examples, weights = weighed(build_examples(everything, ("Q7",), "detailed"), everything)
    assert {example.weight for example in examples} == {1.0}
    assert weights.words == "abnormal x1 (30 samples), normal x1 (30 samples), from the samples trained on"


def test_class_weights_count_every_wording_and_keep_their_mean() -> None:
    real = cases(2, 6)
    examples, weights = weighed(build_examples(real, ("Q7",), "detailed", "", ("simple",)), real)
    assert weights.counts == {Verdict.ABNORMAL: 4, Verdict.NORMAL: 12}
    assert [example.weight for example in examples] == [2.0] * 4 + [pytest.approx(2 / 3)] * 12
    assert sum(example.weight for example in examples) == pytest.approx(len(examples))


def test_only_answers_that_say_the_verdict_are_weighed() -> None:
    real = [
        Case(0, "a", cases(1, 0)[0].file, "V", Split.TRAIN, {"Q7": "Abnormal VSD", "Q6": "Good"}, "", 40, 30),
        *cases(0, 3),
    ]
    examples, weights = weighed(build_examples(real, ("Q6", "Q7"), "detailed"), real)
    assert [(each.question, each.weight) for each in examples[:2]] == [("Q6", 1.0), ("Q7", 2.0)]
    assert weights.counts == {Verdict.ABNORMAL: 1, Verdict.NORMAL: 3}
    alone = ClassWeights.of([Verdict.NORMAL] * 4)
    assert (alone.weight(Verdict.NORMAL), alone.weight(Verdict.ABNORMAL)) == (1.0, 1.0)


def test_the_launch_plan_counts_what_is_trained_on_and_says_what_was_added(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)

    def plan(*changes: str) -> api.LaunchPlan:
        wanted = ["data.dataset=fetal", "training.max_steps=0", "training.epochs=3", "training.batch=2", *changes]
        return api.plan_launch(workspace, api.load_recipe(api.find_recipe("demo", Path.cwd()), wanted))

    plain = plan()
    assert plain.balance == ""
    more = plan("data.balance=synthetic", "data.balance_share=0.8", "data.questions=['Q6','Q7']")
    counts = read_balance(more.balance)
    assert counts is not None
    assert counts.added > 0
    assert counts.share == pytest.approx(0.8, abs=0.02)
    assert more.training_samples == 2 * (plain.training_samples + counts.added) == sum(more.training_views.values())
    at_once = 2 * more.recipe.training.accumulation
    assert more.steps == 3 * -(-more.training_samples // at_once)
    assert more.split_images == plain.split_images


def test_the_launch_plan_counts_a_sample_for_each_wording(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)

    def plan(*changes: str) -> api.LaunchPlan:
        wanted = ["data.dataset=fetal", "training.max_steps=0", "data.questions=['Q6','Q7']", *changes]
        return api.plan_launch(workspace, api.load_recipe(api.find_recipe("demo", Path.cwd()), wanted))

    once, thrice = plan(), plan("data.more_prompts=['simple','clinical']")
    assert thrice.training_samples == 3 * once.training_samples == sum(thrice.training_views.values())
    training = thrice.recipe.training
    passes = -(-thrice.training_samples // training.batch)
    assert thrice.steps == training.epochs * -(-passes // training.accumulation)
    assert thrice.preflight is not None
    assert once.preflight is not None
    assert thrice.preflight.typical.samples == thrice.training_samples
    assert once.preflight.typical.samples == once.training_samples
