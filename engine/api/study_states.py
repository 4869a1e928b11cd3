"""How far a study is, cell by cell, for lists and progress displays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.api.reading import settle_if_alone
from engine.api.study_data import dataset_problem
from engine.api.study_files import OpenStudy, open_study
from engine.api.study_finding import Standing, standing_of
from engine.api.study_history import added_arms, history_warnings
from engine.api.study_history import measured_count as measured_count
from engine.api.study_todo import lacking_references
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.study.expanding import targets_of
from engine.study.found import FoundCell
from engine.study.models import Value
from engine.types import ACTIVE, State
from engine.workspace import Workspace


class Stage(StrEnum):
    """How far a cell of a study is."""

    MISSING = "missing"
    """Not launched, or trained and not measured."""
    QUEUED = "queued"
    RUNNING = "running"
    """It is being trained."""
    MEASURING = "measuring"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class StudyCell:
    """One arm at one seed, as far as it is."""

    arm: str
    """Untrusted text, as all names and notes here."""
    seed: int
    note: str
    untuned: bool
    stage: Stage
    run_id: int | None
    run_name: str
    progress: float | None
    """Share of the training steps while it is running, else None."""
    planned_steps: int | None
    targets_done: int
    targets: int
    """Measurements that the study needs of it."""
    changes: Mapping[str, Value]
    """Recipe keys that the arm sets."""
    trouble: str
    """What went wrong, where it failed or was interrupted."""

    @property
    def name(self) -> str:
        """`ARM`, with the seed where that says anything."""
        return self.arm if self.untuned else f"{self.arm}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class StudyState:
    """A study at one scale as far as it is."""

    name: str
    title: str
    question: str
    priority: int
    scale: str
    scales: tuple[str, ...]
    """All scales that it has."""
    scale_reason: str
    machine: str
    note: str
    split: str
    """The one that decides."""
    seeds: int
    cells: tuple[StudyCell, ...]
    references_done: int
    references: int
    """Reference rows that there are beside the arms, in whatever state, and those that finished cells lack."""
    working: bool
    """Something of it is queued or at work, controls and references too."""
    dataset: str
    dataset_problem: str
    """Why the dataset cannot be used as it is; "" where it is there."""
    can_draw: bool
    """The dataset is missing, and a launch draws it."""
    left_out: tuple[str, ...]
    """Optional arms that nobody has asked for."""
    added: tuple[str, ...]
    """Arms that were added since the first launch."""
    launched: float | None
    """Unix seconds of the first launch; None: it was never launched here."""
    warnings: tuple[str, ...]
    """What must be known before believing its answers."""

    @property
    def counts(self) -> dict[Stage, int]:
        """Cells by stage."""
        found = Counter(cell.stage for cell in self.cells)
        return {stage: found[stage] for stage in Stage}

    @property
    def complete(self) -> bool:
        """Whether every cell is done, and the reference rows that their figures stand beside."""
        return self.cells_done and self.references_done == self.references

    @property
    def cells_done(self) -> bool:
        """Whether every cell is done, whatever stands beside it."""
        return all(cell.stage == Stage.DONE for cell in self.cells)

    @property
    def failed(self) -> tuple[StudyCell, ...]:
        """Cells that will not go on by themselves."""
        return tuple(cell for cell in self.cells if cell.stage in (Stage.FAILED, Stage.INTERRUPTED))


def study_state(workspace: Workspace, name: str | Path, scale: str | None = None) -> StudyState:
    """How far a study is; nothing is changed but jobs that have died without a worker to notice it.

    Arguments and errors as for `open_study`.
    """
    settle_study_jobs(workspace)
    return state_of(standing_of(workspace, open_study(workspace, name, scale)))


def settle_study_jobs(workspace: Workspace) -> None:
    """Where no worker is left to notice it: mark jobs that died."""
    reader = Reader.open_or_none(workspace)
    if reader is not None:
        with reader:
            settle_if_alone(workspace, reader)


def state_of(standing: Standing) -> StudyState:
    """The state of a study that has been looked up."""
    study, found = standing.study, standing.found
    problem = dataset_problem(study, found.dataset, standing.record)
    declared = study.scaled.study
    cells = tuple(_cell(study, cell) for cell in found.cells)
    done = [each for each, cell in zip(found.cells, cells, strict=True) if cell.stage == Stage.DONE]
    references = [each.row.state for each in found.references]
    return StudyState(
        name=study.name,
        title=declared.title,
        question=declared.question,
        priority=declared.priority,
        scale=study.scale,
        scales=tuple(declared.scales),
        scale_reason=study.reason,
        machine=study.scaled.scale.machine,
        note=study.scaled.scale.note,
        split=declared.measure.split,
        seeds=study.scaled.seeds,
        cells=cells,
        references_done=references.count(State.SUCCEEDED),
        references=len(references) + len(lacking_references(standing, done)),
        working=any(state == State.QUEUED or state in ACTIVE for state in _states(standing)),
        dataset=found.dataset,
        dataset_problem=problem,
        can_draw=standing.record is None and study.scaled.scale.phantoms is not None,
        left_out=study.left_out,
        added=added_arms(study),
        launched=study.launches[0].time if study.launches else None,
        warnings=history_warnings(standing),
    )


def _states(standing: Standing) -> Iterable[State]:
    """States of all that can still change the result; what waits for a run that ended badly can't."""
    for cell, controls in zip(standing.found.cells, standing.controls, strict=True):
        run = cell.run
        if run is not None:
            yield run.state
        if run is None or run.state not in (State.FAILED, State.INTERRUPTED):
            yield from (row.state for row in (*cell.measured.values(), *controls.values()))
    yield from (each.row.state for each in standing.found.references)


def _cell(study: OpenStudy, found: FoundCell) -> StudyCell:
    cell, run = found.cell, found.run
    targets = targets_of(study.scaled, cell)
    rows = [found.measured.get(target) for target in targets]
    stage = _stage(found, rows)
    running = run is not None and stage == Stage.RUNNING and run.planned_steps
    return StudyCell(
        arm=cell.arm,
        seed=cell.seed,
        note=cell.note,
        untuned=cell.untuned,
        stage=stage,
        run_id=None if run is None else run.id,
        run_name="" if run is None else run.name,
        progress=run.step / run.planned_steps if run is not None and running and run.planned_steps else None,
        planned_steps=None if run is None else run.planned_steps,
        targets_done=sum(row is not None and row.state == State.SUCCEEDED for row in rows),
        targets=len(targets),
        changes=study.scaled.arms[cell.arm].set,
        trouble=_trouble(found, rows) if stage in (Stage.FAILED, Stage.INTERRUPTED) else "",
    )


_OF_RUN = {
    State.QUEUED: Stage.QUEUED,
    State.STARTING: Stage.RUNNING,
    State.RUNNING: Stage.RUNNING,
    State.FAILED: Stage.FAILED,
    State.INTERRUPTED: Stage.INTERRUPTED,
}


def _stage(found: FoundCell, rows: list[EvaluationRow | None]) -> Stage:
    if not found.cell.untuned:
        if found.run is None:
            return Stage.MISSING
        if found.run.state in _OF_RUN:
            return _OF_RUN[found.run.state]
    states = [None if row is None else row.state for row in rows]
    if all(state == State.SUCCEEDED for state in states):
        return Stage.DONE
    if any(state in ACTIVE for state in states):
        return Stage.MEASURING
    if State.QUEUED in states:
        begun = not found.cell.untuned or State.SUCCEEDED in states
        return Stage.MEASURING if begun else Stage.QUEUED
    for state in (State.FAILED, State.INTERRUPTED):
        if state in states:
            return _OF_RUN[state]
    return Stage.MISSING


def _trouble(found: FoundCell, rows: list[EvaluationRow | None]) -> str:
    run = found.run
    bad = (State.FAILED, State.INTERRUPTED)
    if run is not None and run.state in bad:
        return f"run {run.id}: {run.error_title or run.reason}"
    row = next((row for row in rows if row is not None and row.state in bad), None)
    return "" if row is None else f"evaluation {row.id}: {row.error_title or row.reason}"
