"""Scores of Q7 from answered cases: those of `normality`, with the outputs that are no answer counted apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.scoring.cases import AnsweredCase, positions_by_scope, probability_of, scored
from engine.scoring.normality import ScoredCase, score_normality
from engine.scoring.rates import outcome_rates, proportion
from engine.types import Outcome, Score, Verdict

NOT_READ = frozenset({Outcome.ERROR, Outcome.UNPARSEABLE})


def normality_rows(cases: Sequence[AnsweredCase]) -> list[ScoredCase]:
    """The cases whose target can be read, as the scorer of Q7 takes them; errors have no verdict and no probability."""
    return [
        ScoredCase(
            view=case.view,
            target=Verdict(case.target.value),
            verdict=Verdict.UNPARSEABLE if case.outcome in NOT_READ else Verdict(case.said.value),
            p_abnormal=probability_of(case),
            failed=case.outcome is Outcome.ERROR,
        )
        for case in scored(cases)
    ]


def score_normality_cases(cases: Sequence[AnsweredCase], threshold: float, seed: int, resamples: int) -> list[Score]:
    """Every score of Q7 in every scope, with the rates of all outcomes in place of the one of `score_normality`.

    The plain names decide by probability; errors count as called the wrong class, and other cases without one are left
    out. `probability_rate` says for how many of the cases there is one, so that a file which gives probabilities for
    its easy images alone is seen.
    """
    known = score_normality(normality_rows(cases), threshold, seed=seed, resamples=resamples)
    scores: list[Score] = []
    for scope, positions in positions_by_scope(cases).items():
        scores += [score for score in known if score.scope == scope and score.name != "unparseable_rate"]
        scores += _rates(scope, [cases[position] for position in positions])
    return scores


def _rates(scope: str, cases: Sequence[AnsweredCase]) -> Iterator[Score]:
    measured = scored(cases)
    given = sum(probability_of(case) is not None for case in measured)
    yield proportion(scope, "probability_rate", given, len(measured))
    yield from outcome_rates(scope, [case.outcome for case in cases])
