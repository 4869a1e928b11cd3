"""Whose cases are looked at: the evaluation that a name means, and the evaluations that can be laid beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.api.browsing import Source, reading
from engine.errors import JobError, UsageError
from engine.store.cases import Side
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, MarkRow
from engine.types import IMPORTED, Reference, Split, State

USUAL_THRESHOLD = 0.5
"""Where none was chosen; the evaluation then has a mark that says so."""
REFERENCE_NAMES = {
    Reference.MAJORITY: "majority class",
    Reference.MAJORITY_BY_VIEW: "majority by view",
    Reference.SHUFFLED: "shuffled answers",
    Reference.BASE: "untuned base",
}


class Decision(StrEnum):
    """What makes a case of Q7 normal or abnormal."""

    TEXT = "text"
    """The verdict read in the generated text."""
    THRESHOLD = "threshold"
    """P(abnormal) at or above the threshold of the evaluation; no other question has one."""


@dataclass(frozen=True, slots=True)
class CaseSubject:
    """One evaluation as the head of a table, or of a column of a list."""

    evaluation: int
    name: str
    """Of the run, or of the reference; with what was done to the images, if anything. Untrusted text."""
    run: int | None
    reference: Reference | None
    imported: bool
    """Its predictions were made by another tool."""
    dataset: str
    question: str
    split: Split
    state: State
    threshold: float
    """P(abnormal) from which a case counts as abnormal."""
    threshold_source: str
    """Where the threshold was chosen; "" where it was not."""
    cases_fingerprint: str
    protocol_fingerprint: str
    """Of the protocol without a degradation of the images."""
    marks: tuple[MarkRow, ...]
    """What a reader must know before believing it."""
    measured: int
    """Images that it has measured."""
    common: int | None = None
    """Of a subject beside another one: images that both have measured."""
    other_targets: int = 0
    """Of those, the ones whose annotated answers differ."""

    @property
    def title(self) -> str:
        """Name, and the number of the run."""
        return self.name if self.run is None else f"{self.name} · run {self.run}"

    def side(self, decision: Decision) -> Side:
        """The evaluation as the store's statements need it."""
        by_threshold = decision is Decision.THRESHOLD and self.question == "Q7"
        return Side(self.evaluation, self.question, self.threshold if by_threshold else None)


def case_subject(reader: Reader, evaluation: int) -> CaseSubject:
    """One evaluation; JobError where there is none."""
    return _subject(reader, reader.evaluation(evaluation))


def beside(
    reader: Reader, first: CaseSubject, evaluations: Sequence[int], *, counted: bool = True
) -> tuple[CaseSubject, ...]:
    """The evaluations to lay beside another one, with how much they have in common with it.

    Args:
        reader: where to look.
        first: the one that they are laid beside.
        evaluations: the others.
        counted: count the images that each has in common with the first: 15,000 of them take a while.

    Raises:
        UsageError: one of them is of another question or dataset: its answers say nothing about the same images.
    """
    found = []
    for evaluation in dict.fromkeys(evaluations):
        row = reader.evaluation(evaluation)
        if (row.dataset, row.question) != (first.dataset, first.question):
            raise UsageError(
                f"Evaluation {evaluation} cannot stand beside evaluation {first.evaluation}",
                f"It is {row.question} of {row.dataset}; the other is {first.question} of {first.dataset}.",
                "Choose evaluations of the same question and dataset.",
            )
        if evaluation != first.evaluation:
            sides = (Side(first.evaluation, first.question, None), Side(evaluation, row.question, None))
            found.append(_subject(reader, row, reader.case_common(*sides) if counted else None))
    return tuple(found)


def find_case_evaluation(
    source: Source,
    subject: int | str,
    *,
    question: str | None = None,
    split: Split | None = None,
    like: int | None = None,
) -> int:
    """The newest evaluation of a run or reference that has ended well, on images as they are.

    Args:
        source: where to look.
        subject: number or name of a run, or majority, majority_by_view, shuffled or base.
        question: only of this question; None: whatever was measured last.
        split: only on this split; None: as above.
        like: an evaluation to lay it beside: same dataset, question and split, and the same cases if possible.

    Raises:
        JobError: there is no such run, or it has no such evaluation.
    """
    with reading(source) as reader:
        model = None if like is None else reader.evaluation(like)
        rows = [row for row in _candidates(reader, subject) if _fits(row, question, split, model)]
        if not rows:
            what = question if model is None else model.question
            on = split if model is None else model.split
            raise JobError(
                f"{subject} has no finished evaluation{f' of {what}' if what else ''}{f' on {on}' if on else ''}",
                "Cases are what an evaluation leaves behind." if model is None else "It must be of the same dataset.",
                f"`sonotune evaluate {subject}` measures a run; `sonotune show {subject}` lists what was measured.",
            )
        same = [row for row in rows if model is not None and row.cases_fingerprint == model.cases_fingerprint]
        return max((same or rows), key=lambda row: row.id).id


def case_evaluations(source: Source, evaluation: int) -> tuple[CaseSubject, ...]:
    """Evaluations of the same dataset, question and split, to be laid beside this one: the newest of each subject.

    Those on the same cases come first, references before runs, newer before older.
    """
    with reading(source) as reader:
        first = reader.evaluation(evaluation)
        newest: dict[tuple[object, ...], EvaluationRow] = {}
        for row in reader.evaluations(states=(State.SUCCEEDED,)):
            if row.id != evaluation and _fits(row, first.question, first.split, first, degraded=True):
                model = row.model if row.run_id is None else ""  # an untuned model is a subject of its own
                newest[(row.run_id, row.reference, row.degradation, model, row.cases_fingerprint)] = row
        ordered = sorted(
            newest.values(),
            key=lambda row: (row.cases_fingerprint != first.cases_fingerprint, row.reference is None, -row.id),
        )
        return tuple(_subject(reader, row, light=True) for row in ordered)


def _candidates(reader: Reader, subject: int | str) -> list[EvaluationRow]:
    if isinstance(subject, str) and subject in tuple(Reference):
        rows = reader.evaluations(states=(State.SUCCEEDED,), reference=True)
        return [row for row in rows if row.reference == subject]
    return reader.evaluations(reader.run(subject).id, (State.SUCCEEDED,))


def _fits(
    row: EvaluationRow,
    question: str | None,
    split: Split | None,
    like: EvaluationRow | None,
    *,
    degraded: bool = False,
) -> bool:
    if row.degradation is not None and not degraded:
        return False
    if like is not None and (row.dataset, row.question, row.split) != (like.dataset, like.question, like.split):
        return False
    return question in (None, row.question) and split in (None, row.split)


def _subject(
    reader: Reader, row: EvaluationRow, common: tuple[int, int] | None = None, *, light: bool = False
) -> CaseSubject:
    run = None if row.run_id is None else reader.run(row.run_id)
    name = REFERENCE_NAMES[row.reference] if row.reference is not None else row.name if run is None else run.name
    if row.reference is Reference.BASE:
        name = f"{name} {row.model}"
    if row.degradation is not None:
        name = f"{name} ({row.images})"
    return CaseSubject(
        evaluation=row.id,
        name=name,
        run=row.run_id,
        reference=row.reference,
        imported=run is not None and run.kind == IMPORTED,
        dataset=row.dataset,
        question=row.question,
        split=row.split,
        state=row.state,
        threshold=USUAL_THRESHOLD if row.threshold is None else row.threshold,
        threshold_source=(row.threshold_source or "") if row.threshold is not None else "",
        cases_fingerprint=row.cases_fingerprint,
        protocol_fingerprint=row.clean_protocol_fingerprint or row.protocol_fingerprint,
        marks=() if light else tuple(reader.marks((row.id,))),
        measured=(row.n or 0) if light else reader.prediction_count(row.id),
        common=None if common is None else common[0],
        other_targets=0 if common is None else common[1],
    )
