"""From predictions to figures: which threshold decides, and which scores a question has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from engine.evaluation.judging import outcome_of
from engine.questions.answers import read_answer
from engine.questions.coherence import applied_rules, broken_rules
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.scoring.cases import AnsweredCase, probability_of
from engine.scoring.collapse import collapse_of
from engine.scoring.normality import ScoredCase, choose_threshold
from engine.scoring.normality_cases import normality_rows
from engine.scoring.questions import score_question
from engine.scoring.readers import readers_with
from engine.scoring.reports import ReportCase, score_report
from engine.store.records import EvaluationRow
from engine.types import QUESTION_IDS, Outcome, Prediction, Reference, Score, Split, State

DEFAULT_THRESHOLD = 0.5
NOT_CHOSEN = "default 0.5: no validation evaluation"
"""Source of a threshold that nobody has chosen."""
_CHOSEN_HERE = "chosen on these validation cases"
CHOSEN_HERE = f"{_CHOSEN_HERE}, which flatters them"
"""Source of a threshold that was chosen on the cases which it then judges."""
NOTHING_CHOSEN = "0.5: nothing is chosen for this reference"


def flatters(source: str | None) -> bool:
    """Whether a threshold was chosen on the cases that it judges, by its source as it is stored in any version."""
    return source is not None and source.startswith(_CHOSEN_HERE)


def choose(
    row: EvaluationRow, predictions: Sequence[Prediction], others: Iterable[EvaluationRow]
) -> tuple[float | None, str | None]:
    """Threshold on P(abnormal) and where it comes from, in words; (None, None) for questions without one.

    Validation chooses its own; every other split takes the one of the newest succeeded validation evaluation of the
    same subject, question, dataset split and protocol: a threshold is never chosen on the cases it is judged by twice.
    A degraded evaluation takes that of the images as they are: it is the same subject, meeting worse images.
    """
    if row.question != NORMALITY:
        return None, None
    if row.reference in (Reference.MAJORITY, Reference.SHUFFLED):
        return DEFAULT_THRESHOLD, NOTHING_CHOSEN
    if row.split is Split.VALIDATION and row.degradation is None:
        return choose_threshold(scored_cases(predictions)), CHOSEN_HERE
    chosen = [other for other in others if _serves(other, row)]
    if chosen:
        newest = max(chosen, key=lambda other: other.id)
        return newest.threshold, f"validation, evaluation {newest.id}"
    return DEFAULT_THRESHOLD, NOT_CHOSEN


def _serves(other: EvaluationRow, row: EvaluationRow) -> bool:
    same = ("run_id", "reference", "model", "dataset", "split_fingerprint", "question", "clean_protocol_fingerprint")
    return (
        other.state is State.SUCCEEDED
        and other.split is Split.VALIDATION
        and other.degradation is None
        and other.threshold is not None
        and all(getattr(other, name) == getattr(row, name) for name in same)
        # A base in 4 bits is another subject than the same base in 16; a reference without a model has no bits.
        and (row.reference not in (None, Reference.BASE) or _quantization(other) == _quantization(row))
    )


def _quantization(row: EvaluationRow) -> object:
    """As recorded; None where nothing is, or the record is damaged, as nobody knows it then."""
    try:
        protocol = json.loads(row.protocol or "{}")
    except ValueError:
        return None
    return protocol.get("quantization") if isinstance(protocol, dict) else None


def score(
    question: str, predictions: Sequence[Prediction], threshold: float | None, layers: Layers = ALL_LAYERS
) -> list[Score]:
    """Every score of an evaluation, over all cases and for each view.

    Args:
        question: Q1 to Q8 or report.
        predictions: judged with the same layers.
        threshold: on P(abnormal); Q7 alone.
        layers: of normalisation.
    """
    if question == REPORT_ID:
        return score_report(report_cases(predictions, layers))
    cases = answered_cases(question, predictions, layers)
    scores = score_question(question, cases, threshold=threshold, readers=readers_with(layers))
    if question == NORMALITY and all(probability_of(case) is None for case in cases):
        scores = [*_decided_by_text(scores)]
    return [*scores, *_variety(cases)]


def _variety(cases: Sequence[AnsweredCase]) -> Iterator[Score]:
    """How many different answers were given, and how many there should have been: what the collapse check is about."""
    found = collapse_of(cases)
    for name, count in (("distinct_answers", found.distinct_answers), ("distinct_targets", found.distinct_targets)):
        yield Score("all", name, float(count), None, None, found.n)


def _decided_by_text(scores: Sequence[Score]) -> Iterator[Score]:
    """Without probabilities the text decides: its figures stand under the plain names too, by which rows are ranked."""
    said = {(score.scope, score.name): score for score in scores}
    for score in scores:
        text = said.get((score.scope, f"text_{score.name}"))
        yield score if text is None else replace(text, name=score.name)


def scored_cases(predictions: Iterable[Prediction]) -> list[ScoredCase]:
    """Predictions of Q7 as the choice of a threshold takes them."""
    return normality_rows(answered_cases(NORMALITY, predictions))


def answered_cases(question: str, predictions: Iterable[Prediction], layers: Layers = ALL_LAYERS) -> list[AnsweredCase]:
    """Predictions of any question as scorers and paired tests take them, read with some layers of normalisation."""
    return [
        AnsweredCase(
            path=prediction.path,
            view=prediction.view,
            said=read_answer(question, "" if prediction.outcome is Outcome.ERROR else prediction.raw_output, layers),
            target=read_answer(question, prediction.target, layers),
            said_text=prediction.raw_output,
            target_text=prediction.target,
            outcome=prediction.outcome,
            p_abnormal=prediction.p_abnormal,
        )
        for prediction in predictions
    ]


def report_cases(predictions: Iterable[Prediction], layers: Layers = ALL_LAYERS) -> list[ReportCase]:
    """Predictions of the combined report, taken apart into sections and held against the rules between them.

    Sections are held against their targets with these layers alone. The rules hold meanings against each other, so for
    them every section is read with all layers.
    """
    return [_report_case(prediction, layers) for prediction in predictions]


def _report_case(prediction: Prediction, layers: Layers) -> ReportCase:
    said = {} if prediction.outcome is Outcome.ERROR else parse_report(prediction.raw_output)
    meant = parse_report(prediction.target)
    readings = {question: read_answer(question, text) for question, text in said.items()}
    compared = {question: read_answer(question, text, layers) for question, text in said.items()}
    targets = {question: read_answer(question, meant.get(question, ""), layers) for question in QUESTION_IDS}
    return ReportCase(
        path=prediction.path,
        view=prediction.view,
        target_text=prediction.target,
        outcome=prediction.outcome,
        present=frozenset(readings),
        sections={
            question: outcome_of(question, reading, targets[question], cut_off=False)
            for question, reading in compared.items()
        },
        applied=frozenset(applied_rules(prediction.view, readings)),
        broken=frozenset(each.rule for each in broken_rules(prediction.view, readings)),
    )


def counts(predictions: Sequence[Prediction]) -> dict[str, int]:
    """Columns of an evaluation that count outputs which are no answers."""
    outcomes = Counter(prediction.outcome for prediction in predictions)
    return {
        "errors": outcomes[Outcome.ERROR],
        "unparseable": outcomes[Outcome.UNPARSEABLE],
        "cut_off": sum(prediction.cut_off for prediction in predictions),
    }
