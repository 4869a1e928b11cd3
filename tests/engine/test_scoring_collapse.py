from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring_helpers import answered, many

from engine.scoring.collapse import collapse_check, collapse_of
from engine.types import Outcome

VIEWS = [f"View {number}" for number in range(14)]


def check(answers: list[str], targets: list[str]) -> object:
    return collapse_check(answers, targets, [VIEWS[number % 14] for number in range(len(answers))])


def cycled(distinct: int, n: int) -> list[str]:
    return [f"target {number % distinct}" for number in range(n)]


def mostly_normal(abnormal: int, n: int) -> list[str]:
    """Every 1/share-th is abnormal, spread over the sample."""
    step = n / abnormal if abnormal else n + 1
    marked = {int(number * step) for number in range(abnormal)}
    return ["abnormal" if number in marked else "normal" for number in range(n)]


def finding(share: float, targets: list[str]) -> list[str]:
    """Answers of a model of Q7 that finds this share of the abnormal cases, and calls 1 % of the others abnormal."""
    generator = np.random.default_rng(0)
    return [
        "abnormal" if generator.random() < (share if target == "abnormal" else 0.01) else "normal" for target in targets
    ]


COLLAPSED = {
    "one answer for 14 views": (["normal"] * 1894, cycled(40, 1894)),
    "always normal, 27 abnormal of 1,894": (["normal"] * 1894, mostly_normal(27, 1894)),
    "all but two normal, 27 abnormal": (["abnormal"] * 2 + ["normal"] * 1892, mostly_normal(27, 1894)),
    "two answers for 40 targets": (["a", "b"] * 500, cycled(40, 1000)),
    "two answers, one rare, for 14 targets": (["a"] * 90 + ["b"] * 10, cycled(14, 100)),
    "one answer with a few slips": (["a"] * 97 + ["slip 1", "slip 2", "slip 3"], cycled(10, 100)),
    "always good, 18 % are not": (["good"] * 500, ["good"] * 410 + ["medium"] * 60 + ["low"] * 30),
    "a sample of 16 in training": (["a"] * 16, cycled(14, 16)),
    "one answer for two even classes": (["a"] * 16, cycled(2, 16)),
}
SOUND = {
    "right": (cycled(40, 1000), cycled(40, 1000)),
    "98 % normal, most found": (finding(0.8, mostly_normal(30, 1500)), mostly_normal(30, 1500)),
    "98 % normal, a quarter found": (finding(0.25, mostly_normal(30, 1500)), mostly_normal(30, 1500)),
    "right on 16 targets": (cycled(14, 16), cycled(14, 16)),
    "all normal, as all targets are": (["normal"] * 1000, ["normal"] * 1000),
    "one abnormal target of 60": (["normal"] * 60, mostly_normal(1, 60)),
    "16 answers to Q7": (["normal"] * 16, mostly_normal(1, 16)),
    "three answers": (["normal"] * 3, ["normal", "abnormal", "normal"]),
    "one case": (["a"], ["b"]),
    "half of the vocabulary": ([f"answer {n % 20}" for n in range(1000)], cycled(40, 1000)),
    "the answer of each view": ([f"answer {n % 14}" for n in range(1000)], cycled(120, 1000)),
    "good quality, overdone": (["good"] * 470 + ["medium"] * 30, ["good"] * 410 + ["medium"] * 60 + ["low"] * 30),
    "one constant wrong answer for one target": (["a"] * 50, ["b"] * 50),
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_collapsed(name: str) -> None:
    assert check(*COLLAPSED[name]).collapsed  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SOUND)
def test_sound(name: str) -> None:
    assert not check(*SOUND[name]).collapsed  # type: ignore[attr-defined]


def test_the_mistake_that_went_unnoticed_is_said_in_full() -> None:
    found = collapse_check(["head"] * 1894, cycled(40, 1894), [VIEWS[n % 14] for n in range(1894)])
    assert found.sentence == (
        "collapsed: one and the same answer for all 1,894 images of 14 views with 40 different targets"
    )
    assert (found.n, found.distinct_answers, found.distinct_targets, found.views) == (1894, 1, 40, 14)
    assert (found.most_common, found.most_common_share) == ("head", 1.0)
    assert found.target_share == pytest.approx(48 / 1894)


def test_other_sentences() -> None:
    answers, targets = COLLAPSED["one answer with a few slips"]
    assert check(answers, targets).sentence == (  # type: ignore[attr-defined]
        "collapsed: one answer for 97 of 100 images in 14 of 14 views with 10 different targets"
    )
    answers, targets = COLLAPSED["two answers for 40 targets"]
    assert check(answers, targets).sentence == (  # type: ignore[attr-defined]
        "collapsed: 2 different answers for 1,000 images of 14 views with 40 different targets"
    )
    assert collapse_check(["a", "b"], ["a", "a"], ["V", "V"]).sentence == (
        "2 different answers for 2 images with 1 different target"
    )
    assert collapse_check([], [], []).sentence == "no answers"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_answers_as_varied_as_the_targets_never_count_as_collapsed(targets: list[str], random: object) -> None:
    # Neither when they are right, nor when every one of them is on the wrong image.
    answers = list(targets)
    random.shuffle(answers)  # type: ignore[attr-defined]
    assert not check(answers, targets).collapsed  # type: ignore[attr-defined]


def test_the_answer_itself_is_not_in_the_sentence() -> None:
    found = check(["\x1b[31mred"] * 40, cycled(20, 40))
    assert "\x1b" not in found.sentence  # type: ignore[attr-defined]
    assert found.most_common == "\x1b[31mred"  # type: ignore[attr-defined]


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 answers, 1 targets and 2 views"):
        collapse_check(["a", "b"], ["a"], ["V", "V"])


def test_of_cases_errors_and_unreadable_targets_are_left_out() -> None:
    cases = many([("head", f"plane {n % 8}") for n in range(40)], views=2)
    cases += [replace(case, path=f"e{n}", outcome=Outcome.ERROR) for n, case in enumerate(cases[:10])]
    cases += [replace(case, path=f"u{n}", outcome=Outcome.UNSCORED) for n, case in enumerate(cases[:10])]
    found = collapse_of(cases)
    assert (found.n, found.collapsed, found.views) == (40, True, 2)
    assert collapse_of([replace(case, outcome=Outcome.ERROR) for case in cases]).n == 0


def test_unreadable_outputs_are_one_answer_only_where_they_are_one_text() -> None:
    targets = [f"plane {n % 8}" for n in range(40)]
    same = [replace(answered("unparseable", target, path=str(n)), said_text="????") for n, target in enumerate(targets)]
    assert collapse_of(same).collapsed
    garbled = [replace(case, said_text=f"?{n}") for n, case in enumerate(same)]
    assert not collapse_of(garbled).collapsed
