"""Queueing evaluations: of a run, and of the reference rows that its figures stand beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from engine.api.measuring import Measurement, measured
from engine.api.reading import open_reader
from engine.data.manifest import open_dataset
from engine.errors import JobError
from engine.jobs.worker import ensure_worker
from engine.questions.prompts import prompt_variants
from engine.recipe import Recipe, recipe_from_json
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.types import ENDED, Reference, Split, State
from engine.workspace import Workspace


def evaluate_run(
    workspace: Workspace, run: int | str, splits: Sequence[Split], questions: Sequence[str] = ()
) -> tuple[int, list[int]]:
    """Queue measurements of a run on more splits or questions than its recipe asked for.

    The test split brings validation, where the threshold comes from, and each brings its missing reference rows.

    What is measured already, or on its way, is not queued again.

    Returns:
        The id of the run, and the ids of all evaluations queued.

    Raises:
        JobError: the run has ended without an adapter, so there will be nothing to measure; or a question does not
            have the wording that the recipe uses.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
    obstacle = missing_adapter(workspace, row)
    if obstacle is not None:
        raise obstacle
    recipe = recipe_from_json(row.recipe)
    wanted = []
    for question in questions or recipe.data.questions:
        _require_wording(row, recipe, question)
        for split in dict.fromkeys([Split.VALIDATION, *splits]):
            measurement = measurement_of_run(row, recipe, question, split)
            asked = split in splits or Split.TEST in splits
            if asked and measured(workspace, measurement, run_id=row.id) is None:
                wanted.append(measurement)
    rows = queue_references(workspace, row.model, wanted, start_worker=False)
    return row.id, [*queue_evaluations(workspace, row.id, wanted, after_run=row.state not in ENDED), *rows]


def measurement_of_run(run: RunRow, recipe: Recipe, question: str, split: Split) -> Measurement:
    """The measurement of a run, with the quantization that it was trained with, as far as that is known already."""
    quantization = run.quantization or ("none" if recipe.model.quantization == "auto" else recipe.model.quantization)
    return Measurement.of_recipe(recipe, question, split, quantization)


def missing_adapter(workspace: Workspace, run: RunRow) -> JobError | None:
    """Why a run can't be measured: it failed or was cancelled. One that was stopped has an adapter."""
    if run.state not in ENDED or (workspace.root / run.directory / "adapter").is_dir():
        return None
    again = f"`sonotune resume {run.id}` goes on with it." if run.state != State.CANCELLED else "Launch it anew."
    return JobError(f"Run {run.id} has no adapter to measure", f"It is {run.state}: {run.reason}.", again)


def _require_wording(run: RunRow, recipe: Recipe, question: str) -> None:
    if recipe.data.prompt not in prompt_variants(question):
        raise JobError(
            f"{question} has no wording named {recipe.data.prompt}",
            f"Run {run.id} is measured with the wording of its recipe.",
            f"Wordings of {question}: {', '.join(prompt_variants(question))}.",
        )


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
                if measured(workspace, measurement, reference=reference, model=subject) is None:
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
