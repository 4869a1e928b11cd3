"""What a launch of a study would do, cell by cell, without queueing anything; what is missing for it, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.api.launching import LaunchPlan, plan_launch
from engine.api.study_choosing import worn_out
from engine.api.study_data import dataset_problem, import_hint
from engine.api.study_files import open_study
from engine.api.study_finding import Standing, standing_of
from engine.api.study_states import StudyState, state_of
from engine.api.study_todo import action_of, launched_cells, missing_targets, target_words, worn_words
from engine.errors import SonotuneError
from engine.jobs.devices import known_devices
from engine.recipe import Recipe
from engine.study.expanding import Cell, targets_of
from engine.study.found import FoundCell
from engine.training.backends import BackendChoice, choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.workspace import Workspace

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """What a launch would do for one cell, and where."""

    arm: str
    """Untrusted text, as all names here."""
    seed: int
    action: str
    """In words: `train`, `reuse run 12`, `resume run 3`, `wait for run 4 (running)`, `untuned`."""
    name: str
    """Of the run."""
    model: str
    model_here: bool
    """Whether the weights of the base model lie on this machine."""
    device: str
    backend: str
    """"" where that cannot be told."""
    quantization: str
    reason: str
    """Why this backend and this quantization."""
    samples: int | None
    """Training samples; None where they cannot be counted, and for an untuned arm."""
    steps: int | None
    """Optimizer steps; likewise."""
    measure: tuple[str, ...]
    """Measurements that would be queued, in words."""
    measured: int
    """Measurements that are done or on their way."""
    needs: tuple[str, ...]
    """What is missing for it to run here, with the way out; a launch refuses where there is anything."""
    notes: tuple[str, ...]
    """What is worth knowing, and stops nothing."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a launch of a study would do."""

    state: StudyState
    cells: tuple[PlannedCell, ...]
    """Those that would be launched, in the order of the file."""

    @property
    def needs(self) -> tuple[str, ...]:
        """All that is missing, each once."""
        return tuple(dict.fromkeys(need for cell in self.cells for need in cell.needs))


def plan_study(
    workspace: Workspace,
    name: str | Path,
    *,
    scale: str | None = None,
    arms: Sequence[str] = (),
    seeds: int | None = None,
) -> StudyPlan:
    """What a launch would do. It never fails for what is missing here: that stands in the cells.

    Arguments as for `open_study`.

    Raises:
        UsageError: there is no such study, scale or arm.
        StudyError: the file cannot be used.
        RecipeError: its arms make recipes that are not valid.
    """
    standing = standing_of(workspace, open_study(workspace, name, scale, arms=arms, seeds=seeds))
    planned = tuple(plan_cell(workspace, standing, cell) for cell in launched_cells(standing))
    return StudyPlan(state_of(standing), planned)


def plan_cell(workspace: Workspace, standing: Standing, found: FoundCell) -> PlannedCell:
    """What a launch would do with one cell."""
    cell = found.cell
    missing = missing_targets(standing, found)
    wanted = targets_of(standing.study.scaled, cell)
    if worn_out(workspace, found.run, complete=not missing):
        missing = wanted  # the run that is trained in its place is measured from the start
    planned = _here(workspace, standing, cell)
    if not missing:
        planned = replace(planned, needs=_data_needs(standing))  # nothing of it has to run any more
    return replace(
        planned,
        action=action_of(workspace, found, complete=not missing),
        measure=tuple(map(target_words, missing)),
        measured=len(wanted) - len(missing),
        samples=None if cell.untuned else planned.samples,
        steps=None if cell.untuned else planned.steps,
        notes=(*_notes(standing, planned), *worn_notes(standing, found)),
    )


def _here(workspace: Workspace, standing: Standing, cell: Cell) -> PlannedCell:
    """How a cell would run on this machine, and what it needs for that."""
    full, trouble = _tried(lambda: plan_launch(workspace, cell.recipe))
    planned = _parts(workspace, cell) if full is None else _from_plan(cell, full)
    if trouble is not None and not planned.needs and standing.record is not None:
        planned = replace(planned, needs=(_told(trouble),))
    return replace(planned, needs=(*planned.needs, *_data_needs(standing)))


def _from_plan(cell: Cell, plan: LaunchPlan) -> PlannedCell:
    return replace(
        _empty(cell),
        model_here=_is_here(plan.model_source),
        device=plan.device,
        backend=plan.backend,
        quantization=plan.quantization,
        reason=plan.reason,
        samples=plan.training_samples,
        steps=plan.steps,
    )


def _parts(workspace: Workspace, cell: Cell) -> PlannedCell:
    """What can be said of a cell that cannot be launched here as things are: each part by itself."""
    source, no_model = _tried(lambda: resolve_model(cell.recipe.model.id, workspace.root))
    choice, no_backend = _tried(lambda: _backend(cell.recipe, source))
    device = known_devices()[0]
    needs = [_told(error) for error in (no_model, no_backend) if error is not None]
    return replace(
        _empty(cell),
        model_here=source is not None and _is_here(source),
        device=f"{device.id} ({device.name})",
        backend=choice.backend if choice else "",
        quantization=choice.quantization if choice else cell.recipe.model.quantization,
        reason=choice.reason if choice else "",
        steps=cell.recipe.training.max_steps or None,
        needs=tuple(needs),
    )


def _empty(cell: Cell) -> PlannedCell:
    model = cell.recipe.model
    return PlannedCell(
        arm=cell.arm, seed=cell.seed, action="", name=cell.recipe.name, model=model.id, model_here=False, device="",
        backend="", quantization=model.quantization, reason="", samples=None, steps=None, measure=(), measured=0,
        needs=(), notes=(),
    )  # fmt: skip


def _data_needs(standing: Standing) -> tuple[str, ...]:
    """What is wrong with the dataset; nothing where a launch draws it."""
    study, name = standing.study, standing.found.dataset
    problem = dataset_problem(study, name, standing.record)
    if standing.record is not None:
        return (f"{problem}.",) if problem else ()
    return () if study.scaled.scale.phantoms is not None else (f"{problem}. {import_hint(name)}",)


def _backend(recipe: Recipe, source: str | None) -> BackendChoice:
    device = known_devices()[0]
    gpu = device.id.startswith("cuda")
    return choose_backend(
        recipe,
        gpu,
        installed("unsloth"),
        bitsandbytes_installed=installed("bitsandbytes"),
        gpu_memory_bytes=device.memory_bytes if gpu else None,
        weight_bytes=None if source is None else weight_bytes(source),
    )


def _notes(standing: Standing, planned: PlannedCell) -> tuple[str, ...]:
    phantoms = standing.study.scaled.scale.phantoms
    notes = []
    if standing.record is None and phantoms is not None:
        notes.append(f"{phantoms.count} phantoms are drawn first, as the dataset {standing.found.dataset}")
    if not planned.model_here:
        notes.append(f"the weights of {planned.model} are not on this machine; the first run downloads them")
    return tuple(notes)


def worn_notes(standing: Standing, found: FoundCell) -> list[str]:
    """A line for each run that does not count for a cell any more, as its adapter is gone."""
    worn = next(worn for cell, worn in zip(standing.found.cells, standing.worn, strict=True) if cell is found)
    return [worn_words(found, run) for run in worn]


def _is_here(source: str) -> bool:
    """Whether weights lie on this machine: in a folder, or in the cache of the model hub."""
    if Path(source).is_dir():
        return True
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE) / f"models--{source.replace('/', '--')}" / "snapshots"
    return any(snapshots.glob("*/*.safetensors"))


def _told(error: SonotuneError) -> str:
    return " ".join(part.rstrip(".") + "." for part in (error.title, error.reason, error.next_step) if part)


def _tried(make: Callable[[], Answer]) -> tuple[Answer | None, SonotuneError | None]:
    try:
        return make(), None
    except SonotuneError as error:
        return None, error
