"""Every score of one evaluation of one question, over all cases and for each view, with n and a 95 % interval.

Cases whose target cannot be read are left out of every measure and counted in `unscored_rate`. Outputs that are
errors, unparseable or cut off stay in: they are not right, and have rates of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.questions.vocabulary import NORMALITY
from engine.scoring.bootstrap import RESAMPLES, bootstrap_class_means, class_mean, mean_scores
from engine.scoring.cases import AnsweredCase, in_path_order, positions_by_scope, scored, stream
from engine.scoring.intervals import Figures, percentile_interval
from engine.scoring.measures import (
    GradedValues,
    Readers,
    graded_measures,
    right_answers,
    target_classes,
    within_one_bin,
)
from engine.scoring.normality import NO_THRESHOLD
from engine.scoring.normality_cases import score_normality_cases
from engine.scoring.rates import accuracy, outcome_rates, proportion
from engine.scoring.readers import readers_or_default
from engine.scoring.shuffled import OVER_SHUFFLED, SHUFFLED, rounds_for, shuffled_values
from engine.types import Score


def score_question(
    question: str,
    cases: Sequence[AnsweredCase],
    *,
    threshold: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    readers: Readers | None = None,
) -> list[Score]:
    """Every score of one question, scope by scope: `all`, then `view:NAME` in alphabetical order.

    Args:
        question: Q1 to Q8; a combined report has `reports.score_report`.
        cases: one an image; their order changes nothing. An empty list gives no score.
        threshold: Q7 alone: P(abnormal) from which a case is called abnormal; None for 0.5.
        seed: of the bootstrap and of the shuffled answers; each scope has its own stream.
        resamples: of the bootstrap.
        readers: how texts are read; None for those of `engine.questions`.
    """
    ordered = in_path_order(cases)
    if question == NORMALITY:
        return score_normality_cases(ordered, NO_THRESHOLD if threshold is None else threshold, seed, resamples)
    readers = readers_or_default(readers)
    graded = [GradedValues(measure, ordered) for measure in graded_measures(question, readers)]
    return [
        score
        for scope, positions in positions_by_scope(ordered).items()
        for score in _scope_scores(question, scope, ordered, positions, graded, readers, stream(seed, scope), resamples)
    ]


def _scope_scores(
    question: str,
    scope: str,
    cases: Sequence[AnsweredCase],
    positions: Sequence[int],
    graded: Sequence[GradedValues],
    readers: Readers,
    seed: tuple[int, int],
    resamples: int,
) -> Iterator[Score]:
    members = [cases[position] for position in positions]
    outcomes = [case.outcome for case in members]
    yield accuracy(scope, outcomes)
    if question == "Q5":
        near = within_one_bin(scored(members), readers.bin_index)
        yield proportion(scope, "within_one_bin", int(near.sum()), len(near))
    if question == "Q6":
        yield _macro_recall(scope, scored(members), seed, resamples)
    measured = np.array([position for position in positions if _is_scored(cases[position])], dtype=np.intp)
    yield from _graded(scope, graded, measured, rounds_for(len(cases)), seed, resamples)
    yield from outcome_rates(scope, outcomes)


def _is_scored(case: AnsweredCase) -> bool:
    return bool(scored([case]))


def _macro_recall(scope: str, cases: Sequence[AnsweredCase], seed: tuple[int, int], resamples: int) -> Score:
    """Mean over the targets' classes of the share that is right: what 82 % of one class cannot flatter.

    Equal to `sklearn.metrics.balanced_accuracy_score`; the bootstrap draws each class separately.
    """
    if not cases:
        return Score(scope, "macro_recall", None, None, None, 0)
    right, classes = right_answers(cases), target_classes(cases)
    drawn = bootstrap_class_means(right[:, None], classes, resamples, np.random.default_rng(seed))[:, 0]
    return Score(scope, "macro_recall", class_mean(right, classes), *percentile_interval(drawn), len(cases))


def _graded(
    scope: str,
    graded: Sequence[GradedValues],
    members: np.ndarray,
    rounds: int,
    seed: tuple[int, int],
    resamples: int,
) -> Iterator[Score]:
    """Means of the graded measures, and of those for shuffled answers the two rows that show what they are worth."""
    for number, values in enumerate(graded):
        name = values.measure.name
        columns: dict[str, Figures] = {name: values.own[members]}
        missing: tuple[str, ...] = ()
        if values.measure.shuffled:
            dealt = shuffled_values(values, members, rounds, np.random.default_rng((*seed, number, 1)))
            if dealt is None:
                missing = (name + SHUFFLED, name + OVER_SHUFFLED)
            else:
                columns |= {name + SHUFFLED: dealt, name + OVER_SHUFFLED: columns[name] - dealt}
        yield from mean_scores(scope, columns, (*seed, number), resamples)
        yield from (Score(scope, each, None, None, None, len(members)) for each in missing)
