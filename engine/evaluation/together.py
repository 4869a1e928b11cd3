"""Which waiting evaluations of a subject can be measured from one pass over the same pictures. Light."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from engine.errors import SonotuneError
from engine.evaluation.settings import read_settings
from engine.jobs.queue import order, pause_of
from engine.recipe import recipe_from_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, JobRow
from engine.types import JobKind, Reference, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Showing:
    """What must be equal for two evaluations of one subject to share their passes."""

    run_id: int | None
    model: str
    dataset: str
    split: Split
    degradation: str
    image_size: int
    case_limit: int
    batch: int
    quantization: str


def showing_of(reader: Reader, row: EvaluationRow) -> Showing:
    """What an evaluation shows to whom, and how; its question and wording are left open.

    Raises:
        SonotuneError: the row does not say how to measure, or its run is gone.
    """
    run = None if row.run_id is None else reader.run(row.run_id)
    recipe = None if run is None else recipe_from_json(run.recipe)
    settings = read_settings(row, recipe, None if run is None else run.quantization)
    return Showing(
        run_id=row.run_id,
        model=row.model,
        dataset=row.dataset,
        split=row.split,
        degradation=settings.degradation,
        image_size=settings.image_size,
        case_limit=settings.case_limit,
        batch=settings.batch,
        quantization=settings.quantization,
    )


def needs_model(row: EvaluationRow) -> bool:
    """Whether a model answers; the other reference rows are worked out from the annotations."""
    return row.reference is None or row.reference is Reference.BASE


def next_of_subject(workspace: Workspace, evaluation_id: int) -> JobRow | None:
    """The next waiting evaluation of the subject of `evaluation_id`; None when there is none to take, or a pause."""
    with Reader(workspace) as reader:
        if pause_of(reader) is not None:
            return None
        subject = reader.job(JobKind.EVALUATION, evaluation_id).subject
        entries = order(reader.jobs())
    waiting = [entry.job for entry in entries if entry.job.subject == subject and not entry.blocked]
    # Validation first, whatever was queued first: the others take its threshold.
    return min(waiting, key=lambda job: job.split is not Split.VALIDATION, default=None)


def companions(workspace: Workspace, evaluation_id: int) -> list[int]:
    """Waiting evaluations that can be measured together with one that this process has taken, in queue order.

    None during a pause, and none for a reference row that needs no model.
    """
    with Reader(workspace) as reader:
        row = reader.evaluation(evaluation_id)
        if pause_of(reader) is not None or not needs_model(row):
            return []
        wanted, subject = showing_of(reader, row), reader.job(JobKind.EVALUATION, evaluation_id).subject
        # Of the queued ones alone: what this process does already must not count as a reason to wait for it.
        entries = order(reader.jobs((State.QUEUED,)))
        waiting = [entry.job.id for entry in entries if entry.job.subject == subject and not entry.blocked]
        return [each for each in waiting if each != evaluation_id and _shows(reader, each, wanted)]


def _shows(reader: Reader, evaluation_id: int, wanted: Showing) -> bool:
    try:
        return showing_of(reader, reader.evaluation(evaluation_id)) == wanted
    except SonotuneError as error:
        # It fails in a round of its own, where its row can say why.
        sys.stderr.write(f"evaluation {evaluation_id} is measured alone: {error}\n")
        return False
