from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring_helpers import FEW, READERS, answered, many, normality
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from engine.errors import SonotuneError
from engine.scoring.cases import AnsweredCase
from engine.scoring.comparing import Comparison, Side, compare, decided
from engine.scoring.measures import PRIMARY
from engine.scoring.pairing import UnpairedError, paired
from engine.scoring.verdicts import difference_text, p_text
from engine.types import QUESTION_IDS, Outcome


def against(
    question: str, first: list[AnsweredCase], *others: list[AnsweredCase], **options: object
) -> list[Comparison]:
    sides = [Side(f"run {number}", cases, 0.5) for number, cases in enumerate(others, start=2)]
    return compare(question, Side("run 1", first, 0.5), sides, readers=READERS, **options)  # type: ignore[arg-type]


def right_on(right: list[bool], question: str = "Q2") -> list[AnsweredCase]:
    word = "20-25" if question == "Q5" else "head"
    return many([(word if each else "15-20", word) for each in right])


def test_images_that_were_fixed_and_broken_are_named() -> None:
    first = right_on([True] * 40 + [False] * 12 + [True] * 5)
    second = right_on([True] * 40 + [True] * 12 + [False] * 5)
    found = against("Q2", first, second)[0]
    assert found.fixed == tuple(f"{n:06d}.png" for n in range(40, 52))
    assert found.broken == tuple(f"{n:06d}.png" for n in range(52, 57))
    assert found.mcnemar_p == pytest.approx(0.1435, abs=1e-4)
    assert found.p == pytest.approx(found.mcnemar_p)
    assert not found.distinguishable
    assert found.sentence.startswith("not distinguishable: accuracy +0.12 (")
    assert found.sentence.endswith("), 12 fixed, 5 broken, n = 57, p = 0.14")


def test_a_clear_difference_is_said_in_plain_words() -> None:
    first, second = right_on([True] * 40 + [False] * 20), right_on([True] * 59 + [False])
    better, worse = against("Q2", first, second)[0], against("Q2", second, first)[0]
    assert better.distinguishable
    assert better.sentence.startswith("run 2 is better than run 1: accuracy +0.32 (")
    assert better.sentence.endswith("), 19 fixed, 0 broken, n = 60, p < 0.001")
    assert worse.sentence.startswith("run 2 is worse than run 1: accuracy -0.32 (")
    assert worse.p == better.p


def test_an_interval_that_excludes_zero_is_not_enough() -> None:
    cases = normality([True] * 27 + [False] * 400, [0.1] * 5 + [0.9] * 22 + [0.1] * 400)
    better = normality([True] * 27 + [False] * 400, [0.9] * 27 + [0.1] * 400)
    found = against("Q7", cases, better)[0]
    assert found.decisive is not None
    assert found.decisive.low > 0
    assert found.p == pytest.approx(0.0625)
    assert not found.distinguishable


def test_a_small_p_is_not_enough() -> None:
    first, second = right_on([True] * 40 + [False] * 20), right_on([True] * 59 + [False])
    clear = against("Q2", first, second)[0]
    wide = replace(clear, differences=(replace(clear.differences[0], low=-0.01),))
    assert [each.distinguishable for each in decided([clear, wide])] == [True, False]


def test_p_values_are_adjusted_for_all_that_is_compared_together() -> None:
    first = right_on([True] * 40 + [False] * 20)
    good, other = right_on([True] * 48 + [False] * 12), right_on([True] * 39 + [False] * 21)
    alone = against("Q2", first, good)[0]
    assert alone.distinguishable
    together = against("Q2", first, good, *[other] * 6)
    assert together[0].p == alone.p
    assert together[0].p_adjusted == pytest.approx(7 * alone.p)
    assert not together[0].distinguishable
    assert together[0].sentence.endswith("(Holm, 7 comparisons)")


def test_q7_is_decided_at_the_threshold_of_each_subject() -> None:
    generator = np.random.default_rng(0)
    abnormal = [bool(each) for each in generator.random(90) < 0.3]
    p = generator.random((2, 90))
    first, second = (normality(abnormal, list(map(float, row))) for row in p)
    found = compare("Q7", Side("A", first, 0.3), [Side("B", second, 0.8)], resamples=FEW)[0]
    values = {each.name: each for each in found.differences}
    assert list(values) == ["balanced_accuracy", "auroc", "sensitivity", "specificity", "accuracy"]
    assert values["balanced_accuracy"].first == pytest.approx(balanced_accuracy_score(abnormal, p[0] >= 0.3))
    assert values["balanced_accuracy"].second == pytest.approx(balanced_accuracy_score(abnormal, p[1] >= 0.8))
    assert values["auroc"].value == pytest.approx(roc_auc_score(abnormal, p[1]) - roc_auc_score(abnormal, p[0]))
    assert values["sensitivity"].n == sum(abnormal)
    assert values["specificity"].n == 90 - sum(abnormal)
    assert found.delong is not None
    assert found.delong.value == pytest.approx(values["auroc"].value)
    fixed = [f"{n:06d}.png" for n in range(90)
             if ((p[0][n] >= 0.3) != abnormal[n]) and ((p[1][n] >= 0.8) == abnormal[n])]  # fmt: skip
    assert list(found.fixed) == fixed


def test_without_probabilities_on_a_side_both_are_judged_by_their_texts() -> None:
    abnormal = [True] * 20 + [False] * 60
    ours = normality(abnormal, [0.9] * 20 + [0.1] * 60, called=[True] * 5 + [False] * 75)
    imported = normality(abnormal, called=[True] * 15 + [False] * 65)
    found = compare("Q7", Side("ours", ours, 0.5), [Side("imported", imported)])[0]
    assert found.primary == "text_balanced_accuracy"
    assert found.decisive is not None
    assert found.decisive.first == pytest.approx((5 / 20 + 1) / 2)
    assert "auroc" not in {each.name for each in found.differences}
    assert found.delong is None


def test_a_case_without_a_probability_is_not_right() -> None:
    abnormal = [True] * 3 + [False] * 3
    complete = normality(abnormal, [0.9] * 3 + [0.1] * 3)
    gaps = [replace(case, p_abnormal=None) if n in (0, 5) else case for n, case in enumerate(complete)]
    found = against("Q7", complete, gaps)[0]
    assert found.broken == ("000000.png", "000005.png")
    areas = next(each for each in found.differences if each.name == "auroc")
    assert areas.n == 4


@pytest.mark.parametrize("question", QUESTION_IDS)
def test_the_primary_measure_of_every_question_decides(question: str) -> None:
    if question == "Q7":
        cases = normality([True, True, False, False], [0.9, 0.1, 0.4, 0.2])
    else:
        cases = right_on([True, False, True, True], question)
    found = against(question, cases, cases[::-1])[0]
    assert found.differences[0].name == found.primary == PRIMARY[question]
    assert (found.decisive, found.p, found.fixed, found.broken) == (found.differences[0], 1.0, (), ())
    assert found.sentence.startswith("not distinguishable: ")
    quick = against(question, cases, cases, primary_only=True)[0]
    assert quick.differences == found.differences[:1]
    assert quick.sentence == found.sentence


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30),
    st.sampled_from(["Q1", "Q2", "Q6", "Q8"]),
    st.randoms(use_true_random=False),
)
def test_a_comparison_is_symmetrical_and_knows_no_order(
    rows: list[tuple[bool, bool]], question: str, random: object
) -> None:
    first, second = right_on([row[0] for row in rows], question), right_on([row[1] for row in rows], question)
    shuffled = list(second)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    forth = against(question, first, second, resamples=FEW)[0]
    assert against(question, first[::-1], shuffled, resamples=FEW)[0] == forth
    back = against(question, second, first, resamples=FEW)[0]
    assert (back.fixed, back.broken, back.mcnemar_p) == (forth.broken, forth.fixed, forth.mcnemar_p)
    assert back.p == pytest.approx(forth.p)
    assert back.distinguishable is forth.distinguishable


def test_other_images_are_no_comparison_and_do_not_spoil_the_rest() -> None:
    first = right_on([True] * 30 + [False] * 30)
    fewer, good = right_on([True] * 50), right_on([True] * 60)
    refused, kept = against("Q2", first, fewer, good)
    assert refused.sentence == (
        "not comparable: the two were measured on different images: 10 images have an answer of the first alone and "
        "0 of the second alone; 50 are shared"
    )
    assert (refused.n, refused.p, refused.p_adjusted, refused.distinguishable) == (0, None, None, False)
    assert kept.distinguishable
    assert kept.family == 1


def test_pairing_refuses_other_images_other_targets_and_double_answers() -> None:
    cases = many([("a", "a"), ("b", "a"), ("a", "b")])
    moved = [*cases[:2], replace(cases[2], path="elsewhere.png")]
    with pytest.raises(UnpairedError, match="1 images have an answer of the first alone and 1 of the second"):
        paired(cases, moved)
    with pytest.raises(UnpairedError, match="1 of 3 images have another target"):
        paired(cases, [*cases[:2], replace(cases[2], target_text="c")])
    with pytest.raises(UnpairedError, match="1 of 4 answers"):
        paired(cases, [*cases, cases[0]])
    with pytest.raises(SonotuneError) as caught:
        paired(cases, moved)
    assert caught.value.next_step


def test_images_without_a_readable_target_are_left_out_of_both_and_counted() -> None:
    first = many([("a", "a"), ("a", "b"), ("a", "a")])
    second = [replace(case, outcome=Outcome.UNSCORED) if n == 0 else case for n, case in enumerate(first)]
    found = against("Q2", first, second)[0]
    assert (found.n, found.unscored) == (2, 1)


def test_what_cannot_be_decided_says_why() -> None:
    normal = normality([False] * 5, [0.1] * 5)
    found = against("Q7", normal, normal)[0]
    assert found.sentence == "not comparable: none of 5 images is abnormal"
    assert found.p is None
    assert against("Q2", [], [])[0].sentence == "not comparable: no image has a target that can be read"
    assert against("Q7", [], [])[0].sentence == "not comparable: no image has a target that is normal or abnormal"
    unscored = [answered("a", "unparseable", outcome=Outcome.UNSCORED)]
    assert against("Q6", unscored, unscored)[0].unscored == 1
    assert compare("Q2", Side("alone", normal), []) == []


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0004, "p < 0.001"), (0.0044, "p = 0.004"), (0.0625, "p = 0.062"), (0.04996, "p = 0.04996"), (0.5, "p = 0.50")],
)
def test_p_is_never_rounded_across_the_level(p: float, text: str) -> None:
    assert p_text(p) == text


def test_small_differences_have_three_decimals_and_zero_has_no_sign() -> None:
    found = against("Q2", right_on([True] * 99 + [False]), right_on([True] * 100), resamples=FEW)[0]
    assert difference_text(found.differences[0]).startswith("accuracy +0.010 (0.000 to 0.")
