from __future__ import annotations

import numpy as np
import pytest
from scoring_helpers import READERS, many, normality

from engine.scoring.blind import Blind, looks_at_image, reports_look_at_image
from engine.scoring.cases import AnsweredCase
from engine.scoring.reports import ReportCase
from engine.types import QUESTION_IDS, Outcome


def q7(abnormal: int, normal: int, strength: float, seed: int = 0) -> tuple[list[AnsweredCase], list[AnsweredCase]]:
    """Answers of a model that sees this much of the finding, and its answers on grey: always the same probability."""
    targets = [True] * abnormal + [False] * normal
    generator = np.random.default_rng(seed)
    p = np.clip(generator.normal(0.5, 0.15, len(targets)) + strength * (np.array(targets) - 0.5), 0, 1)
    return normality(targets, list(map(float, p))), normality(targets, [0.3] * len(targets))


def control(question: str, images: list[AnsweredCase], grey: list[AnsweredCase]) -> Blind:
    return looks_at_image(question, images, grey, threshold=0.5, readers=READERS)


@pytest.mark.parametrize(
    ("abnormal", "normal", "strength", "blind"),
    [
        (60, 180, 0.3, False),
        (27, 1867, 0.3, False),
        (60, 180, 0.0, True),
        (200, 2000, 0.0, True),
        (9, 300, 0.3, None),
        (9, 300, 0.0, None),
        (200, 9, 0.3, None),
        (1, 1, 0.3, None),
        (0, 300, 0.3, None),
    ],
)
def test_the_rule_on_q7(abnormal: int, normal: int, strength: float, blind: bool | None) -> None:
    assert control("Q7", *q7(abnormal, normal, strength)).blind is blind


def test_a_model_that_always_says_normal_does_not_look() -> None:
    targets = [True] * 27 + [False] * 1867
    same = normality(targets, [0.02] * len(targets))
    found = control("Q7", same, same)
    assert found.blind is True
    assert found.sentence == (
        "does not look at the image: with the image balanced accuracy +0.000 (0.000 to 0.000) and "
        "AUROC +0.000 (0.000 to 0.000), n = 1,894"
    )


def test_a_model_whose_threshold_is_off_but_whose_order_is_right_looks() -> None:
    targets = [True] * 40 + [False] * 100
    generator = np.random.default_rng(1)
    p = np.clip(generator.normal(0.1, 0.05, 140) + 0.1 * np.array(targets), 0, 0.45)
    found = control("Q7", normality(targets, list(map(float, p))), normality(targets, [0.1] * 140))
    values = {each.name: each.value for each in found.differences}
    assert values["balanced_accuracy"] == 0.0
    assert values["auroc"] > 0.2
    assert found.blind is False


def test_without_probabilities_the_texts_are_held_against_each_other() -> None:
    targets = [True] * 30 + [False] * 100
    grey = normality(targets, called=[False] * 130)
    assert looks_at_image("Q7", normality(targets, called=targets), grey).blind is False
    assert looks_at_image("Q7", grey, grey).blind is True


@pytest.mark.parametrize(
    ("n", "right", "right_on_grey", "blind"),
    [
        (200, 0.9, 0.2, False),
        (2000, 0.25, 0.2, False),
        (200, 0.2, 0.2, True),
        (200, 0.1, 0.2, True),
        (19, 0.9, 0.2, None),
        (19, 0.2, 0.2, None),
        (24, 0.5, 0.3, None),
    ],
)
def test_the_rule_on_accuracy(n: int, right: float, right_on_grey: float, blind: bool | None) -> None:
    targets = [f"plane {number % 10}" for number in range(n)]
    # Right on other images with the image than on grey, so that the difference has its full width.
    images = many([(target if number < right * n else "x", target) for number, target in enumerate(targets)])
    grey = many([(target if number >= n - right_on_grey * n else "x", target) for number, target in enumerate(targets)])
    assert control("Q3", images, grey).blind is blind


def test_few_cases_are_said_to_be_few() -> None:
    assert (
        "cannot be told whether it looks at the image (only 9 abnormal cases)"
        in control("Q7", *q7(9, 300, 0.3)).sentence
    )
    cases = many([("a", "a")] * 5)
    assert control("Q3", cases, cases).sentence.startswith(
        "cannot be told whether it looks at the image (only 5 cases): with the image accuracy +0.000"
    )
    assert control("Q7", *q7(0, 30, 0.3)).sentence == (
        "cannot be told whether it looks at the image: none of 30 images is abnormal"
    )


def test_other_images_cannot_be_held_against_each_other() -> None:
    cases = many([("a", "a")] * 40)
    found = control("Q3", cases, cases[:-1])
    assert found.blind is None
    assert "different images" in found.sentence


def test_graded_questions_are_judged_by_their_primary_measure() -> None:
    pairs = [(["aorta", f"part {n % 5}"], ["aorta", "liver", f"part {n % 5}"]) for n in range(60)]
    grey = many([(["aorta"], target) for _, target in pairs])
    found = control("Q1", many(pairs), grey)
    assert found.blind is False  # accuracy is 0 on both sides
    assert [each.name for each in found.differences] == ["f2"]


def test_reports_are_judged_by_their_sections() -> None:
    def reports(right: int) -> list[ReportCase]:
        outcomes = {q: Outcome.RIGHT if n < right else Outcome.WRONG for n, q in enumerate(QUESTION_IDS)}
        return [ReportCase(str(n), "V", "text", Outcome.WRONG, frozenset(QUESTION_IDS), outcomes) for n in range(40)]

    assert reports_look_at_image(reports(6), reports(2)).blind is False
    assert reports_look_at_image(reports(2), reports(2)).blind is True
    assert reports_look_at_image(reports(2)[:5], reports(2)[:5]).blind is None
