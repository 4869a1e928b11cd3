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
from engine.evaluation.subject import Subject
from engine.questions.prompts import prompt_text
from engine.training.pixels import PixelStore
from engine.types import Case, Prediction


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
    pixels = PixelStore([case.file for case in cases], protocol.image_size, subject.geometry)
    prompt = prompt_text(protocol.question, protocol.prompt)
    for start in range(0, len(cases), batch_size):
        chosen = range(start, min(start + batch_size, len(cases)))
        begun = clock()
        inputs = prompt_batch(subject.encoder, pixels, list(chosen), prompt, subject.device)
        answers = generate_answers(subject.model, subject.encoder, inputs, protocol.max_new_tokens)
        generated = clock()
        shares: list[dict[str, float]] = [{} for _ in chosen]
        if protocol.candidates:
            likelihoods = candidate_log_likelihoods(subject.model, subject.encoder, inputs, protocol.candidates)
            shares = probabilities(likelihoods, protocol.candidates)
        predictions = [
            predict(cases[number], protocol.question, answer, share)
            for number, answer, share in zip(chosen, answers, shares, strict=True)
        ]
        yield Batch(predictions, generated - begun, clock() - generated)


def predict(case: Case, question: str, answer: Generated, shares: dict[str, float]) -> Prediction:
    """One answer, read and held against its target."""
    target = target_text(case.answers, question) or ""
    parsed, target_parsed, correct = judge(question, answer.text, target)
    return Prediction(
        path=case.path,
        view=case.view,
        question=question,
        target=target,
        raw_output=answer.text,
        parsed=parsed,
        target_parsed=target_parsed,
        correct=correct,
        p_abnormal=p_abnormal(shares) if shares else None,
        probabilities=shares,
        cut_off=answer.cut_off,
        latency_seconds=answer.latency_seconds,
        generated_tokens=answer.tokens,
    )
