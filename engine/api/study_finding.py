"""From a study to what there is of it: the runs that have trained its cells, and the evaluations that measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.api.measuring import Measurement
from engine.api.study_choosing import Candidate, DatasetKey, candidate_runs, chosen, worn_out
from engine.api.study_files import OpenStudy, open_study
from engine.api.study_matching import EvaluationIndex
from engine.data.manifest import dataset_names, open_dataset
from engine.errors import ModelError
from engine.evaluation.error_patterns import workspace_patterns
from engine.jobs.devices import known_devices
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.study.expanding import Cell, Target, expand, targets_of
from engine.study.found import FoundCell, FoundReference, FoundStudy
from engine.study.scaled import Scaled
from engine.training.backends import NO_QUANTIZATION, TRANSFORMERS, choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.types import BLANK, DatasetRecord, Reference, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Standing:
    """A study as it stands, with what a launch and a display need beyond `found`."""

    study: OpenStudy
    found: FoundStudy
    controls: tuple[Mapping[Target, EvaluationRow], ...]
    """For each cell: the newest grey-image control beside each target that has one."""
    record: DatasetRecord | None
    """The dataset as it is now; None where it is not there."""
    worn: tuple[tuple[RunRow, ...], ...]
    """For each cell: the runs that would count, had their adapters not gone before all of it was measured."""


def found_study(workspace: Workspace, name: str | Path, scale: str | None = None) -> FoundStudy:
    """A study at one scale as it stands in this workspace; arguments and errors as for `open_study`."""
    return standing_of(workspace, open_study(workspace, name, scale)).found


def standing_of(workspace: Workspace, study: OpenStudy) -> Standing:
    """How far a study is: which cells have a run, and what of each is measured.

    Raises:
        RecipeError: its arms make recipes that are not valid.
    """
    cells = expand(study.scaled, workspace.root)
    dataset = cells[0].recipe.data.dataset
    record = dataset_record(workspace, dataset)
    key = (dataset, record.fingerprint if record else "", record.split_fingerprint if record else "")
    reader = Reader.open_or_none(workspace) if record is not None else None
    if reader is None:
        missing = [FoundCell(cell, None, {}) for cell in cells]
        return _standing(study, key, missing, (), [{}] * len(cells), record, [()] * len(cells))
    with reader:
        runs = candidate_runs(workspace, reader, cells, key)
        rows = reader.study_evaluations(sorted({run.id for each in runs for run in each}), key)
    index = EvaluationIndex(rows, list(workspace_patterns(workspace)))
    found, controls, worn = [], [], []
    references: dict[int, FoundReference] = {}
    for cell, its_runs in zip(cells, runs, strict=True):
        candidates = [_candidate(workspace, study.scaled, index, cell, run) for run in its_runs]
        best = chosen(workspace, candidates) or _candidate(workspace, study.scaled, index, cell, None)
        found.append(FoundCell(cell, best.run, best.measured))
        controls.append(_controls(index, best))
        worn.append(_worn(workspace, candidates, best))
        _add_references(references, index, cell, best.wanted)
    return _standing(study, key, found, tuple(references.values()), controls, record, worn)


def _standing(
    study: OpenStudy,
    key: DatasetKey,
    cells: Sequence[FoundCell],
    references: tuple[FoundReference, ...],
    controls: Sequence[Mapping[Target, EvaluationRow]],
    record: DatasetRecord | None,
    worn: Sequence[tuple[RunRow, ...]],
) -> Standing:
    found = FoundStudy(study.scaled, *key, tuple(cells), references)
    return Standing(study, found, tuple(controls), record, tuple(worn))


def dataset_record(workspace: Workspace, name: str) -> DatasetRecord | None:
    """The dataset of that name; None where there is none.

    Raises:
        DataError: it is damaged.
    """
    return open_dataset(workspace, name).record if name in dataset_names(workspace) else None


def measurement(workspace: Workspace, cell: Cell, target: Target, run: RunRow | None) -> Measurement:
    """What is measured for a target of a cell, with the quantization that its base has."""
    quantization = run.quantization if run is not None else None
    quantization = quantization or _quantization(workspace, cell)
    wanted = Measurement.of_recipe(cell.recipe, target.question, Split(target.split), quantization)
    return replace(wanted, degradation=target.degradation)


def _quantization(workspace: Workspace, cell: Cell) -> str:
    """As the recipe says; where it leaves that open, as this machine would take it."""
    wish = cell.recipe.model.quantization
    if wish != "auto":
        return wish
    device = known_devices()[0]
    if not device.id.startswith("cuda"):
        return NO_QUANTIZATION
    # What is missing on this machine must not hide what is there: a plan says it, and a launch refuses. So the weights
    # may be unknown, and the backend, which says nothing about the quantization, is one that is always there.
    try:
        size = weight_bytes(resolve_model(cell.recipe.model.id, workspace.root))
    except ModelError:
        size = None
    model = cell.recipe.model.model_copy(update={"backend": TRANSFORMERS})
    return choose_backend(
        cell.recipe.model_copy(update={"model": model}),
        gpu=True,
        unsloth_installed=False,
        bitsandbytes_installed=installed("bitsandbytes"),
        gpu_memory_bytes=device.memory_bytes,
        weight_bytes=size,
    ).quantization


# ----- evaluations


def _candidate(
    workspace: Workspace, scaled: Scaled, index: EvaluationIndex, cell: Cell, run: RunRow | None
) -> Candidate:
    """What a run is measured on (an untuned cell: what the base model is) of that which a cell needs."""
    wanted = {target: measurement(workspace, cell, target, run) for target in targets_of(scaled, cell)}
    found = {}
    for target, each in wanted.items():
        if cell.untuned:
            row = index.reference(Reference.BASE, cell.recipe.model.id, each)
        else:
            row = None if run is None else index.of_run(run, each)
        if row is not None:
            found[target] = row
    return Candidate(run, wanted, found)


def _worn(workspace: Workspace, candidates: Sequence[Candidate], best: Candidate) -> tuple[RunRow, ...]:
    """The runs that would have counted before the one that does, or in its place, did they still have an adapter."""
    worn = [each.run for each in candidates if each.run and worn_out(workspace, each.run, each.complete)]
    counts = best.run
    return tuple(run for run in worn if counts is None or counts.state != State.SUCCEEDED or run.id <= counts.id)


def _controls(index: EvaluationIndex, candidate: Candidate) -> dict[Target, EvaluationRow]:
    found = {}
    for target, each in candidate.wanted.items():
        if candidate.run is not None and not target.degradation:
            row = index.of_run(candidate.run, replace(each, degradation=BLANK))
            if row is not None:
                found[target] = row
    return found


def _add_references(
    references: dict[int, FoundReference], index: EvaluationIndex, cell: Cell, wanted: Mapping[Target, Measurement]
) -> None:
    """Add the reference rows beside the clean targets of a cell; a row that several arms share names them all."""
    for target, each in wanted.items():
        for reference in () if target.degradation else Reference:
            row = index.reference(reference, cell.recipe.model.id, each)
            if row is None:
                continue
            before = references.get(row.id)
            arms = () if before is None else before.arms
            if cell.arm not in arms:
                references[row.id] = FoundReference(reference, (*arms, cell.arm), target, row)
