"""Marks, thresholds and errors of Q7: what flatters is said, and no error is ever right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from compare_helpers import ABNORMAL, NORMAL, Said, predictions
from scoring_helpers import READERS, by_name, normality
from store_helpers import add_evaluation, add_run, prediction, workspace_at

from engine.evaluation.marking import marks_of
from engine.evaluation.scores import (
    CHOSEN_HERE,
    NOT_CHOSEN,
    answered_cases,
    choose,
    flatters,
    score,
    scored_cases,
)
from engine.scoring.blind import looks_at_image
from engine.scoring.comparing import Side, compare
from engine.scoring.normality import choose_threshold
from engine.scoring.normality_cases import normality_rows
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.store.writer import Writer
from engine.types import Mark, Outcome, Prediction, Reference, Split, State

TRIALS = 16


@dataclass(frozen=True)
class Subject:
    question: str = "Q7"
    reference: Reference | None = None
    split: Split = Split.VALIDATION
    degradation: str | None = None


def drawn(seed: int, strength: float, abnormal: int = 27, normal: int = 400) -> list[Prediction]:
    """What a model says that sees this much of the finding; 0 is pure noise."""
    meant = [ABNORMAL] * abnormal + [NORMAL] * normal
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-generator.normal(size=len(meant)) - strength * (np.arange(len(meant)) < abnormal)))
    said = [Said(ABNORMAL if each >= 0.5 else NORMAL, float(each)) for each in p]
    return predictions(meant, said, where=[f"Femur/{number}.png" for number in range(len(meant))])


def marked(rows: list[Prediction], *sources: str) -> list[dict[Mark, str]]:
    """The marks of one evaluation by the source of its threshold."""
    scores = score("Q7", rows, choose_threshold(scored_cases(rows)))
    return [dict(marks_of(Subject(), scores, rows, majority=NORMAL, threshold_source=source)) for source in sources]


def test_noise_with_a_threshold_chosen_on_itself_is_below_majority() -> None:
    found = [marked(drawn(seed, 0.0), CHOSEN_HERE, "validation, evaluation 3") for seed in range(TRIALS)]
    assert sum(Mark.BELOW_MAJORITY in here for here, _ in found) >= TRIALS - 1  # 2.5 % rank well by chance
    hidden = [here[Mark.BELOW_MAJORITY] for here, other in found if here.keys() - other.keys()]
    assert len(hidden) >= 2  # balanced accuracy alone, at the threshold that suits these cases best
    assert all("; AUROC 0." in sentence for sentence in hidden)


def test_a_model_that_sees_the_finding_is_not_below_majority() -> None:
    [found] = marked(drawn(0, 1.5), CHOSEN_HERE)
    assert Mark.BELOW_MAJORITY not in found


def test_a_source_of_an_earlier_version_flatters_too() -> None:
    assert flatters(CHOSEN_HERE)
    assert flatters("chosen on these validation cases")
    assert not any(map(flatters, (None, NOT_CHOSEN, "validation, evaluation 3")))


def test_the_control_of_a_flattered_evaluation_decides_by_auroc_alone() -> None:
    targets = [True] * 40 + [False] * 400
    fooled = {False: 0, True: 0}
    for seed in range(TRIALS):
        p = np.random.default_rng(seed).uniform(size=len(targets))
        images, grey = normality(targets, list(map(float, p))), normality(targets, [0.3] * len(targets))
        threshold = choose_threshold(normality_rows(images))
        for own in fooled:
            found = looks_at_image(
                "Q7", images, grey, threshold=threshold, own_threshold=own, resamples=400, readers=READERS
            )
            fooled[own] += found.blind is False
            assert [each.name for each in found.differences] == (["balanced_accuracy"] if not own else []) + ["auroc"]
    assert fooled[True] <= 1
    assert fooled[False] >= 4


def test_without_probabilities_the_control_is_decided_by_texts_whoever_chose_a_threshold() -> None:
    targets = [True] * 30 + [False] * 100
    images, grey = normality(targets, called=targets), normality(targets, called=[False] * 130)
    assert looks_at_image("Q7", images, grey, own_threshold=True).blind is False


# ----- errors


def with_errors(abnormal: int, normal: int) -> list[Prediction]:
    """20 abnormal and 20 normal cases, all right by their probabilities; so many of each are a server's errors."""
    meant = [ABNORMAL] * 20 + [NORMAL] * 20
    failed = [place < abnormal or 20 <= place < 20 + normal for place in range(40)]
    said = [
        Said("ERROR: API error 500" if error else target, 0.9 if target == ABNORMAL else 0.1)
        for target, error in zip(meant, failed, strict=True)
    ]
    return predictions(meant, said)


def test_errors_are_called_the_wrong_class_though_a_probability_comes_along() -> None:
    found = by_name(score("Q7", with_errors(5, 10), 0.5))
    assert (found["sensitivity"].value, found["sensitivity"].n) == (0.75, 20)
    assert (found["specificity"].value, found["specificity"].n) == (0.5, 20)
    assert (found["accuracy"].value, found["accuracy"].n) == (25 / 40, 40)
    balanced = found["balanced_accuracy"]
    assert (balanced.value, balanced.n) == (0.625, 40)
    assert balanced.low is not None and balanced.high is not None and balanced.low < 0.625 < balanced.high < 0.85
    # tp 15, fn 5, tn 10, fp 10, each error called the other class
    assert found["mcc"].value == pytest.approx((15 * 10 - 10 * 5) / np.sqrt(25 * 20 * 20 * 15))
    assert (found["auroc"].value, found["auroc"].n) == (1.0, 25)
    assert found["probability_rate"].value == 25 / 40


def test_where_the_text_decides_errors_count_once() -> None:
    rows = [replace(row, p_abnormal=None) for row in with_errors(5, 10)]
    found = by_name(score("Q7", rows, None))
    assert (found["sensitivity"].value, found["specificity"].value) == (0.75, 0.5)
    assert found["auroc"].value is None
    assert found["mcc"].value is None


def test_no_threshold_is_chosen_by_the_probability_of_an_error() -> None:
    rows = with_errors(0, 0)
    misleading = [replace(row, outcome=Outcome.ERROR, p_abnormal=0.0) for row in rows[:8]]
    assert choose_threshold(scored_cases([*misleading, *rows[8:]])) == choose_threshold(scored_cases(rows[8:]))


def test_a_comparison_counts_errors_as_not_right() -> None:
    good, failing = (answered_cases("Q7", with_errors(*each)) for each in ((0, 0), (5, 10)))
    [found] = compare("Q7", Side("good", good, 0.5), [Side("failing", failing, 0.5)], resamples=200)
    values = {each.name: each.second for each in found.differences}
    assert len(found.broken) == 15
    assert values["balanced_accuracy"] == 0.625


# ----- the share of the constant answer


def test_cases_without_a_readable_target_are_in_no_share() -> None:
    good = [prediction(f"A/{number}.png", question="Q6", target="Good", raw_output="Good") for number in range(45)]
    rest = [
        prediction(f"B/{number}.png", question="Q6", target="??", raw_output="Good", outcome=Outcome.UNSCORED)
        for number in range(55)
    ]
    rows = [*good, *rest]
    scores = score("Q6", rows, None)
    found = dict(
        marks_of(Subject("Q6"), scores, rows, majority="Good", threshold_source=None),
    )
    assert found[Mark.BELOW_MAJORITY].startswith("always 'Good' is right in 100.0%")
    assert found[Mark.FEW_CASES].startswith("only 45 cases")


# ----- whose threshold serves


@pytest.mark.parametrize(
    ("reference", "protocol", "serves"),
    [
        (Reference.MAJORITY_BY_VIEW, '{"quantization": "4bit"}', True),
        (Reference.BASE, '{"quantization": "4bit"}', False),
        (Reference.BASE, '{"quantization": "none"}', True),
        (Reference.BASE, "damaged {", False),
        (None, '{"quantization": "4bit"}', False),
    ],
)
def test_bits_belong_to_models_alone(
    tmp_path_factory: pytest.TempPathFactory, reference: Reference | None, protocol: str, serves: bool
) -> None:
    workspace = workspace_at(tmp_path_factory.mktemp("w"))
    with Writer.open(workspace) as writer:
        run = None if reference else add_run(writer)
        ids = [add_evaluation(writer, run, reference, split=split) for split in (Split.VALIDATION, Split.TEST)]
    with Reader(workspace) as reader:
        validation, test = (reader.evaluation(each) for each in ids)
    known: EvaluationRow = replace(validation, state=State.SUCCEEDED, threshold=0.2, protocol=protocol)
    test = replace(test, protocol='{"quantization": "none"}')
    assert (choose(test, [], [known])[0] == 0.2) is serves
