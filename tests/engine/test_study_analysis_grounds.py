"""Answers that may not be given, however the figures look: too few cases, worthless others, a specificity paid for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from compare_helpers import ABNORMAL, Said, predictions, targets
from sklearn.metrics import roc_auc_score
from study_analysis_helpers import Lab, answer, arms, figure, from_probabilities, skilled, studied, texts

from engine.questions.prompts import report_text
from engine.study.analysis.figures import NO_PROBABILITY
from engine.study.expanding import Target
from engine.study.results import StudyResult
from engine.types import Mark

MEANT = targets(160, abnormal=4)
TRUTH = np.array(MEANT) == ABNORMAL


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    yield made
    made.writer.close()


def declared(kind: str, **keys: object) -> str:
    lines = "".join(f"{key} = {f'{value!r}'}\n" for key, value in keys.items())
    return f'\n[[decide]]\nask = "?"\nkind = "{kind}"\narm = "b"\n{lines}'


SENSITIVITY = '\n[measure]\nsplit = "test"\nfigure = "sensitivity_at_specificity"\nspecificity = 0.9\n'
PAID = (
    arms("a", "b")
    + SENSITIVITY
    + declared("better", than="a")
    + declared("non_inferior", than="a", margin=0.1)
    + declared("at_least", threshold=0.5)
    + declared("better", than="a").replace('arm = "b"', 'arm = "a"').replace("than = 'a'", 'than = "b"')
)


def shifted(lab: Lab, shift: float) -> StudyResult:
    """`b` gives the scores of `a`, which on test alone are higher by a shift for every image."""
    meant = targets(400, abnormal=4)
    chosen, judged = skilled(meant, 1, 0.8), np.array(skilled(meant, 2, 0.8))
    for name in ("a", "b"):
        lab.measure(name, from_probabilities(meant, chosen), target=Target("Q7", "validation"))
    lab.measure("a", from_probabilities(meant, list(judged)))
    lab.measure("b", from_probabilities(meant, list(np.clip(judged + shift, 0, 1))))
    return lab.result()


@studied(PAID)
def test_more_found_at_a_lower_specificity_is_not_better(lab: Lab) -> None:
    better, no_worse, reached, worse = shifted(lab, 0.12).answers
    assert better.difference is not None
    assert (better.difference.low or 0) > 0
    assert (better.p_adjusted or 1) < 0.05
    assert [each.holds for each in (better, no_worse, reached, worse)] == [None] * 4
    assert "b cannot be called better than a, for it reaches a lower specificity (-0." in better.sentence
    assert "a cannot be called worse than b, for it reaches a higher specificity (0." in worse.sentence.replace("+", "")
    assert "it cannot be decided whether b is worse than a by less than 0.1" in no_worse.sentence
    assert "the specificity that it reaches lies below 0.9" in reached.sentence
    for each in (better, no_worse, worse):
        assert each.sentence.count("specificity reached on test") == 1
        assert "(0.9 was wanted)" in each.sentence


@studied(PAID)
def test_the_specificity_that_both_reach_stands_in_every_sentence(lab: Lab) -> None:
    result = shifted(lab, 0.0)
    meant = np.array(targets(400, abnormal=4))
    normals = np.sort(np.array(skilled(list(meant), 1, 0.8))[meant != ABNORMAL])
    test = np.array(skilled(list(meant), 2, 0.8))[meant != ABNORMAL]
    value = f"{np.mean(test <= normals[269]):.2f} ("  # of 300 normal validation images 270 lie at or below it
    assert all(each.sentence.count(value) == 2 for each in result.answers if each.than), result.answers[0].sentence
    assert value in result.answers[2].sentence
    assert result.answers[0].holds is None
    assert any("threshold" in note for note in result.notes)


@studied(PAID)
def test_a_threshold_from_few_validation_images_is_not_taken_as_known(lab: Lab) -> None:
    meant, few = targets(400, abnormal=4), targets(40, abnormal=4)
    estimates = []
    for chosen in (meant, few):
        for name in ("a", "b"):
            lab.measure(name, from_probabilities(chosen, skilled(chosen, 1, 0.8)), target=Target("Q7", "validation"))
            lab.measure(name, from_probabilities(meant, skilled(meant, 2, 0.8)))
        estimates.append(figure(lab.result(), "a").estimate)
    widths = [(each.high or 0) - (each.low or 0) for each in estimates]
    assert widths[1] > 1.3 * widths[0]


FEW = arms("a", "b") + declared("at_least", threshold=0.6) + declared("non_inferior", than="a", margin=0.5)


@studied(FEW)
@pytest.mark.parametrize(("count", "holds"), [(9, None), (10, True)])
def test_fewer_than_ten_abnormal_images_answer_no_question_about_a_line(
    lab: Lab, count: int, holds: bool | None
) -> None:
    meant = targets(8 * count, abnormal=8)
    for name in ("a", "b"):
        lab.measure(name, from_probabilities(meant, skilled(meant, 4, 2.5)))
    answers = lab.result().answers
    assert [each.holds for each in answers] == [holds, holds]
    assert all(("too few" in each.sentence) is (holds is None) for each in answers)
    assert all(("Only 9 abnormal cases" in each.sentence) is (holds is None) for each in answers)


WORTHLESS = arms("a", "b") + declared("non_inferior", than="a", margin=0.1) + declared("better", than="a")


@studied(WORTHLESS)
@pytest.mark.parametrize(
    ("mark", "said"), [(Mark.COLLAPSED, "has collapsed"), (Mark.BLIND, "does not look at the image")]
)
def test_nothing_follows_from_being_no_worse_than_what_has_collapsed(lab: Lab, mark: Mark, said: str) -> None:
    lab.measure("a", from_probabilities(MEANT, [0.1] * 160), marks={mark: "the same for all"})
    lab.measure("b", from_probabilities(MEANT, skilled(MEANT, 3, 1.5)))
    no_worse, better = lab.result().answers
    assert (no_worse.holds, better.holds) == (None, True)
    assert f"the other one {said}, so nothing follows" in no_worse.sentence
    assert better.sentence.startswith(f"Read this first (a: {mark})")


AT_LEAST = arms("a", "b") + declared("at_least", threshold=0.9)


@studied(AT_LEAST)
def test_images_without_a_probability_count_against_auroc_and_are_told(lab: Lab) -> None:
    p = np.where(TRUTH, 0.9, 0.1) + np.random.default_rng(0).normal(0, 0.02, 160)
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 5, 1.0)))
    failed = np.random.default_rng(1).random(160) < 0.3
    lab.measure("b", from_probabilities(MEANT, [np.nan if bad else each for bad, each in zip(failed, p, strict=True)]))
    result = lab.result()
    found = figure(result, "b")
    worst = np.where(failed, np.where(TRUTH, 0.0, 1.0), p)
    assert (found.estimate.value, found.estimate.n) == (pytest.approx(roc_auc_score(TRUTH, worst)), 160)
    assert NO_PROBABILITY in found.marks
    assert NO_PROBABILITY not in figure(result, "a").marks
    assert answer(result, "b").holds is False
    told = f"b (Q7): {failed.sum()} of 160 images have no P(abnormal)"
    assert [each for each in result.warnings if "P(abnormal)" in each and each.startswith(told)]


REPORTS = """
[arms.report]
"data.questions" = ["report"]
"data.prompt" = "report"
[[decide]]
ask = "Do they fit?"
kind = "at_least"
arm = "report"
figure = "coherence"
threshold = 0.5
"""
WHOLE = report_text(
    {
        "Q1": "aorta, liver, stomach",
        "Q2": "Axial upper abdomen",
        "Q3": "Transverse trans-abdominal plane",
        "Q4": "AC",
        "Q5": "20-25",
        "Q6": "Good image quality",
        "Q7": "Normal for gestational age",
        "Q8": "Prenatal routine monitoring",
    }
)


@studied(REPORTS)
def test_a_figure_of_few_of_many_images_is_told_to_be_one(lab: Lab) -> None:
    said = [Said(WHOLE)] * 9 + [Said("")] * 31  # which no rule can be held against
    lab.measure("report", predictions([WHOLE] * 40, said, "report"))
    result = lab.result()
    found = result.answers[0]
    assert found.difference is not None
    assert (found.difference.n, found.holds) == (9, None)
    assert "Only 9 cases" in found.sentence
    assert any(each.startswith("report (report): coherence stands on 9 of 40 images") for each in result.warnings)
    assert any("not adjusted (by Holm" in note for note in result.notes)


COLLAPSED = (
    arms("a", "b")
    + declared("non_inferior", than="a", margin=0.05)
    + declared("at_least", threshold=0.75)
    + declared("at_least", threshold=0.999)
    + declared("at_least", threshold=0.55)
    + declared("better", than="a")
)


@studied(COLLAPSED)
def test_a_collapsed_arm_that_reaches_a_line_does_not_and_all_else_is_said_as_it_is(lab: Lab) -> None:
    meant = targets(60, abnormal=2)
    lab.measure("a", from_probabilities(meant, skilled(meant, 1, 0.5)))
    lab.measure("b", from_probabilities(meant, skilled(meant, 2, 0.5)), marks={Mark.COLLAPSED: "one answer for all"})
    across, held, below, above, better = lab.result().answers
    assert [each.holds for each in (across, held, below, above, better)] == [None, None, False, False, False]
    assert "cannot be decided whether b is worse" in across.sentence
    assert "cannot be decided whether b reaches" in held.sentence
    assert "b does not reach 0.999" in below.sentence
    assert "b cannot be said to reach 0.55" in above.sentence


@studied(COLLAPSED)
def test_of_few_cases_nothing_is_decided_about_a_collapsed_arm_either(lab: Lab) -> None:
    meant = targets(40, abnormal=8)
    for name, mark in (("a", {}), ("b", {Mark.COLLAPSED: "one answer for all"})):
        lab.measure(name, from_probabilities(meant, skilled(meant, 2, 2)), marks=mark)
    found = lab.result().answers[3]
    assert found.holds is None
    assert "it cannot be decided whether b reaches 0.55: fewer than 10 cases" in found.sentence


@studied(arms("a", "b") + SENSITIVITY + declared("better", than="a"))
def test_a_collapsed_arm_is_not_called_worse_where_it_reaches_a_higher_specificity(lab: Lab) -> None:
    meant = targets(400, abnormal=4)
    judged = np.array(skilled(meant, 2, 0.8))
    for name, shift, mark in (("a", 0.0, {}), ("b", -0.15, {Mark.COLLAPSED: "one answer for all"})):
        lab.measure(name, from_probabilities(meant, skilled(meant, 1, 0.8)), target=Target("Q7", "validation"))
        lab.measure(name, from_probabilities(meant, list(np.clip(judged + shift, 0, 1))), marks=mark)
    found = lab.result().answers[0]
    assert found.holds is None
    assert "b cannot be called worse than a, for it reaches a higher specificity" in found.sentence


QUALITY = FEW.replace('"lora.r"', '"data.questions" = ["Q6"]\n"lora.r"')


@studied(QUALITY)
@pytest.mark.parametrize(("count", "holds"), [(9, None), (10, True)])
def test_every_class_of_a_class_mean_must_have_ten_cases(lab: Lab, count: int, holds: bool | None) -> None:
    meant = ["Good image quality"] * 60 + ["Poor image quality"] * count
    for name in ("a", "b"):
        lab.measure(name, texts(meant, [True] * len(meant), "Q6", "Poor image quality"))
    answers = lab.result().answers
    assert [each.holds for each in answers] == [holds, holds]
    assert all(("Only 9 low cases" in each.sentence) is (holds is None) for each in answers)


@studied(WORTHLESS)
def test_an_arm_that_is_left_out_is_not_waited_for(lab: Lab) -> None:
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 1, 0.5)))
    lab.measure("b", from_probabilities(MEANT, skilled(MEANT, 2, 0.5)), cases="other")
    result = lab.result()
    for each in result.answers:
        assert (each.holds, each.waiting) == (None, False)
        assert each.sentence == "b was measured on other images and is left out"
    assert result.missing == ("b was measured on other images and is left out (Q7)",)
    assert not result.complete


@studied(arms("a", "b") + SENSITIVITY + declared("better", than="a"))
def test_a_sensitivity_waits_for_the_validation_that_chooses_its_threshold(lab: Lab) -> None:
    for name in ("a", "b"):
        lab.measure(name, from_probabilities(MEANT, skilled(MEANT, 2, 0.5)))
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 1, 0.5)), target=Target("Q7", "validation"))
    found = lab.result().answers[0]
    assert found.waiting
    assert found.sentence == "waiting for b on validation"
    lab.measure("b", from_probabilities(MEANT, skilled(MEANT, 1, 0.5)), target=Target("Q7", "validation"))
    assert not lab.result().answers[0].waiting
