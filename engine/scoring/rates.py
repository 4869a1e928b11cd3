"""Shares of cases with their Wilson intervals: how many are right, and how many outputs are no answer at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from engine.scoring.intervals import wilson
from engine.types import Outcome, Score

NOT_ANSWERED = {
    "unparseable_rate": Outcome.UNPARSEABLE,
    "cut_off_rate": Outcome.CUT_OFF,
    "error_rate": Outcome.ERROR,
}
"""Outputs that are no answer: never right, and counted apart from wrong answers."""


def proportion(scope: str, name: str, successes: int, n: int) -> Score:
    """`successes` of `n` as a score with the Wilson 95 % interval; undefined where n is 0."""
    low, high = wilson(successes, n)
    return Score(scope, name, successes / n if n else None, low, high, n)


def outcome_rates(scope: str, outcomes: Sequence[Outcome]) -> Iterator[Score]:
    """The rates of outputs that are no answer, over the cases whose target can be read, and `unscored_rate` over all.

    Args:
        scope: `all` or `view:NAME`.
        outcomes: one a case, unscored ones among them.
    """
    counts = Counter(outcomes)
    n = len(outcomes) - counts[Outcome.UNSCORED]
    for name, outcome in NOT_ANSWERED.items():
        yield proportion(scope, name, counts[outcome], n)
    yield proportion(scope, "unscored_rate", counts[Outcome.UNSCORED], len(outcomes))


def accuracy(scope: str, outcomes: Sequence[Outcome]) -> Score:
    """Share of right answers among the cases whose target can be read; what is no answer counts as not right."""
    counts = Counter(outcomes)
    return proportion(scope, "accuracy", counts[Outcome.RIGHT], len(outcomes) - counts[Outcome.UNSCORED])
