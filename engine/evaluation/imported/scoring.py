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
from engine.evaluation.scores import (
    CHOSEN_HERE,
    DEFAULT_THRESHOLD,
    NOT_CHOSEN,
    NOTHING_CHOSEN,
    counts,
    score,
    scored_cases,
)
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.serving_errors import compile_patterns
from engine.questions.vocabulary import NORMALITY
from engine.scoring.normality import choose_threshold
from engine.store.writer_imports import FinishedEvaluation
from engine.types import IMPORTED, Case, Outcome, Prediction, Reference, Split

MODEL_FREE = (Reference.MAJORITY, Reference.MAJORITY_BY_VIEW, Reference.SHUFFLED)
Key = tuple[Reference, str, str]
"""Of a reference row: which one, cases fingerprint, protocol fingerprint."""
_Chooser = tuple[str, Reference | None]
"""Question, and the reference where it is one: whoever chooses a threshold."""
_Decides = tuple[float | None, str | None]
"""A threshold and its source in words."""


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
    thresholds: dict[_Chooser, float] = {}
    for question, split in sorted(matched.predictions, key=lambda key: (key[0], key[1] is not Split.VALIDATION)):
        rows = matched.predictions[question, split]
        cases, predictions = [case for case, _ in rows], with_probabilities([said for _, said in rows])
        learned = [case for case in training if target_text(case.answers, question) is not None]
        targets = [target_text(case.answers, question) or "" for case in learned]
        majority = majority_answer(question, targets, ("", None), layers)[0]
        protocol = Protocol(question, IMPORTED, 0, 0, (), error_patterns=tuple(patterns), layers=layers)
        fingerprint = cases_fingerprint(cases, question)
        decides = _threshold(_Subject(question, None, split), predictions, thresholds)
        yield _finished(_Subject(question, None, split), protocol, fingerprint, predictions, majority, decides)
        for reference in MODEL_FREE:
            if reference is not Reference.SHUFFLED and not majority:
                continue  # the training split has no answer that can be read: there is no majority to learn
            subject = _Subject(question, reference, split)
            said = reference_predictions(reference, cases, question, learned, compile_patterns(patterns), layers)
            # Also where the row is there already: its threshold on validation decides on test.
            decides = _threshold(subject, said, thresholds)
            if (reference, fingerprint, protocol.fingerprint()) not in present:
                yield _finished(subject, protocol, fingerprint, said, majority, decides)


def with_probabilities(predictions: Sequence[Prediction]) -> list[Prediction]:
    """All probabilities, or none where some are missing: figures on those that have one would be of other cases.

    Errors have none, and count as not right in every figure: they do not take it from the answers.
    """
    complete = all(each.p_abnormal is not None for each in predictions if each.outcome is not Outcome.ERROR)
    return [each if complete else replace(each, p_abnormal=None) for each in predictions]


def _threshold(subject: _Subject, predictions: Sequence[Prediction], chosen: dict[_Chooser, float]) -> _Decides:
    """The threshold and its source, as `scores.choose`; the one chosen on validation goes into `chosen`."""
    if subject.question != NORMALITY:
        return None, None
    if all(each.p_abnormal is None for each in predictions):
        return None, "the text decides: there are no probabilities"
    if subject.reference in (Reference.MAJORITY, Reference.SHUFFLED):
        return DEFAULT_THRESHOLD, NOTHING_CHOSEN
    key = subject.question, subject.reference
    if subject.split is Split.VALIDATION:
        chosen[key] = choose_threshold(scored_cases(predictions))
        return chosen[key], CHOSEN_HERE
    if key in chosen:
        return chosen[key], "validation, of the same file"
    return DEFAULT_THRESHOLD, NOT_CHOSEN


def _finished(
    subject: _Subject,
    protocol: Protocol,
    cases: str,
    predictions: Sequence[Prediction],
    majority: str,
    decides: _Decides,
) -> FinishedEvaluation:
    question, layers = subject.question, protocol.layers
    threshold, source = decides
    scores = score(question, predictions, threshold, layers)
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
