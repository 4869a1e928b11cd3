"""One process measures one subject: it loads the model once and takes every evaluation of it that waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING

from engine.data.fingerprint import cases_fingerprint
from engine.data.labels import target_text
from engine.data.manifest import Dataset, open_dataset
from engine.data.sample import stratified_sample
from engine.errors import DataError, ModelError, SonotuneError
from engine.evaluation.protocol import SAMPLE_SEED, Protocol, build_protocol
from engine.evaluation.scores import choose, score
from engine.evaluation.settings import Settings, read_settings
from engine.jobs.queue import order, pause_of
from engine.jobs.session import JobSession
from engine.questions.vocabulary import NORMALITY
from engine.recipe import recipe_from_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, JobRow, RunRow
from engine.training.model_files import resolve_model
from engine.training.start import same_dataset
from engine.types import Case, JobKind, Prediction, Reference, Split, State
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.evaluation.subject import Subject

UNREADABLE = ("unparseable", "")
"""How an output that could not be read stands in `parsed`."""


@dataclass(slots=True)
class Plan:
    """What one evaluation does, worked out from its row."""

    row: EvaluationRow
    run: RunRow | None
    settings: Settings
    dataset: Dataset
    protocol: Protocol
    cases: list[Case]
    training_targets: list[str]


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
    session.update(
        # Beside the protocol itself, what a second attempt would need again.
        protocol=json.dumps({**asdict(plan.settings), **json.loads(plan.protocol.as_json())}, sort_keys=True),
        protocol_fingerprint=plan.protocol.fingerprint(),
        cases_fingerprint=cases_fingerprint(plan.cases, plan.row.question),
        dataset_fingerprint=plan.dataset.record.fingerprint,
        split_fingerprint=plan.dataset.record.split_fingerprint,
        prompt=plan.protocol.prompt,
        max_new_tokens=plan.protocol.max_new_tokens,
        case_limit=plan.settings.case_limit,
        n=len(plan.cases),
    )
    if plan.row.reference is Reference.MAJORITY:
        from engine.evaluation.majority import majority_predictions

        predictions = majority_predictions(plan.cases, plan.row.question, plan.training_targets)
        session.writer.add_predictions(session.job_id, predictions)
        _finish(workspace, session, plan, predictions)
        return
    measured = _measure(workspace, session, plan, loaded)
    if measured is not None:
        _finish(workspace, session, plan, measured)


def make_plan(workspace: Workspace, evaluation_id: int) -> Plan:
    """Settings, protocol and cases of one evaluation.

    Raises:
        DataError: the dataset is gone, or the split has no case with an answer.
        JobError: the row does not say how to measure.
    """
    with Reader(workspace) as reader:
        row = reader.evaluation(evaluation_id)
        run = None if row.run_id is None else reader.run(row.run_id)
    recipe = None if run is None else recipe_from_json(run.recipe)
    settings = read_settings(row, recipe, None if run is None else run.quantization)
    dataset = open_dataset(workspace, row.dataset)
    if run is not None and run.dataset == row.dataset:
        same_dataset(dataset, run)  # another split could hold images that the run was trained on
    training = [target_text(case.answers, row.question) or "" for case in dataset.cases(Split.TRAIN, row.question)]
    cases = stratified_sample(dataset.cases(row.split, row.question), settings.case_limit, SAMPLE_SEED)
    if not cases:
        raise DataError(
            f"There is nothing to measure in the {row.split} split of {row.dataset}",
            f"No image there has an answer to {row.question}.",
            "Choose another split or question, or import more data.",
        )
    protocol = build_protocol(row.question, settings.prompt, settings.image_size, settings.max_new_tokens, training)
    return Plan(row, run, settings, dataset, protocol, sorted(cases, key=lambda case: case.path), training)


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
    session.update(
        seconds=seconds,
        seconds_per_image=seconds / len(predictions),
        tokens_per_second=sum(prediction.generated_tokens for prediction in predictions) / max(generating, 1e-9),
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


def require_probabilities(predictions: Sequence[Prediction]) -> None:
    """Refuse to score an evaluation of Q7 in which probabilities are missing.

    Leaving those cases out would compare models on different cases, and make a broken one look good.

    Raises:
        ModelError: a probability is missing, NaN or infinite.
    """
    missing = sum(prediction.p_abnormal is None or not isfinite(prediction.p_abnormal) for prediction in predictions)
    if missing:
        raise ModelError(
            f"The model gave no probability for {missing} of {len(predictions)} cases",
            "Its likelihoods are NaN or infinite: weights or adapter are damaged, or the numbers overflowed.",
            "Look at the run's loss; train it again with a smaller learning rate. The outputs are kept as predictions.",
        )


def _finish(workspace: Workspace, session: JobSession, plan: Plan, predictions: list[Prediction]) -> None:
    if plan.row.question == NORMALITY:
        require_probabilities(predictions)
    with Reader(workspace) as reader:
        threshold, source = choose(reader.evaluation(plan.row.id), predictions, reader.evaluations())
    session.writer.add_scores(session.job_id, score(plan.row.question, predictions, threshold))
    session.update(
        threshold=threshold,
        threshold_source=source,
        unparseable=sum(prediction.parsed in UNREADABLE for prediction in predictions),
        cut_off=sum(prediction.cut_off for prediction in predictions),
    )
    session.finish(State.SUCCEEDED, f"{len(predictions)} cases measured")
