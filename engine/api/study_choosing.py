"""Which run counts for a cell of a study, of all that train it.

Runs are found by what their recipe says, never by name, and never by how good they are: of several finished runs of
the same training the oldest counts, so that no seed is ever picked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.api.measuring import Measurement
from engine.api.study_matching import under_way
from engine.errors import StoreError
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.store.writer import Writer
from engine.study.expanding import Cell, Target
from engine.study.identity import key_version, stored_training_key, training_key
from engine.types import ACTIVE, State
from engine.workspace import Workspace

DatasetKey = tuple[str, str, str]
"""Name of a dataset, its fingerprint, and that of its split."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that trains a cell (None: there is none), and what of the cell it is measured on."""

    run: RunRow | None
    wanted: Mapping[Target, Measurement]
    """What has to be measured, for each target."""
    measured: Mapping[Target, EvaluationRow]
    """The evaluation of each target that counts, where there is one."""

    @property
    def complete(self) -> bool:
        """Whether all of it is measured, or on its way."""
        return all(target in self.measured and under_way(self.measured[target].state) for target in self.wanted)


def candidate_runs(
    workspace: Workspace, reader: Reader, cells: Sequence[Cell], dataset: DatasetKey
) -> list[list[RunRow]]:
    """For each cell the runs that train it, but for cancelled ones; an untuned cell has none."""
    keys = [None if cell.untuned else training_key(cell.recipe) for cell in cells]
    found: dict[str | None, list[RunRow]] = {}
    for key, run in _keyed_runs(workspace, reader, {key for key in keys if key}, dataset):
        found.setdefault(key, []).append(run)
    return [found.get(key, []) for key in keys]


def chosen(workspace: Workspace, candidates: Iterable[Candidate]) -> Candidate | None:
    """The candidate that counts; None where there is none."""
    ranked = [(_rank(workspace, each), each.run.id, each) for each in candidates if each.run is not None]
    return min(ranked, key=lambda each: each[:2])[2] if ranked else None


def worn_out(workspace: Workspace, run: RunRow | None, complete: bool) -> bool:
    """Whether a run can't count any more: it has succeeded, but its adapter is gone before all of it was measured."""
    return run is not None and run.state == State.SUCCEEDED and not complete and not has_adapter(workspace, run)


def has_adapter(workspace: Workspace, run: RunRow) -> bool:
    """Whether the adapter of a run still lies where the run has saved it."""
    return (workspace.job_folder(run.directory) / "adapter").is_dir()


def _rank(workspace: Workspace, candidate: Candidate) -> int:
    """Which candidate counts: lower first. What is measured stays so, whether or not the adapter is kept."""
    run = candidate.run
    if run is None or worn_out(workspace, run, candidate.complete):
        return 4
    if run.state == State.SUCCEEDED:
        return 0
    if run.state in ACTIVE:
        return 1
    return 2 if run.state == State.QUEUED else 3


def _keyed_runs(workspace: Workspace, reader: Reader, keys: set[str], dataset: DatasetKey) -> list[tuple[str, RunRow]]:
    """Runs with one of these keys on this dataset. Keys that are not stored yet are worked out and stored."""
    version = key_version()
    unkeyed = {run.id: stored_training_key(run.recipe) for run in reader.unkeyed_runs(version)}
    if unkeyed:
        # They are kept to save time alone: a database that cannot be written now is read all the same.
        with contextlib.suppress(StoreError), Writer.open(workspace, busy_seconds=1.0) as writer:
            writer.keep_training_keys(version, unkeyed)
    found = reader.runs_that_train(sorted(keys), version, dataset)
    known = {run.id for _, run in found}
    for run_id, key in unkeyed.items():
        if key in keys and run_id not in known:
            run = reader.run(run_id)
            here = (run.dataset, run.dataset_fingerprint, run.split_fingerprint) == dataset
            if here and run.state != State.CANCELLED:
                found.append((key, run))
    return found
