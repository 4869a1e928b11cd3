"""Queueing evaluations: of a run, and of the reference rows that its figures stand beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from engine.api.reading import open_reader
from engine.data.manifest import open_dataset
from engine.errors import JobError
from engine.evaluation.protocol import VERSIONS
from engine.jobs.worker import ensure_worker
from engine.recipe import Recipe, recipe_from_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.store.writer import Writer
from engine.types import ACTIVE, ENDED, Reference, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured, and how: the part of an evaluation that does not depend on whom it measures."""

    dataset: str
    question: str
    split: Split
    prompt: str
    image_size: int
    max_new_tokens: int
    case_limit: int
    batch: int
    quantization: str

    @classmethod
    def of_recipe(cls, recipe: Recipe, question: str, split: Split, quantization: str) -> Measurement:
        """The measurement that a recipe's evaluation section asks for."""
        return cls(
            dataset=recipe.data.dataset,
            question=question,
            split=split,
            prompt=recipe.data.prompt,
            image_size=recipe.data.image_size,
            max_new_tokens=recipe.evaluation.max_new_tokens,
            case_limit=recipe.evaluation.limit,
            batch=recipe.evaluation.batch,
            quantization=quantization,
        )


def evaluate_run(
    workspace: Workspace, run: int | str, splits: Sequence[Split], questions: Sequence[str] = ()
) -> tuple[int, list[int]]:
    """Queue measurements of a run on more splits or questions than its recipe asked for.

    The test split brings validation, where the threshold comes from, and each brings its missing reference rows.

    What is measured already, or on its way, is not queued again.

    Returns:
        The id of the run, and the ids of all evaluations queued.

    Raises:
        JobError: the run has ended without an adapter, so there will be nothing to measure.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
    _require_adapter(workspace, row)
    recipe = recipe_from_json(row.recipe)
    quantization = row.quantization or ("none" if recipe.model.quantization == "auto" else recipe.model.quantization)
    wanted = []
    for question in questions or recipe.data.questions:
        for split in dict.fromkeys([Split.VALIDATION, *splits]):
            measurement = Measurement.of_recipe(recipe, question, split, quantization)
            if (split in splits or Split.TEST in splits) and not _measured(workspace, measurement, run_id=row.id):
                wanted.append(measurement)
    rows = queue_references(workspace, row.model, wanted, start_worker=False)
    return row.id, [*queue_evaluations(workspace, row.id, wanted, after_run=row.state not in ENDED), *rows]


def _require_adapter(workspace: Workspace, run: RunRow) -> None:
    """A run that was stopped has an adapter and can be measured; one that failed or was cancelled has none."""
    if run.state not in ENDED or (workspace.root / run.directory / "adapter").is_dir():
        return
    again = f"`sonotune resume {run.id}` goes on with it." if run.state != State.CANCELLED else "Launch it anew."
    raise JobError(f"Run {run.id} has no adapter to measure", f"It is {run.state}: {run.reason}.", again)


def queue_evaluations(
    workspace: Workspace,
    run_id: int,
    measurements: Sequence[Measurement],
    *,
    after_run: bool = True,
    start_worker: bool = True,
) -> list[int]:
    """Queue measurements of one run; returns the evaluation ids."""
    with Reader(workspace) as reader:
        run = reader.run(run_id)
    ids = [
        _create(workspace, measurement, run.model, run_id=run_id, after_run=after_run) for measurement in measurements
    ]
    if start_worker:
        ensure_worker(workspace)
    return ids


def queue_references(
    workspace: Workspace, model: str, measurements: Sequence[Measurement], *, start_worker: bool = True
) -> list[int]:
    """Queue the majority and the untuned rows of these measurements, where they are missing; returns new ids."""
    ids = []
    for wanted in measurements:
        for split in dict.fromkeys([Split.VALIDATION, wanted.split]):  # the threshold comes from validation
            measurement = replace(wanted, split=split)
            for reference in Reference:
                subject = "" if reference == Reference.MAJORITY else model
                if not _measured(workspace, measurement, reference=reference, model=subject):
                    ids.append(_create(workspace, measurement, subject, reference=reference))
    if start_worker and ids:
        ensure_worker(workspace)
    return ids


def _create(
    workspace: Workspace,
    measurement: Measurement,
    model: str,
    *,
    run_id: int | None = None,
    reference: Reference | None = None,
    after_run: bool = False,
) -> int:
    record = open_dataset(workspace, measurement.dataset).record
    with Writer.open(workspace) as writer:
        return writer.create_evaluation(
            run_id,
            reference,
            model,
            measurement.dataset,
            measurement.split,
            measurement.question,
            json.dumps(asdict(measurement), sort_keys=True),
            "",  # both fingerprints are computed by the process that measures
            "",
            after_run,
            prompt=measurement.prompt,
            max_new_tokens=measurement.max_new_tokens,
            case_limit=measurement.case_limit,
            dataset_fingerprint=record.fingerprint,
            split_fingerprint=record.split_fingerprint,
        )


def _measured(
    workspace: Workspace,
    wanted: Measurement,
    *,
    run_id: int | None = None,
    reference: Reference | None = None,
    model: str | None = None,
) -> bool:
    """Whether this measurement is there already, or on its way."""
    record = open_dataset(workspace, wanted.dataset).record
    with Reader(workspace) as reader:
        rows = reader.evaluations(run_id, (State.QUEUED, *ACTIVE, State.SUCCEEDED), reference=reference is not None)
    return any(
        row.reference == reference
        and (model is None or row.model == model)
        and row.dataset_fingerprint == record.fingerprint
        and row.split_fingerprint == record.split_fingerprint
        and _same(row, wanted)
        for row in rows
    )


def _same(row: EvaluationRow, wanted: Measurement) -> bool:
    protocol = json.loads(row.protocol or "{}")
    if protocol.get("versions", dict(VERSIONS)) != dict(VERSIONS):
        return False  # measured by another parser or scorer: cannot stand beside new figures
    if row.reference == Reference.BASE and protocol.get("quantization", "none") != wanted.quantization:
        return False  # a base in 4 bits is another subject
    return (
        row.question,
        row.split,
        row.prompt,
        row.max_new_tokens,
        row.case_limit or 0,
        protocol.get("image_size"),
    ) == (
        wanted.question,
        wanted.split,
        wanted.prompt,
        wanted.max_new_tokens,
        wanted.case_limit,
        wanted.image_size,
    )
