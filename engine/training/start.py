"""From the row of a run to its training: environment, recipe, dataset, backend. Light until the backend is chosen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError, ModelError
from engine.files import write_whole
from engine.jobs.phases import Phase
from engine.jobs.session import JobSession
from engine.recipe import Recipe, recipe_from_json, recipe_to_toml
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.training.backends import UNSLOTH, BackendChoice, choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.types import Action, State
from engine.user_files import user_folder
from engine.workspace import Workspace

if TYPE_CHECKING:
    import torch

    from engine.jobs.recording import Recording
    from engine.preflight.models import Card
    from engine.preflight.shapes import KnownShape
    from engine.store.writer import Writer
    from engine.training.distributed.ranks import Ranks
    from engine.training.layout import Computation

ENVIRONMENT = {
    # On shared cores, threads that spin while they wait slow each other down several times.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    # Pieces of GPU memory that grow, in place of fixed ones that fragment: what is reserved is what is used.
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    # Nothing about a run leaves the machine.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
}


def prepare_environment() -> None:
    """Settings that libraries read when they are imported; what the user has set stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # Code that libraries generate, keep and run again. Never in the workspace, which may be somebody else's, and not in
    # /tmp under a name that anybody can take first, where torch keeps its own.
    kept = user_folder("XDG_CACHE_HOME", ".cache") / "sonotune"
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(kept / "unsloth"))
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept / "inductor"))


class Session(Protocol):
    """What a training needs of its job: a `JobSession`, or the `RankSession` of one rank of several."""

    job_id: int

    @property
    def recording(self) -> Recording | None:
        """Where figures go; None for a rank that writes none."""

    @property
    def writer(self) -> Writer | None:
        """A connection to runs.db; None for a rank that writes none."""

    def check(self) -> Action | None:
        """What the user asks for."""

    def event(self, event: str, detail: str) -> None:
        """Add a line to the history."""

    def update(self, **values: Any) -> None:
        """Set columns of the row."""

    def finish(self, state: State, reason: str) -> None:
        """Say how it ends."""


def run_training(workspace: Workspace, session: JobSession) -> None:
    """Train the run that `session` has claimed, and say how it ended.

    Raises:
        SonotuneError: with a next step; the session stores it in the row.
    """
    with Reader(workspace) as reader:
        count = recipe_from_json(reader.run(session.job_id).recipe).training.devices
    if count > 1:
        from engine.training.distributed.launching import run_on_ranks

        run_on_ranks(workspace, session, count)
        return
    from engine.training.distributed.ranks import ALONE

    train_run(workspace, session, ALONE)


def train_run(workspace: Workspace, session: Session, ranks: Ranks) -> None:
    """Train a run in this process, alone or as one of several ranks, and say how it ended.

    Raises:
        SonotuneError: with a next step.
    """
    session.update(phase=Phase.LOADING)
    with Reader(workspace) as reader:
        run = reader.run(session.job_id)
    recipe = recipe_from_json(run.recipe)
    directory = workspace.job_folder(run.directory)
    directory.mkdir(parents=True, exist_ok=True)
    if ranks.first:
        _write_recipe(directory / "recipe.toml", recipe, session)
    dataset = same_dataset(open_dataset(workspace, recipe.data.dataset), run)
    source = resolve_model(recipe.model.id, workspace.root)
    device, choice = choose_for_this_machine(recipe, source)
    session.event("backend", choice.reason)
    if choice.backend == UNSLOTH:
        # Before trl, transformers and peft, which it changes.
        import unsloth  # noqa: F401
    # Of the first rank: what is free on each card may differ, and all must share a step in the same way.
    computation = ranks.of_first(computation_on(workspace, recipe, dataset, source, device, choice))
    _train(session, ranks, run, recipe, dataset, source, device, computation, directory)


def _write_recipe(file: Path, recipe: Recipe, session: Session) -> None:
    """A copy for whoever looks into the folder; the row of the run has the recipe too, so nothing depends on it."""
    try:
        write_whole(file, recipe_to_toml(recipe))
    except OSError as error:
        session.event("recipe", f"{file.name} could not be written: {error.strerror}; the training goes on")


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


def computation_on(
    workspace: Workspace, recipe: Recipe, dataset: Dataset, source: str, device: torch.device, choice: BackendChoice
) -> Computation:
    """How the recipe is computed on this device: what `sonotune preflight` shows, with the card as it is now."""
    from engine.preflight.census_cache import census_of
    from engine.preflight.resolving import Question, resolve
    from engine.training.layout import Computation

    with Reader(workspace) as reader:
        measured = reader.memory_peaks()
    known = known_shape(source)
    question = Question(
        recipe=recipe,
        choice=choice,
        known=known,
        census=census_of(dataset, recipe),
        card=card_of(device),
        four_bit_possible=device.type == "cuda" and installed("bitsandbytes"),
    )
    found = resolve(question, measured)
    return Computation(found.layout, choice.reason, found.layout_reason, found.packing_reason, found, known.shape)


def known_shape(source: str) -> KnownShape:
    """Dimensions of the base model; those of one on a hub that nobody has published come from its configuration."""
    from engine.preflight.shapes import KnownShape, find_shape, shape_of_config

    try:
        return find_shape(source)
    except ModelError:
        if Path(source).is_dir():
            raise
    from transformers import AutoConfig

    from engine.training.model import loading

    with loading(source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False).to_dict()
    return KnownShape(shape_of_config(config), "its config.json on the hub", config)


def card_of(device: torch.device) -> Card:
    """The device of this process as the preflight knows it."""
    import torch

    from engine.preflight.models import Card

    if device.type != "cuda":
        return Card("cpu", None)
    free, total = torch.cuda.mem_get_info(device)
    return Card(torch.cuda.get_device_name(device), total, free)


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
    session: Session,
    ranks: Ranks,
    run: RunRow,
    recipe: Recipe,
    dataset: Dataset,
    source: str,
    device: torch.device,
    computation: Computation,
    directory: Path,
) -> None:
    from engine.training.callbacks import Cancelled
    from engine.training.disk_patience import NotAwaitedError
    from engine.training.distributed.session import NoRecord, RankSession
    from engine.training.peak import record_peak
    from engine.training.recipe_run import TrainingJob, train
    from engine.training.record import RunRecord

    job = TrainingJob(
        recipe=recipe,
        source=source,
        directory=directory,
        cases=dataset.cases,
        computation=computation,
        device=device,
        record=NoRecord() if session.recording is None else RunRecord(session.recording),
        requests=session,
        event=session.event,
        heard=session.heard if isinstance(session, RankSession) else None,
        ranks=ranks,
    )
    try:
        result = train(job)
    except Cancelled:
        # The session has handed out the request, and writes the state when its block is left.
        return
    except NotAwaitedError as error:
        if not ranks.alone:
            raise  # the other ranks wait for this one, and end with it
        if session.check() is Action.CANCEL:
            return
        session.finish(State.INTERRUPTED, f"{error.title}, and it was not to wait. {error.next_step}")
        return
    session.update(adapter_path=f"{run.directory}/adapter")
    if device.type == "cuda" and session.writer is not None:
        record_peak(session.writer, run.id, recipe, computation, result)
    if result.stopped:
        session.finish(State.INTERRUPTED, f"stopped on request after step {result.step}; adapter and checkpoint saved")
    else:
        session.finish(State.SUCCEEDED, f"trained {result.step} steps")
