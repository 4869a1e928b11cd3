"""From a recipe to a queued run: what would happen, and making it happen."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.evaluating import queue_evaluations, queue_references
from engine.api.measuring import Measurement
from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError
from engine.jobs.devices import devices
from engine.jobs.worker import ensure_worker
from engine.recipe import Recipe, recipe_json
from engine.store.writer import Writer
from engine.training.backends import choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.training.schedule import planned_steps
from engine.types import Split
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What a launch of a recipe on this machine would do."""

    recipe: Recipe
    model_source: str
    """Folder or hub id of the base model."""
    device: str
    backend: str
    quantization: str
    reason: str
    """Why this backend and this quantization."""
    training_samples: int
    """Questions times images after `data.limit`."""
    steps: int
    """Optimizer steps."""
    split_images: dict[str, int]
    """Images of each split."""
    dataset_fingerprint: str
    split_fingerprint: str
    evaluations: list[str]
    """Measurements that will be queued, in words."""


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch has queued."""

    run_id: int
    evaluations: list[int]
    references: list[int]
    """Evaluations of reference rows."""


def plan_launch(workspace: Workspace, recipe: Recipe) -> LaunchPlan:
    """Check a recipe against this machine and this workspace without queueing anything.

    Raises:
        SonotuneError: dataset or model is missing, or the machine cannot do what the recipe demands.
    """
    dataset = open_dataset(workspace, recipe.data.dataset)
    source = resolve_model(recipe.model.id, workspace.root)
    device = devices()[0]
    gpu = device.id.startswith("cuda")
    choice = choose_backend(
        recipe,
        gpu,
        installed("unsloth"),
        bitsandbytes_installed=installed("bitsandbytes"),
        gpu_memory_bytes=device.memory_bytes if gpu else None,
        weight_bytes=weight_bytes(source),
    )
    samples = _training_samples(dataset, recipe)
    return LaunchPlan(
        recipe=recipe,
        model_source=source,
        device=f"{device.id} ({device.name})",
        backend=choice.backend,
        quantization=choice.quantization,
        reason=choice.reason,
        training_samples=samples,
        steps=planned_steps(recipe, samples),
        split_images={split.value: len(dataset.cases(split)) for split in Split},
        dataset_fingerprint=dataset.record.fingerprint,
        split_fingerprint=dataset.record.split_fingerprint,
        evaluations=[
            f"{question} on {split}" for question in recipe.data.questions for split in recipe.evaluation.splits
        ],
    )


def _training_samples(dataset: Dataset, recipe: Recipe) -> int:
    from engine.training.selection import training_cases

    samples = sum(
        len(training_cases(dataset.cases(Split.TRAIN), recipe, question)) for question in recipe.data.questions
    )
    if not samples:
        raise DataError(
            f"The dataset {dataset.record.name} has nothing to train {', '.join(recipe.data.questions)} on",
            "No image of its training split has an answer to these questions.",
            f"`sonotune data show {dataset.record.name}` counts what there is.",
        )
    return samples


def launch(
    workspace: Workspace,
    recipe: Recipe,
    *,
    priority: int = 0,
    parent_run_id: int | None = None,
    references: bool = True,
    start_worker: bool = True,
) -> Launched:
    """Queue a run with its evaluations, and start the worker where none runs.

    Args:
        workspace: where to record it.
        recipe: the run.
        priority: higher is dispatched first.
        parent_run_id: the run that this one was cloned from.
        references: also queue the majority and untuned rows that its figures will stand beside, where missing.
        start_worker: False leaves the dispatching to whoever calls `sonotune worker`.

    Returns:
        The run with its measurements, and the reference rows that were still missing.
    """
    plan = plan_launch(workspace, recipe)
    with Writer.open(workspace) as writer:
        run_id = writer.create_run(
            recipe.name,
            recipe_json(recipe),
            recipe.data.dataset,
            plan.dataset_fingerprint,
            plan.split_fingerprint,
            recipe.model.id,
            recipe.training.seed,
            priority=priority,
            parent_run_id=parent_run_id,
            planned_steps=plan.steps,
        )
    measurements = [
        Measurement.of_recipe(recipe, question, Split(split), plan.quantization)
        for question in recipe.data.questions
        for split in recipe.evaluation.splits
    ]
    rows = queue_references(workspace, recipe.model.id, measurements, start_worker=False) if references else []
    evaluations = queue_evaluations(workspace, run_id, measurements, start_worker=False)
    if start_worker:
        ensure_worker(workspace)
    return Launched(run_id, evaluations, rows)
