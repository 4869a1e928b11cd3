"""One process measures one subject: it loads the model once and takes every evaluation of it that waits."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from engine.data.fingerprint import cases_fingerprint
from engine.errors import SonotuneError
from engine.evaluation.finishing import finish
from engine.evaluation.plan import Plan, make_plan
from engine.evaluation.references import reference_predictions
from engine.jobs.queue import order, pause_of
from engine.jobs.session import JobSession
from engine.questions.serving_errors import compile_patterns
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.training.model_files import resolve_model
from engine.types import BLANK, JobKind, Prediction, Reference, Split
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.evaluation.subject import Subject


@dataclass(slots=True)
class Loaded:
    """The subject that this process has loaded, and what it was loaded from."""

    key: object = None
    subject: Subject | None = None
    seconds: float = 0.0


def evaluate_from(workspace: Workspace, evaluation_id: int) -> None:
    """Carry out one evaluation, then all others of the same subject that wait, validation before test.

    Raises:
        SonotuneError: the first evaluation failed; its row says so too. Failures of the others stand in their rows.
    """
    loaded = Loaded()
    with JobSession(workspace, JobKind.EVALUATION, evaluation_id) as session:
        _evaluate(workspace, session, loaded)
        asked = session.check()
    while asked is None and (following := next_of_subject(workspace, evaluation_id)) is not None:
        try:
            with JobSession(workspace, JobKind.EVALUATION, following.id) as session:
                _evaluate(workspace, session, loaded)
                asked = session.check()
        except SonotuneError as error:
            # Another process was faster, or this one cannot be measured: its row says so, and the others go on.
            sys.stderr.write(f"evaluation {following.id}: {error}\n")


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


def _evaluate(workspace: Workspace, session: JobSession, loaded: Loaded) -> None:
    plan = make_plan(workspace, session.job_id)
    session.writer.begin_evaluation(
        session.job_id,
        # Beside the protocol itself, what a second attempt would need again.
        protocol=json.dumps({**asdict(plan.settings), **json.loads(plan.protocol.as_json())}, sort_keys=True),
        protocol_fingerprint=plan.protocol.fingerprint(),
        clean_protocol_fingerprint=plan.protocol.clean().fingerprint(),
        cases_fingerprint=cases_fingerprint(plan.cases, plan.row.question),
        dataset_fingerprint=plan.dataset.record.fingerprint,
        split_fingerprint=plan.dataset.record.split_fingerprint,
        prompt=plan.protocol.prompt,
        max_new_tokens=plan.protocol.max_new_tokens,
        case_limit=plan.settings.case_limit,
        n=len(plan.cases),
    )
    if plan.row.reference is not None and plan.row.reference is not Reference.BASE:
        errors = compile_patterns(plan.protocol.error_patterns)
        predictions = reference_predictions(
            plan.row.reference, plan.cases, plan.row.question, plan.training, errors, plan.protocol.layers
        )
        session.writer.add_predictions(session.job_id, predictions)
        finish(workspace, session, plan, predictions)
        return
    measured = _measure(workspace, session, plan, loaded)
    if measured is not None:
        finish(workspace, session, plan, measured)


def _measure(workspace: Workspace, session: JobSession, plan: Plan, loaded: Loaded) -> list[Prediction] | None:
    """Predictions of all cases, stored as they come; None when the user stopped or cancelled."""
    from engine.evaluation.measure import measure
    from engine.training.record import peaks

    subject = _subject(workspace, plan, loaded)
    session.update(backend="transformers", load_seconds=loaded.seconds)
    predictions: list[Prediction] = []
    generating = scoring = 0.0
    for batch in measure(subject, plan.cases, plan.protocol, plan.settings.batch):
        session.writer.add_predictions(session.job_id, batch.predictions)
        predictions += batch.predictions
        generating += batch.generation_seconds
        scoring += batch.scoring_seconds
        if session.check() is not None:
            return None
    seconds = generating + scoring
    tokens = sum(prediction.generated_tokens for prediction in predictions)
    # Grey images of one size share one answer, which stands in the row of each: nothing was measured per image.
    shared = plan.row.degradation == BLANK
    session.update(
        seconds=seconds,
        seconds_per_image=None if shared else seconds / len(predictions),
        tokens_per_second=None if shared else tokens / max(generating, 1e-9),
        **peaks(),
    )
    return predictions


def _subject(workspace: Workspace, plan: Plan, loaded: Loaded) -> Subject:
    from engine.evaluation.subject import load_subject

    key = (plan.row.run_id, plan.row.model, plan.settings.quantization)
    if loaded.subject is None or loaded.key != key:
        started = perf_counter()
        loaded.subject = load_subject(
            resolve_model(plan.row.model, workspace.root),
            plan.settings.quantization,
            None if plan.run is None else workspace.root / plan.run.directory / "adapter",
            None if plan.run is None else plan.run.adapter_sha256,
        )
        loaded.key, loaded.seconds = key, perf_counter() - started
    else:
        loaded.seconds = 0.0
    return loaded.subject
