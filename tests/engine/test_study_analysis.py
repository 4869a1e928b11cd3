"""Answers of a study against stores whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from compare_helpers import targets
from sklearn.metrics import roc_auc_score
from store_helpers import raw
from study_analysis_helpers import Lab, answer, arms, figure, from_probabilities, skilled, studied, texts

from engine.errors import UsageError
from engine.scoring.paired import holm
from engine.study.expanding import Target
from engine.types import Mark, Reference

MEANT = targets(160, abnormal=4)
EACH = '[[decide]]\nask = "Is any better?"\nkind = "each"\n'


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    yield made
    made.writer.close()


THREE = "\n".join([arms("weak", "same", "strong"), EACH])


def fill(lab: Lab) -> None:
    lab.measure("weak", from_probabilities(MEANT, skilled(MEANT, 1, 0.5)))
    lab.measure("same", from_probabilities(MEANT, skilled(MEANT, 2, 0.5)))
    lab.measure("strong", from_probabilities(MEANT, skilled(MEANT, 3, 2.0)))


@studied(THREE)
def test_a_better_arm_is_found_and_an_equal_one_is_not_called_equal(lab: Lab) -> None:
    fill(lab)
    result = lab.result()
    assert result.complete, result.missing
    assert (result.n, result.abnormal) == (160, 40)
    strong, same = answer(result, "strong"), answer(result, "same")
    assert strong.holds is True
    assert strong.difference is not None
    assert strong.difference.low is not None
    assert strong.difference.low > 0
    assert "strong is better than weak: AUROC +" in strong.sentence
    assert same.holds is None
    assert "not distinguishable" in same.sentence
    assert "equal" not in same.sentence


@studied(THREE)
def test_the_deciding_figure_on_validation_is_auroc_as_scikit_learn_has_it(lab: Lab) -> None:
    fill(lab)
    found = figure(lab.result(), "strong")
    p = skilled(MEANT, 3, 2.0)
    assert found.figure == "auroc"
    assert found.estimate.value == pytest.approx(roc_auc_score(np.array(MEANT) == MEANT[0], p))
    assert found.spread is None


@studied(THREE)
def test_the_order_of_the_arms_changes_nothing(lab: Lab) -> None:
    fill(lab)
    one, other = lab.result(), lab.result(order=["strong", "same", "weak"])
    assert sorted(one.answers, key=lambda each: each.arm) == sorted(other.answers, key=lambda each: each.arm)
    assert sorted(map(repr, one.figures)) == sorted(map(repr, other.figures))


BOTH_WAYS = "\n".join(
    [
        arms("a", "b"),
        *(
            f'[[decide]]\nask = "?"\nkind = "better"\narm = "{one}"\nthan = "{other}"\nfigure = "{figure}"'
            for figure in ("auroc", "balanced_accuracy", "mcc", "accuracy")
            for one, other in (("a", "b"), ("b", "a"))
        ),
    ]
)


@studied(BOTH_WAYS)
def test_exchanged_arms_give_the_same_difference_with_the_other_sign(lab: Lab) -> None:
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 1, 0.4)))
    lab.measure("b", from_probabilities(MEANT, skilled(MEANT, 2, 1.6)))
    answers = lab.result().answers
    for forward, back in zip(answers[::2], answers[1::2], strict=True):
        assert forward.difference is not None
        assert back.difference is not None
        assert (forward.difference.value, forward.difference.low, forward.difference.high) == pytest.approx(
            (-back.difference.value, -back.difference.high, -back.difference.low)
        )
        assert forward.p == pytest.approx(back.p, abs=0.002)  # random exchanges of MCC alone may differ
        assert (forward.holds, back.holds) == (False, True)


@studied(THREE)
def test_holm_counts_every_test_of_the_study_and_those_still_to_come(lab: Lab) -> None:
    fill(lab)
    both = lab.result().answers
    assert [each.family for each in both] == [2, 2]
    assert [each.p_adjusted for each in both] == pytest.approx(holm([each.p or 0 for each in both]))
    del lab.rows["same", lab.cell("same").seed]
    waiting = lab.result()
    assert answer(waiting, "same").sentence == "waiting for same"
    assert answer(waiting, "same").holds is None
    strong = answer(waiting, "strong")
    assert strong.family == 2
    assert strong.p_adjusted == pytest.approx(2 * (strong.p or 0))
    assert any("same" in line and "not measured" in line for line in waiting.missing)


FOUR = "\n".join([arms("old", "new", "twin", "copy"), EACH + 'figure = "accuracy"'])


@studied(FOUR)
def test_a_p_value_that_is_small_alone_decides_nothing_among_several(lab: Lab) -> None:
    sure = [0.9 if target == MEANT[0] else 0.1 for target in MEANT]
    old = [1 - p if 20 <= place < 29 else p for place, p in enumerate(sure)]
    new = [1 - p if place == 50 else p for place, p in enumerate(sure)]  # 9 fixed, 1 broken: McNemar's p is 0.021
    for name, p in (("old", old), ("new", new), ("twin", old), ("copy", old)):
        lab.measure(name, from_probabilities(MEANT, p))
    found = answer(lab.result(), "new")
    assert found.p == pytest.approx(2 * 11 / 2**10)
    assert found.p_adjusted == pytest.approx(6 * 11 / 2**10)
    assert found.difference is not None
    assert (found.difference.low or 0) > 0
    assert found.holds is None


SEEDS = "seeds = 3\n" + arms("old", "new") + '\n[[decide]]\nask = "?"\nkind = "better"\narm = "new"\nthan = "old"'


@studied(SEEDS)
def test_all_seeds_count_with_mean_and_spread_by_hand(lab: Lab) -> None:
    for place in range(3):
        lab.measure("old", from_probabilities(MEANT, skilled(MEANT, 10 + place, 0.5)), place)
        lab.measure("new", from_probabilities(MEANT, skilled(MEANT, 20 + place, 1.5)), place)
    result = lab.result()
    abnormal = np.array(MEANT) == MEANT[0]
    areas = [roc_auc_score(abnormal, skilled(MEANT, 20 + place, 1.5)) for place in range(3)]
    new = figure(result, "new")
    assert new.estimate.value == pytest.approx(fmean(areas))
    assert new.spread == pytest.approx(stdev(areas))
    assert [each.value for each in new.seeds] == pytest.approx(areas)
    assert [each.seed for each in new.seeds] == [cell.seed for cell in lab.cells if cell.arm == "new"]
    assert answer(result, "new").holds is True


@studied(SEEDS)
def test_seeds_that_are_missing_are_said_and_none_is_picked(lab: Lab) -> None:
    lab.measure("old", from_probabilities(MEANT, skilled(MEANT, 10, 0.5)))
    for place in (0, 2):
        lab.measure("new", from_probabilities(MEANT, skilled(MEANT, 20 + place, 1.5)), place)
    result = lab.result()
    assert len(figure(result, "new").seeds) == 2
    assert "2 of 3 seeds of new" in answer(result, "new").sentence
    assert "1 of 3 seeds of old" in answer(result, "new").sentence
    assert len(result.missing) == 3


MARGIN = arms("old", "new") + "\n".join(
    f'\n[[decide]]\nask = "?"\nkind = "non_inferior"\narm = "new"\nthan = "old"\nmargin = {margin}\nfigure = "accuracy"'
    for margin in (0.125, 0.055, 0.01)
)


@studied(MARGIN)
def test_non_inferiority_has_three_outcomes_by_where_the_interval_lies(lab: Lab) -> None:
    meant = targets(1000, abnormal=4)
    right = np.arange(1000) < 900
    p_right = [0.9 if target == meant[0] else 0.1 for target in meant]
    lab.measure("old", from_probabilities(meant, p_right))
    lab.measure("new", from_probabilities(meant, [p if hit else 1 - p for p, hit in zip(p_right, right, strict=True)]))
    wide, near, narrow = lab.result().answers
    # 100 of 1,000 are lost: -0.1. By MOVER from Wilson's 0.8799 to 0.9171 and 0.9962 to 1, which do not correlate;
    # The upper end is sqrt(0.0171**2 + 0) = 0.0171 away; the percentile interval, by class or not, is about as wide.
    assert wide.difference is not None
    assert (wide.difference.value, wide.difference.low, wide.difference.high) == pytest.approx(
        (-0.1, -0.1205, -0.0820), abs=0.001
    )
    assert (wide.holds, near.holds, narrow.holds) == (True, False, False)
    assert "non-inferior to old (margin 0.125)" in wide.sentence
    assert "inferior to old by more than the margin" in near.sentence


@studied(MARGIN.replace("0.055", "0.1"))
def test_an_interval_that_holds_the_margin_decides_nothing(lab: Lab) -> None:
    meant = targets(1000, abnormal=4)
    p_right = [0.9 if target == meant[0] else 0.1 for target in meant]
    lab.measure("old", from_probabilities(meant, p_right))
    lab.measure("new", from_probabilities(meant, [p if i < 900 else 1 - p for i, p in enumerate(p_right)]))
    undecided = lab.result().answers[1]
    assert undecided.holds is None
    assert "cannot be decided" in undecided.sentence


AT_LEAST = arms("only") + "\n".join(
    f'\n[[decide]]\nask = "?"\nkind = "at_least"\narm = "only"\nthreshold = {line}\nfigure = "accuracy"'
    for line in (0.7, 0.8, 0.9)
)


@studied(AT_LEAST)
def test_at_least_takes_the_whole_interval(lab: Lab) -> None:
    meant = targets(200, abnormal=4)
    p_right = [0.9 if target == meant[0] else 0.1 for target in meant]
    lab.measure("only", from_probabilities(meant, [p if i < 160 else 1 - p for i, p in enumerate(p_right)]))
    answers = lab.result().answers
    assert [each.holds for each in answers] == [True, None, False]
    found = answers[0].difference
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.7391, 0.8494), abs=0.0005)  # Wilson
    assert [each.family for each in answers] == [1, 1, 1]


@studied(THREE)
def test_a_collapsed_arm_is_never_called_better(lab: Lab) -> None:
    fill(lab)
    p = skilled(MEANT, 3, 2.0)
    lab.measure("strong", from_probabilities(MEANT, p), marks={Mark.COLLAPSED: "one answer for all"})
    found = answer(lab.result(), "strong")
    assert found.holds is False
    assert found.sentence.startswith("Read this first (strong: collapsed)")
    assert "is better" not in found.sentence
    assert figure(lab.result(), "strong").marks == (Mark.COLLAPSED,)


@studied(THREE)
def test_an_arm_with_other_cases_is_left_out_loudly(lab: Lab) -> None:
    fill(lab)
    lab.measure("strong", from_probabilities(MEANT, skilled(MEANT, 3, 2.0)), cases="cases-2")
    result = lab.result()
    assert [each.arm for each in result.figures] == ["weak", "same"]
    assert any("strong was measured on other cases" in warning for warning in result.warnings)
    assert answer(result, "strong").holds is None


@studied(THREE)
def test_an_arm_that_lacks_answers_is_left_out_whatever_its_fingerprint_says(lab: Lab) -> None:
    fill(lab)
    lab.measure("strong", from_probabilities(MEANT[:150], skilled(MEANT[:150], 3, 2.0)))
    result = lab.result()
    assert [each.arm for each in result.figures] == ["weak", "same"]
    assert any("strong lacks answers" in warning for warning in result.warnings)


@studied(THREE)
def test_protocols_may_differ_in_what_the_study_varies_alone(lab: Lab) -> None:
    fill(lab)
    lab.measure(
        "same",
        from_probabilities(MEANT, skilled(MEANT, 2, 0.5)),
        protocol={"prompt": "simple", "prompt_text": "Normal?"},
        protocol_fingerprint="protocol-2",
    )
    assert lab.result().warnings == ()
    lab.measure(
        "same",
        from_probabilities(MEANT, skilled(MEANT, 2, 0.5)),
        protocol={"prompt": "detailed", "max_new_tokens": 7},
        protocol_fingerprint="protocol-3",
    )
    assert any("limits of tokens differ" in warning for warning in lab.result().warnings)


REFERENCES = arms("tuned") + "\n".join(
    f'\n[[decide]]\nask = "?"\nkind = "better"\narm = "tuned"\nthan = "{word}"'
    for word in ("majority", "majority_by_view", "shuffled", "untuned")
)


@studied(REFERENCES)
def test_reference_rows_are_held_against_and_shown(lab: Lab) -> None:
    lab.measure("tuned", from_probabilities(MEANT, skilled(MEANT, 3, 2.0)))
    lab.refer(Reference.MAJORITY, from_probabilities(MEANT, [0.0] * 160))
    lab.refer(Reference.BASE, from_probabilities(MEANT, skilled(MEANT, 9, 0.0)), "tuned")
    result = lab.result()
    assert [(each.arm, each.reference) for each in result.figures] == [
        ("tuned", False),
        ("majority", True),
        ("untuned", True),
    ]
    assert figure(result, "majority").estimate.value == 0.5
    holds = {each.than: each.holds for each in result.answers}
    assert holds == {"majority": True, "majority_by_view": None, "shuffled": None, "untuned": True}
    assert result.answers[1].sentence == "waiting for majority_by_view"
    assert not result.complete
    assert result.missing == (
        "majority_by_view: not measured on Q7 on validation",
        "shuffled: not measured on Q7 on validation",
    )


@studied(REFERENCES)
def test_a_reference_row_of_another_protocol_or_a_failed_one_is_missing(lab: Lab) -> None:
    lab.measure("tuned", from_probabilities(MEANT, skilled(MEANT, 3, 2.0)))
    for reference in (Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED):
        last = lab.refer(reference, from_probabilities(MEANT, [0.0] * 160))
    lab.refer(Reference.BASE, from_probabilities(MEANT, skilled(MEANT, 9, 0.0)), "another arm")
    with raw(lab.workspace) as connection:
        connection.execute("UPDATE evaluations SET state = 'failed' WHERE id = ?", (last,))
    assert lab.result().missing == (
        f"shuffled: not measured on Q7 on validation (evaluation {last} is failed)",
        "untuned beside tuned: not measured on Q7 on validation",
    )


@studied(arms("tuned"))
def test_an_unknown_figure_names_those_there_are(lab: Lab) -> None:
    lab.measure("tuned", from_probabilities(MEANT, skilled(MEANT, 3, 2.0)))
    study = lab.scaled.study
    unknown = study.measure.model_copy(update={"figure": "f3"})  # reading the file refuses it as well
    lab.scaled = replace(lab.scaled, study=study.model_copy(update={"measure": unknown}))
    with pytest.raises(UsageError) as caught:
        lab.result()
    assert "balanced_accuracy" in caught.value.reason
    assert "auroc" in caught.value.reason


@studied(THREE)
def test_few_abnormal_cases_are_said(lab: Lab) -> None:
    meant = targets(80, abnormal=16)
    for place, name in enumerate(("weak", "same", "strong")):
        lab.measure(name, from_probabilities(meant, skilled(meant, place, place)))
    assert "Only 5 abnormal cases" in answer(lab.result(), "strong").sentence


TEST_SPLIT = (
    arms("a", "b")
    + '\n[measure]\nsplit = "test"\nfigure = "sensitivity_at_specificity"\nspecificity = 0.9\n'
    + '[[decide]]\nask = "?"\nkind = "better"\narm = "b"\nthan = "a"'
)


@studied(TEST_SPLIT)
def test_thresholds_come_from_validation_alone(lab: Lab) -> None:
    for place, name in enumerate(("a", "b")):
        p = skilled(MEANT, place, 1.0 + place)
        lab.measure(name, from_probabilities(MEANT, p), target=Target("Q7", "validation"))
        lab.measure(name, from_probabilities(MEANT, skilled(MEANT, 7 + place, 1.0 + place)))
    found = figure(lab.result(), "a")
    normals = sorted(p for p, meant in zip(skilled(MEANT, 0, 1.0), MEANT, strict=True) if meant != MEANT[0])
    threshold = normals[107]  # of 120 normal images 108 must lie below
    hits = [p > threshold for p, meant in zip(skilled(MEANT, 7, 1.0), MEANT, strict=True) if meant == MEANT[0]]
    assert found.figure == "sensitivity_at_specificity"
    assert found.estimate.n == 40
    assert found.estimate.value == pytest.approx(fmean(hits))
    # Other targets on test change what is found, never where the threshold lies.
    with raw(lab.workspace) as connection:
        connection.execute("DELETE FROM evaluations WHERE split = 'validation'")
    lab.rows = {key: {t: r for t, r in rows.items() if t.split == "test"} for key, rows in lab.rows.items()}
    assert figure(lab.result(), "a").estimate.value is None
    assert lab.result().answers[0].holds is None


@studied(arms("a", "b") + "\n" + EACH)
def test_nothing_measured_yet_is_an_honest_result(lab: Lab) -> None:
    result = lab.result()
    assert not result.figures
    assert [each.sentence for each in result.answers] == ["waiting for b and a"]
    assert result.missing == ("a, seed 42: not trained", "b, seed 42: not trained")
    assert "Nothing is measured yet." in result.warnings


TEMPLATES = """
baseline = "both"
[arms.both]
"data.questions" = ["Q5", "Q6"]
[arms."Q5 alone"]
"data.questions" = ["Q5"]
[arms."Q6 alone"]
"data.questions" = ["Q6"]
[[decide]]
ask = "Is {question} alone better?"
kind = "better"
arm = "{question} alone"
than = "both"
questions = ["Q5", "Q6"]
"""


@studied(TEMPLATES)
def test_questions_are_put_into_the_names_of_arms(lab: Lab) -> None:
    weeks, quality = ["20-25", "25-30"] * 40, ["Good image quality", "Low image quality"] * 40
    hits = [place % 4 != 0 for place in range(80)]
    lab.measure("both", texts(weeks, hits, "Q5", "8-13"))
    lab.measure("Q5 alone", texts(weeks, [True] * 80, "Q5", "8-13"))
    lab.measure("both", texts(quality, hits, "Q6", "Medium image quality"))
    lab.measure("Q6 alone", texts(quality, hits, "Q6", "Medium image quality"))
    result = lab.result()
    assert [(each.ask, each.arm, each.question, each.holds) for each in result.answers] == [
        ("Is Q5 alone better?", "Q5 alone", "Q5", True),
        ("Is Q6 alone better?", "Q6 alone", "Q6", None),
    ]
    assert result.cases_fingerprint == ""
    assert result.answers[0].p == pytest.approx(2 * 0.5**20)  # McNemar: 20 fixed, none broken


@studied(THREE)
def test_the_same_evaluations_give_the_same_result(lab: Lab) -> None:
    fill(lab)
    one = lab.result()
    assert one == lab.result()
    assert one.evaluations == tuple(sorted(row for rows in lab.rows.values() for row in rows.values()))
    assert replace(one, looks=0) == one
