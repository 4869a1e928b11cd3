"""From the row of a run to its training: environment, recipe, dataset, backend. Light until the backend is chosen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError
from engine.jobs.session import JobSession
from engine.recipe import Recipe, recipe_from_json, recipe_to_toml
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.training.backends import UNSLOTH, BackendChoice, choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.types import State
from engine.workspace import Workspace

if TYPE_CHECKING:
    import torch

ENVIRONMENT = {
    # On shared cores, threads that spin while they wait slow each other down several times.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    # Nothing about a run leaves the machine.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
}


def prepare_environment(workspace: Workspace) -> None:
    """Settings that libraries read when they are imported; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Unsloth writes the modules that it generates into the current directory otherwise.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(workspace.outputs / ".unsloth"))


def run_training(workspace: Workspace, session: JobSession) -> None:
    """Train the run that `session` has claimed, and say how it ended.

    Raises:
        SonotuneError: with a next step; the session stores it in the row.
    """
    with Reader(workspace) as reader:
        run = reader.run(session.job_id)
    recipe = recipe_from_json(run.recipe)
    directory = workspace.root / run.directory
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "recipe.toml").write_text(recipe_to_toml(recipe), encoding="utf-8")
    dataset = same_dataset(open_dataset(workspace, recipe.data.dataset), run)
    source = resolve_model(recipe.model.id, workspace.root)
    device, choice = choose_for_this_machine(recipe, source)
    session.event("backend", choice.reason)
    if choice.backend == UNSLOTH:
        # Before trl, transformers and peft, which it changes.
        import unsloth  # noqa: F401
    _train(session, run, recipe, dataset, source, device, choice, directory)


def choose_for_this_machine(recipe: Recipe, source: str) -> tuple[torch.device, BackendChoice]:
    """Device of this process and the backend that the recipe gets on it.

    Raises:
        ModelError: the recipe demands what this machine cannot do.
    """
    import torch

    gpu = torch.cuda.is_available()
    choice = choose_backend(
        recipe,
        gpu,
        installed("unsloth"),
        bitsandbytes_installed=installed("bitsandbytes"),
        gpu_memory_bytes=torch.cuda.get_device_properties(0).total_memory if gpu else None,
        weight_bytes=weight_bytes(source),
    )
    return torch.device("cuda", 0) if gpu else torch.device("cpu"), choice


def same_dataset(dataset: Dataset, run: RunRow) -> Dataset:
    """The dataset, if it is still the one of the run's launch.

    Raises:
        DataError: images, answers or the split have changed since.
    """
    record = dataset.record
    if (record.fingerprint, record.split_fingerprint) != (run.dataset_fingerprint, run.split_fingerprint):
        raise DataError(
            f"The dataset {record.name} has changed since the run was launched",
            "Its fingerprint is not the one of the launch, so the run would not be what its row says.",
            "Launch the recipe again on the dataset as it is now, or import the earlier one again.",
        )
    return dataset


def _train(
    session: JobSession,
    run: RunRow,
    recipe: Recipe,
    dataset: Dataset,
    source: str,
    device: torch.device,
    choice: BackendChoice,
    directory: Path,
) -> None:
    from engine.training.callbacks import Cancelled
    from engine.training.recipe_run import TrainingJob, train
    from engine.training.record import RunRecord

    job = TrainingJob(
        recipe=recipe,
        source=source,
        directory=directory,
        cases=dataset.cases,
        choice=choice,
        device=device,
        record=RunRecord(session.writer, run.id),
        requests=session,
        event=session.event,
    )
    try:
        result = train(job)
    except Cancelled:
        # The session has handed out the request, and writes the state when its block is left.
        return
    session.update(adapter_path=f"{run.directory}/adapter")
    if result.stopped:
        session.finish(State.INTERRUPTED, f"stopped on request after step {result.step}; adapter and checkpoint saved")
    else:
        session.finish(State.SUCCEEDED, f"trained {result.step} steps")
