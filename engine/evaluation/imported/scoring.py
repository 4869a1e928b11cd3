"""Imported predictions as finished evaluations, each with the reference rows that belong beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.data.fingerprint import cases_fingerprint
from engine.data.labels import target_text
from engine.evaluation.imported.matching import Matched
from engine.evaluation.marking import marks_of
from engine.evaluation.protocol import Protocol
from engine.evaluation.references import majority_answer, reference_predictions
from engine.evaluation.scores import DEFAULT_THRESHOLD, NOT_CHOSEN, counts, score, scored_cases
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.serving_errors import compile_patterns
from engine.questions.vocabulary import NORMALITY
from engine.scoring.normality import choose_threshold
from engine.store.writer_imports import FinishedEvaluation
from engine.types import IMPORTED, Case, Prediction, Reference, Split

MODEL_FREE = (Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED)
Key = tuple[Reference, str, str]
"""Of a reference row: which one, cases fingerprint, protocol fingerprint."""


@dataclass(frozen=True, slots=True)
class _Subject:
    question: str
    reference: Reference | None
    split: Split
    degradation: None = None


def finished_evaluations(
    matched: Matched,
    training: Sequence[Case],
    patterns: Sequence[str],
    present: Collection[Key],
    layers: Layers = ALL_LAYERS,
) -> Iterator[FinishedEvaluation]:
    """Score matched predictions by question and split, validation first: test takes its threshold.

    Args:
        matched: predictions with their cases.
        training: all cases of the training split.
        patterns: of serving errors.
        present: reference rows that are there already.
        layers: of normalisation, with which the predictions were matched.
    """
    thresholds: dict[str, float] = {}
    for question, split in sorted(matched.predictions, key=lambda key: (key[0], key[1] is not Split.VALIDATION)):
        rows = matched.predictions[question, split]
        cases, predictions = [case for case, _ in rows], with_probabilities([said for _, said in rows])
        learned = [case for case in training if target_text(case.answers, question) is not None]
        protocol = Protocol(question, IMPORTED, 0, 0, (), error_patterns=tuple(patterns), layers=layers)
        fingerprint = cases_fingerprint(cases, question)
        threshold, source = _threshold(question, split, predictions, thresholds)
        yield _finished(_Subject(question, None, split), protocol, fingerprint, predictions, learned, threshold, source)
        for reference in MODEL_FREE:
            if (reference, fingerprint, protocol.fingerprint()) in present:
                continue
            if reference is not Reference.SHUFFLED and not learned:
                continue  # there is no majority to learn
            said = reference_predictions(reference, cases, question, learned, compile_patterns(patterns), layers)
            decides = (DEFAULT_THRESHOLD, "0.5: nothing is chosen for this reference")
            if question != NORMALITY:
                decides = (None, None)  # type: ignore[assignment]
            yield _finished(_Subject(question, reference, split), protocol, fingerprint, said, learned, *decides)


def with_probabilities(predictions: Sequence[Prediction]) -> list[Prediction]:
    """All probabilities, or none where some are missing: figures on those that have one would be of other cases."""
    complete = all(prediction.p_abnormal is not None for prediction in predictions)
    return [each if complete else replace(each, p_abnormal=None) for each in predictions]


def _threshold(
    question: str, split: Split, predictions: Sequence[Prediction], chosen: dict[str, float]
) -> tuple[float | None, str | None]:
    if question != NORMALITY:
        return None, None
    if predictions[0].p_abnormal is None:
        return None, "the text decides: there are no probabilities"
    if split is Split.VALIDATION:
        chosen[question] = choose_threshold(scored_cases(predictions))
        return chosen[question], "chosen on these validation cases"
    if question in chosen:
        return chosen[question], "validation, of the same file"
    return DEFAULT_THRESHOLD, NOT_CHOSEN


def _finished(
    subject: _Subject,
    protocol: Protocol,
    cases: str,
    predictions: Sequence[Prediction],
    training: Sequence[Case],
    threshold: float | None,
    source: str | None,
) -> FinishedEvaluation:
    question = subject.question
    layers = protocol.layers
    scores = score(question, predictions, threshold, layers)
    targets = [target_text(case.answers, question) or "" for case in training]
    majority = majority_answer(question, targets, ("", None), layers)[0]
    marks = marks_of(subject, scores, predictions, majority=majority, threshold_source=source, layers=layers)
    return FinishedEvaluation(
        reference=subject.reference,
        question=question,
        split=subject.split,
        protocol=protocol.as_json(),
        protocol_fingerprint=protocol.fingerprint(),
        cases_fingerprint=cases,
        threshold=threshold,
        threshold_source=source,
        counts=counts(predictions),
        predictions=predictions,
        scores=scores,
        marks=marks,
    )
