"""Ask a model about cases: one prediction a case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.data.labels import target_text
from engine.evaluation.generate import Generated, generate_answers, prompt_batch
from engine.evaluation.judging import judge
from engine.evaluation.label_scoring import candidate_log_likelihoods, p_abnormal, probabilities
from engine.evaluation.protocol import Protocol
from engine.evaluation.showing import show
from engine.evaluation.subject import Subject
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.serving_errors import Compiled, compile_patterns
from engine.types import Case, Outcome, Prediction


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions of one batch and the time that they took."""

    predictions: list[Prediction]
    generation_seconds: float
    scoring_seconds: float


def measure(
    subject: Subject,
    cases: Sequence[Case],
    protocol: Protocol,
    batch_size: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Answers and label probabilities of all cases, batch by batch.

    Raises:
        DataError: an image cannot be decoded any more.
    """
    shown = show(cases, protocol, subject.geometry)
    errors = compile_patterns(protocol.error_patterns)
    for start in range(0, len(shown.members), batch_size):
        chosen = range(start, min(start + batch_size, len(shown.members)))
        begun = clock()
        inputs = prompt_batch(subject.encoder, shown.pixels, list(chosen), protocol.wording, subject.device)
        answers = generate_answers(subject.model, subject.encoder, inputs, protocol.max_new_tokens)
        generated = clock()
        shares: list[dict[str, float]] = [{} for _ in chosen]
        if protocol.candidates:
            likelihoods = candidate_log_likelihoods(subject.model, subject.encoder, inputs, protocol.candidates)
            shares = probabilities(likelihoods, protocol.candidates)
        predictions = [
            predict(case, protocol.question, answer, share, errors, protocol.layers)
            for number, answer, share in zip(chosen, answers, shares, strict=True)
            for case in shown.members[number]
        ]
        yield Batch(predictions, generated - begun, clock() - generated)


def predict(
    case: Case,
    question: str,
    answer: Generated,
    shares: dict[str, float],
    errors: Compiled | None = None,
    layers: Layers = ALL_LAYERS,
) -> Prediction:
    """One answer, read and held against its target."""
    target = target_text(case.answers, question) or ""
    judged = judge(question, answer.text, target, cut_off=answer.cut_off, errors=errors, layers=layers)
    return Prediction(
        path=case.path,
        view=case.view,
        question=question,
        target=target,
        raw_output=answer.text,
        parsed=judged.parsed,
        target_parsed=judged.target_parsed,
        correct=judged.correct,
        # An error is no answer, whatever its text is likely to be.
        p_abnormal=p_abnormal(shares) if shares and judged.outcome is not Outcome.ERROR else None,
        probabilities=shares,
        cut_off=answer.cut_off,
        latency_seconds=answer.latency_seconds,
        generated_tokens=answer.tokens,
        outcome=judged.outcome,
    )
