"""From predictions to figures: which threshold decides, and which scores a question has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from engine.questions.vocabulary import NORMALITY
from engine.scoring.intervals import wilson
from engine.scoring.normality import ScoredCase, choose_threshold, score_normality
from engine.store.records import EvaluationRow
from engine.types import Prediction, Reference, Score, Split, State, Verdict

DEFAULT_THRESHOLD = 0.5


def choose(
    row: EvaluationRow, predictions: Sequence[Prediction], others: Iterable[EvaluationRow]
) -> tuple[float | None, str | None]:
    """Threshold on P(abnormal) and where it comes from, in words; (None, None) for questions without one.

    Validation chooses its own; every other split takes the one of the newest succeeded validation evaluation of the
    same subject, question, dataset split and protocol: a threshold is never chosen on the cases it is judged by twice.
    """
    if row.question != NORMALITY:
        return None, None
    if row.reference is Reference.MAJORITY:
        return DEFAULT_THRESHOLD, "0.5: the majority class gives every case the same probability"
    if row.split is Split.VALIDATION:
        return choose_threshold(scored_cases(predictions)), "chosen on these validation cases"
    chosen = [other for other in others if _serves(other, row)]
    if chosen:
        newest = max(chosen, key=lambda other: other.id)
        return newest.threshold, f"validation, evaluation {newest.id}"
    return DEFAULT_THRESHOLD, "default 0.5: no validation evaluation"


def _serves(other: EvaluationRow, row: EvaluationRow) -> bool:
    same = ("run_id", "reference", "model", "dataset", "split_fingerprint", "question", "protocol_fingerprint")
    return (
        other.state is State.SUCCEEDED
        and other.split is Split.VALIDATION
        and other.threshold is not None
        and all(getattr(other, name) == getattr(row, name) for name in same)
        # A base in 4 bits is another subject than the same base in 16.
        and json.loads(other.protocol).get("quantization") == json.loads(row.protocol).get("quantization")
    )


def score(question: str, predictions: Sequence[Prediction], threshold: float | None) -> list[Score]:
    """Every score of an evaluation, over all cases and for each view."""
    if question == NORMALITY and threshold is not None:
        return score_normality(scored_cases(predictions), threshold)
    return _agreement(predictions)


def scored_cases(predictions: Iterable[Prediction]) -> list[ScoredCase]:
    """Predictions of Q7 as the scorer takes them."""
    return [
        ScoredCase(
            view=prediction.view,
            target=Verdict(prediction.target_parsed),
            verdict=Verdict(prediction.parsed),
            p_abnormal=prediction.p_abnormal,
        )
        for prediction in predictions
    ]


def _agreement(predictions: Sequence[Prediction]) -> list[Score]:
    """Share of answers that equal their target after normalisation; an empty output counts as wrong."""
    scopes: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        scopes["all"].append(prediction)
        scopes[f"view:{prediction.view}"].append(prediction)
    scores = []
    for scope, members in scopes.items():
        right, n = sum(prediction.correct is True for prediction in members), len(members)
        low, high = wilson(right, n)
        scores.append(Score(scope, "accuracy", right / n, low, high, n))
    return scores
