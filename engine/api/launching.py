"""From a recipe to a queued run: what would happen, and making it happen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.api.evaluating import queue_evaluations, queue_references, with_control
from engine.api.ledger import require_purpose
from engine.api.measuring import Measurement
from engine.api.preflighting import preflight
from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError, SonotuneError
from engine.jobs.devices import Device, devices
from engine.jobs.worker import ensure_worker
from engine.preflight.planner import device_share
from engine.recipe import Recipe, recipe_json
from engine.store.writer import Writer
from engine.training.backends import choose_backend, installed
from engine.training.distributed.places import place_words, rank_devices
from engine.training.model_files import resolve_model, weight_bytes
from engine.training.schedule import planned_steps
from engine.types import Split
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.preflight.models import Preflight


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
    """Questions times images, after `data.limit` and with what `data.balance` adds."""
    training_views: dict[str, int]
    """How many of them each view has, most first; names of views are untrusted text."""
    steps: int
    """Optimizer steps."""
    split_images: dict[str, int]
    """Images of each split."""
    dataset_fingerprint: str
    split_fingerprint: str
    evaluations: list[str]
    """Measurements that will be queued, in words."""
    balance: str = ""
    """What `data.balance` adds to the training, in words; empty where the recipe asks for none."""
    preflight: Preflight | None = None
    """What it will need on this machine's card, and how it is computed; None where that cannot be estimated."""
    preflight_problem: str = ""
    """Why there is no preflight; untrusted text."""


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
    places = _places(recipe)
    device = places[0]
    gpu = device.id.startswith("cuda")
    choice = choose_backend(
        recipe,
        gpu,
        installed("unsloth"),
        bitsandbytes_installed=installed("bitsandbytes"),
        gpu_memory_bytes=device.memory_bytes if gpu else None,
        weight_bytes=weight_bytes(source),
    )
    views, balance = _training_views(dataset, recipe)
    samples = sum(views.values())
    found, problem = _preflight(workspace, recipe)
    return LaunchPlan(
        recipe=recipe,
        model_source=source,
        device=place_words(places),
        backend=choice.backend,
        quantization=choice.quantization,
        reason=choice.reason,
        training_samples=samples,
        training_views=views,
        steps=planned_steps(recipe, samples),
        split_images={split.value: sum(row.total for row in dataset.counts() if row.split == split) for split in Split},
        dataset_fingerprint=dataset.record.fingerprint,
        split_fingerprint=dataset.record.split_fingerprint,
        evaluations=[
            f"{question} on {split}" for question in recipe.data.questions for split in recipe.evaluation.splits
        ],
        balance=balance,
        preflight=found,
        preflight_problem=problem,
    )


def _places(recipe: Recipe) -> list[Device]:
    """The devices that share the steps of the run, one for each of its processes.

    Raises:
        JobError, ModelError: there are too few, or a step does not part into as many shares.
    """
    training = recipe.training
    device_share(training.batch, training.accumulation, training.devices, written=training.micro_batch == "written")
    return rank_devices(training.devices, devices())


def _preflight(workspace: Workspace, recipe: Recipe) -> tuple[Preflight | None, str]:
    """The preflight, or why there is none: an estimate that cannot be made must not stop a launch."""
    try:
        return preflight(workspace, recipe), ""
    except SonotuneError as error:
        return None, " ".join(filter(None, (error.title, error.reason)))


def _training_views(dataset: Dataset, recipe: Recipe) -> tuple[dict[str, int], str]:
    """Samples to train on by view, the view with most first, and what balance has added in words.

    Raises:
        DataError: there are none, or none to balance with.
    """
    from engine.training.balance import training_samples
    from engine.training.balance_record import balance_words
    from engine.training.selection import answer_of

    balanced = training_samples(dataset.cases(Split.TRAIN), recipe)
    wordings = (recipe.data.prompt, *recipe.data.more_prompts)
    views = Counter(
        sample.case.view
        for sample in balanced.samples
        for question in recipe.data.questions
        if answer_of(sample.case, question) is not None
        for _ in wordings
    )
    if not views:
        raise DataError(
            f"The dataset {dataset.record.name} has nothing to train {', '.join(recipe.data.questions)} on",
            "No image of its training split has an answer to these questions.",
            f"`sonotune data show {dataset.record.name}` counts what there is.",
        )
    return dict(views.most_common()), balance_words(balanced.counts) if balanced.counts else ""


def launch(
    workspace: Workspace,
    recipe: Recipe,
    *,
    priority: int = 0,
    parent_run_id: int | None = None,
    references: bool = True,
    start_worker: bool = True,
    test_purpose: str = "",
) -> Launched:
    """Queue a run with its evaluations, and start the worker where none runs.

    Args:
        workspace: where to record it.
        recipe: the run.
        priority: higher is dispatched first.
        parent_run_id: the run that this one was cloned from.
        references: also queue the majority and untuned rows that its figures will stand beside, where missing.
        test_purpose: why the test split is looked at, where the recipe asks for it; it goes into the ledger.
        start_worker: False leaves the dispatching to whoever calls `sonotune worker`.

    Returns:
        The run with its measurements, and the reference rows that were still missing.

    Raises:
        UnconfirmedTestError: the recipe asks for the test split, and nobody has said why.
    """
    plan = plan_launch(workspace, recipe)
    measurements = [
        Measurement.of_recipe(recipe, question, Split(split), plan.quantization)
        for question in recipe.data.questions
        for split in recipe.evaluation.splits
    ]
    require_purpose(workspace, measurements, test_purpose)
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
    rows = queue_references(workspace, recipe.model.id, measurements, start_worker=False) if references else []
    wanted = [each for measurement in measurements for each in with_control(measurement)]
    evaluations = queue_evaluations(workspace, run_id, wanted, start_worker=False, test_purpose=test_purpose)
    if start_worker:
        ensure_worker(workspace)
    return Launched(run_id, evaluations, rows)
