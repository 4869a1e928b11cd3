"""What an answer says, and what a reader must know before believing it. Light and pure but for one look at runs.db."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.ask.inputs import AskImage, AskQuestion
from engine.ask.subject import AskSubject
from engine.ask.wire import Answered
from engine.evaluation.judging import judge
from engine.evaluation.protocol import ANSWER_FORM, form_record
from engine.questions.answers import read_answer
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import OWN, QUESTIONS, REPORT_ID
from engine.questions.reading import Reading
from engine.questions.vocabulary import NORMALITY
from engine.store.reader import Reader
from engine.types import Outcome, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """An answer with everything that is known about it."""

    image: AskImage
    question: AskQuestion
    answer: Answered
    said: Reading | None
    """What it was read as; None for a question in one's own words, or a cancelled answer."""
    target: str | None
    """As annotated; untrusted text. None where it is not known."""
    meant: Reading | None
    """What the target is read as."""
    outcome: Outcome | None
    """Right, wrong ...; None where there is no target."""
    notes: tuple[str, ...]
    """Sentences for the reader; untrusted text."""
    sections: Mapping[str, Outcome] = field(default_factory=dict)
    """Of a report with a target: what became of each section, by question id. A missing one is unparseable."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which P(abnormal) on the figures of a run count an answer as abnormal."""

    value: float
    evaluation_id: int
    """The validation evaluation that it was chosen on."""


def read(
    subject: AskSubject, image: AskImage, question: AskQuestion, answer: Answered, threshold: Threshold | None = None
) -> ReadAnswer:
    """Read an answer and hold it against the annotation, as an evaluation does.

    Args:
        subject: who has answered.
        image: asked about.
        question: asked.
        answer: as it came.
        threshold: on P(abnormal), for Q7.
    """
    said = meant = outcome = None
    target = image.target(question.question)
    if question.question is not None and not answer.cancelled:
        said = read_answer(question.question, answer.text)
        if target is not None:
            meant = read_answer(question.question, target)
            outcome = judge(question.question, answer.text, target, cut_off=answer.cut_off).outcome
    sections = _sections(image, answer) if question.question == REPORT_ID and outcome is not None else {}
    notes = _notes(subject, image, question, answer, threshold)
    return ReadAnswer(image, question, answer, said, target, meant, outcome, tuple(notes), sections)


def _sections(image: AskImage, answer: Answered) -> dict[str, Outcome]:
    written = parse_report(answer.text)
    return {each: judge(each, written.get(each, ""), image.answers[each]).outcome for each in QUESTIONS}


def threshold_of(workspace: Workspace, subject: AskSubject, question: AskQuestion) -> Threshold | None:
    """The threshold of a run for Q7 in this wording; None where no validation evaluation has chosen one."""
    if subject.run_id is None or question.question != NORMALITY:
        return None
    with Reader(workspace) as reader:
        rows = reader.evaluations(subject.run_id, (State.SUCCEEDED,))
    for row in reversed(rows):
        if (
            row.question == NORMALITY
            and row.split is Split.VALIDATION
            and row.threshold is not None
            and not row.degradation
            and row.prompt == question.variant
            and _asked_alike(json.loads(row.protocol or "{}"), subject, question)
        ):
            return Threshold(row.threshold, row.id)
    return None


def _asked_alike(protocol: Mapping[str, Any], subject: AskSubject, question: AskQuestion) -> bool:
    """Whether a stored protocol has the image size, the form of candidates and, of an own wording, the words."""
    form = form_record(NORMALITY, question.variant).get(ANSWER_FORM)
    return (
        protocol.get("image_size") == subject.image_size
        and protocol.get(ANSWER_FORM) == form
        and (question.variant != OWN or protocol.get("prompt_text") == question.text)
    )


def _notes(
    subject: AskSubject, image: AskImage, question: AskQuestion, answer: Answered, threshold: Threshold | None
) -> list[str]:
    notes = []
    if answer.cancelled:
        notes.append("Cancelled: this is not the whole answer.")
    if answer.cut_off:
        notes.append(f"Cut off after {answer.tokens} tokens: with more it might have gone on.")
    if answer.p_abnormal is not None and threshold is not None:
        verdict = "abnormal" if answer.p_abnormal >= threshold.value else "normal"
        notes.append(
            f"By the threshold of its figures, {threshold.value:.3f} "
            f"(validation, evaluation {threshold.evaluation_id}), it counts as {verdict}."
        )
    notes += filter(None, (_split_note(subject, image), _training_note(subject, question)))
    return notes


def _split_note(subject: AskSubject, image: AskImage) -> str:
    if image.split is Split.TEST:
        return "This image is of the test split: what is changed because of its answer, the test can judge no more."
    same = image.dataset == subject.dataset and image.split_fingerprint == subject.split_fingerprint
    if image.split is Split.TRAIN and subject.run_id is not None and same:
        return "This image is of the training split: the run has seen it with its answer."
    if image.split is not None and subject.run_id is not None and not same:
        return f"The run was trained on another dataset or split ({subject.dataset}): it may have seen this image."
    return ""


def _training_note(subject: AskSubject, question: AskQuestion) -> str:
    if subject.run_id is None:
        return ""
    if question.question is None:
        return "The question is in your own words: the run was trained on other ones."
    if question.question not in subject.questions:
        return f"The run was not trained on {question.question}."
    if question.variant != subject.prompt and question.variant != question.question:
        return f"The run was trained with the wording {subject.prompt}."
    return ""
