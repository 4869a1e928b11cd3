"""Queueing evaluations: of a run, and of the reference rows that its figures stand beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from engine.api.ledger import require_purpose
from engine.api.measuring import Measurement, measured
from engine.api.reading import open_reader
from engine.data.manifest import open_dataset
from engine.errors import JobError
from engine.jobs.worker import ensure_worker
from engine.questions.normalise.layers import Layers, layer_names
from engine.questions.prompts import OWN, has_wording, prompt_variants
from engine.recipe import Recipe, recipe_from_json
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.types import BLANK, ENDED, IMPORTED, Reference, Split, State
from engine.workspace import Workspace


def evaluate_run(
    workspace: Workspace,
    run: int | str,
    splits: Sequence[Split],
    questions: Sequence[str] = (),
    *,
    test_purpose: str = "",
    normalisation: Layers | None = None,
) -> tuple[int, list[int]]:
    """Queue measurements of a run on more splits or questions than its recipe asked for.

    The test split brings validation, where the threshold comes from, and each brings its missing reference rows and
    its blank-image control.

    What is measured already, or on its way, is not queued again.

    Args:
        workspace: with the run.
        run: number or name.
        splits: validation, test or both.
        questions: those of the recipe where none are given.
        test_purpose: why the test split is looked at; it goes into the ledger.
        normalisation: layers that answers go through; those of the recipe where none are given.

    Returns:
        The id of the run, and the ids of all evaluations queued.

    Raises:
        UnconfirmedTestError: the test split would be looked at, and nobody has said why.
        JobError: the run has ended without an adapter, so there will be nothing to measure; or a question does not
            have the wording that the recipe uses.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
    obstacle = None if row.kind == IMPORTED else missing_adapter(workspace, row)
    if obstacle is not None:
        raise obstacle
    recipe = recipe_of(row)
    wanted = []
    for question in questions or recipe.data.questions:
        for split in dict.fromkeys([Split.VALIDATION, *splits]):
            if split in splits or Split.TEST in splits:
                wanted += with_control(measurement_of_run(row, recipe, question, split))
    if normalisation is not None:
        wanted = [replace(each, normalisation=layer_names(normalisation)) for each in wanted]
    clean = [each for each in wanted if not each.degradation]
    wanted = [each for each in wanted if measured(workspace, each, run_id=row.id) is None]
    require_purpose(workspace, wanted, test_purpose)
    # Also beside what is measured already: a reference that failed, or was not wanted then, is made up for.
    rows = queue_references(workspace, row.model, clean, start_worker=False)
    queued = queue_evaluations(workspace, row.id, wanted, after_run=row.state not in ENDED, test_purpose=test_purpose)
    return row.id, [*queued, *rows]


def recipe_of(run: RunRow) -> Recipe:
    """The recipe of a run.

    Raises:
        JobError: the predictions of another tool have been imported under this name: nothing was trained here.
        RecipeError: this version of sonotune cannot read it.
    """
    if run.kind == IMPORTED:
        raise JobError(
            f"Run {run.id} was not trained here",
            "Its predictions were imported, so there is neither a recipe nor an adapter.",
            "Import more predictions with `sonotune predictions import`.",
        )
    return recipe_from_json(run.recipe, f"recipe of run {run.id}")


def measurement_of_run(run: RunRow, recipe: Recipe, question: str, split: Split) -> Measurement:
    """The measurement of a run, with the quantization that it was trained with, as far as that is known already.

    Raises:
        JobError: the wording of the recipe cannot ask this question.
    """
    _require_wording(run, recipe, question)
    quantization = run.quantization or ("none" if recipe.model.quantization == "auto" else recipe.model.quantization)
    return Measurement.of_recipe(recipe, question, split, quantization)


def missing_adapter(workspace: Workspace, run: RunRow) -> JobError | None:
    """Why a run can't be measured: it failed or was cancelled. One that was stopped has an adapter."""
    if run.state not in ENDED or (workspace.job_folder(run.directory) / "adapter").is_dir():
        return None
    again = f"`sonotune resume {run.id}` goes on with it." if run.state != State.CANCELLED else "Launch it anew."
    return JobError(f"Run {run.id} has no adapter to measure", f"It is {run.state}: {run.reason}.", again)


def _require_wording(run: RunRow, recipe: Recipe, question: str) -> None:
    if has_wording(question, recipe.data.prompt, recipe.data.questions):
        return
    if recipe.data.prompt == OWN:
        asked = ", ".join(recipe.data.questions)
        raise JobError(
            f"The wording of run {run.id} does not ask {question}",
            f"It is the user's own, written for {asked}.",
            f"Measure {asked}, or launch a run that asks {question} in a named wording.",
        )
    raise JobError(
        f"{question} has no wording named {recipe.data.prompt}",
        f"Run {run.id} is measured with the wording of its recipe.",
        f"Wordings of {question}: {', '.join(prompt_variants(question))}.",
    )


def with_control(measurement: Measurement) -> list[Measurement]:
    """A measurement and its blank-image control, which takes its threshold and so comes second."""
    return [measurement, replace(measurement, degradation=BLANK)]


def queue_evaluations(
    workspace: Workspace,
    run_id: int,
    measurements: Sequence[Measurement],
    *,
    after_run: bool = True,
    start_worker: bool = True,
    test_purpose: str = "",
) -> list[int]:
    """Queue measurements of one run; returns the evaluation ids.

    A look at the test split goes into the ledger with its purpose; that of a control shows nothing of the split.
    """
    with Reader(workspace) as reader:
        run = reader.run(run_id)
    ids = []
    for each in measurements:
        # Grey images tell nothing about the test images; degraded ones are a look at them like any other.
        look = test_purpose if each.split == Split.TEST and each.degradation != BLANK else None
        ids.append(_create(workspace, each, run.model, run_id=run_id, after_run=after_run, look=look))
    if start_worker:
        ensure_worker(workspace)
    return ids


def queue_references(
    workspace: Workspace,
    model: str,
    measurements: Sequence[Measurement],
    *,
    kinds: Sequence[Reference] = tuple(Reference),
    start_worker: bool = True,
    test_purpose: str | None = None,
) -> list[int]:
    """Queue the reference rows of these measurements, where they are missing; returns new ids.

    A reference that stands beside the figures of a run is no look at the test split. Where somebody asks about the
    untuned model itself, `test_purpose` says why, and goes into the ledger for each row of it on that split.
    """
    ids = []
    for wanted in measurements:
        threshold = replace(wanted, split=Split.VALIDATION, degradation="")  # chosen on the images as they are
        for measurement in dict.fromkeys([threshold, wanted]):
            for reference in kinds:
                base = reference == Reference.BASE
                subject = model if base else ""
                look = test_purpose if base and measurement.split == Split.TEST else None
                if measured(workspace, measurement, reference=reference, model=subject) is None:
                    ids.append(_create(workspace, measurement, subject, reference=reference, look=look))
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
    look: str | None = None,
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
            look=look,
            prompt=measurement.prompt,
            max_new_tokens=measurement.max_new_tokens,
            case_limit=measurement.case_limit,
            degradation=measurement.degradation or None,
            dataset_fingerprint=record.fingerprint,
            split_fingerprint=record.split_fingerprint,
        )
