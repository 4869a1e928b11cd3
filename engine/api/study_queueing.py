"""Queueing the cells of a study: runs, measurements and reference rows, each only where it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.api.evaluating import queue_evaluations, queue_references
from engine.api.measuring import Measurement
from engine.api.study_choosing import worn_out
from engine.api.study_finding import Standing
from engine.api.study_matching import under_way
from engine.api.study_planning import PlannedCell
from engine.api.study_todo import lost_controls, missing_targets
from engine.jobs.control import resume
from engine.recipe import recipe_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.store.writer import Writer
from engine.store.writer_studies import Member
from engine.study.expanding import Cell, Target, targets_of
from engine.study.found import FoundCell
from engine.study.identity import key_version, training_key
from engine.types import BLANK, JobKind, Reference, Split, State
from engine.workspace import Workspace


@dataclass(slots=True)
class Queued:
    """What was queued, and what was left as it is, by ids."""

    runs: list[int] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    looked: bool = False
    """New looks at the test split are among the evaluations or the reference rows."""
    notes: list[str] = field(default_factory=list)
    """What was not queued, and why, a sentence without its stop each; untrusted text."""


def queue_cells(
    workspace: Workspace, standing: Standing, cells: Sequence[tuple[FoundCell, PlannedCell]], priority: int = 0
) -> Queued:
    """Queue what is missing of these cells, which have been checked; the caller holds the lock of launches.

    Broken off at any point, the next launch goes on from there: every run and every measurement is one transaction,
    and is found by what it is.
    """
    launch = _Launch(workspace, standing, priority)
    controls = {id(found): rows for found, rows in zip(standing.found.cells, standing.controls, strict=True)}
    for found, plan in cells:
        launch.cell(found, plan, controls[id(found)])
    launch.references(cells)
    launch.set_priorities([found for found, _ in cells], [controls[id(found)] for found, _ in cells])
    return launch.queued


class _Launch:
    """One launch while it queues."""

    def __init__(self, workspace: Workspace, standing: Standing, priority: int) -> None:
        self.queued = Queued()
        self._workspace = workspace
        self._standing = standing
        self._priority = priority
        self._study = standing.study
        self._made: dict[str, int] = {}
        """New runs by what they train: arms that differ only in how they are measured share one."""
        self._wanted: set[tuple[int, Measurement]] = set()
        self._purpose = f"study {self._study.name}: {self._study.scaled.study.question}"
        """Why this study looks at the test split."""

    def cell(self, found: FoundCell, plan: PlannedCell, controls: Mapping[Target, EvaluationRow]) -> None:
        """Queue what is missing of one cell, but for its references."""
        measurements = {target: self._measurement(found, plan, target) for target in self._targets(found.cell)}
        if found.cell.untuned:
            self._untuned(found, measurements)
            return
        run, fresh = self._run(found, plan)
        lost = "" if fresh else lost_controls(self._workspace, self._standing, found, controls)
        if lost:
            self.queued.notes.append(lost)
        wanted = []
        for target, each in measurements.items():
            parts = [(each, found.measured.get(target))]
            if not target.degradation and not lost:
                # Its control, which takes its threshold and so comes second.
                parts.append((replace(each, degradation=BLANK), controls.get(target)))
            wanted += [part for part, row in parts if fresh or not self._is_there(row)]
        wanted = [each for each in wanted if (run, each) not in self._wanted]
        self._wanted.update((run, each) for each in wanted)
        self.queued.looked |= any(each.split == Split.TEST and each.degradation != BLANK for each in wanted)
        after_run = fresh or found.run is None or found.run.state != State.SUCCEEDED
        self.queued.evaluations += queue_evaluations(
            self._workspace, run, wanted, after_run=after_run, start_worker=False, test_purpose=self._purpose
        )

    def references(self, cells: Sequence[tuple[FoundCell, PlannedCell]]) -> None:
        """Queue the reference rows beside all clean measurements, each once; those that failed go on."""
        arms = {found.cell.arm for found, _ in cells}
        for each in self._standing.found.references:
            if not arms.isdisjoint(each.arms) and not under_way(each.row.state):
                self._resume_evaluation(each.row.id, self.queued.references)
        wanted = dict.fromkeys(
            (found.cell.recipe.model.id, self._measurement(found, plan, target))
            for found, plan in cells
            for target in self._targets(found.cell)
            if not target.degradation
        )
        for model, measurement in wanted:
            self.queued.references += queue_references(self._workspace, model, [measurement], start_worker=False)

    def set_priorities(self, cells: Sequence[FoundCell], controls: Sequence[Mapping[Target, EvaluationRow]]) -> None:
        """Give all jobs of these cells that wait its priority, with their controls and the reference rows beside them.

        Those that were raised higher stay there.
        """
        if not self._priority:
            return
        arms = {found.cell.arm for found in cells}
        rows = [row for found in cells for row in found.measured.values()]
        rows += [row for each in controls for row in each.values()]
        rows += [each.row for each in self._standing.found.references if not arms.isdisjoint(each.arms)]
        waiting = [(JobKind.TRAINING, run.id, run.priority) for run in _runs_of(cells) if run.state == State.QUEUED]
        waiting += [(JobKind.EVALUATION, row.id, row.priority) for row in rows if row.state == State.QUEUED]
        # What was resumed keeps the priority that it had; of what is new none is known.
        of_runs = {run.id: run.priority for run in _runs_of(cells)}
        of_rows = {row.id: row.priority for row in rows}
        again = (*self.queued.evaluations, *self.queued.references)
        new = [(JobKind.TRAINING, job, of_runs.get(job)) for job in self.queued.resumed]
        new += [(JobKind.EVALUATION, job, of_rows.get(job)) for job in again]
        with Writer.open(self._workspace) as writer:
            for kind, job, present in (*waiting, *new):
                if present is None or present < self._priority:
                    writer.update(kind, job, priority=self._priority)

    # ----- one cell

    def _targets(self, cell: Cell) -> list[Target]:
        return targets_of(self._study.scaled, cell)

    def _measurement(self, found: FoundCell, plan: PlannedCell, target: Target) -> Measurement:
        """As it is looked up later: with the quantization that the run was trained with, where that is known."""
        run = None if found.run is None or self._is_worn(found) else found.run
        quantization = (run and run.quantization) or plan.quantization
        wanted = Measurement.of_recipe(found.cell.recipe, target.question, Split(target.split), quantization)
        return replace(wanted, degradation=target.degradation)

    def _is_worn(self, found: FoundCell) -> bool:
        """Whether another run is trained in place of the one that there is."""
        return worn_out(self._workspace, found.run, complete=not missing_targets(self._standing, found))

    def _run(self, found: FoundCell, plan: PlannedCell) -> tuple[int, bool]:
        """The run of a cell, and whether it is new; one that broke is queued to go on."""
        run, new = found.run, False
        if run is None or self._is_worn(found):
            run_id, new = self._new_run(found.cell, plan), True
        else:
            run_id = run.id
            self._note_run(run_id, run.state)
        with Writer.open(self._workspace) as writer:
            writer.add_study_runs(
                self._study.name, self._study.scale, [Member(run_id, found.cell.arm, found.cell.seed)]
            )  # fmt: skip
        return run_id, new

    def _note_run(self, run_id: int, state: State) -> None:
        if run_id in (*self.queued.reused, *self.queued.waiting, *self.queued.resumed):
            return  # arms that differ only in how they are measured share it
        if state == State.SUCCEEDED:
            self.queued.reused.append(run_id)
        elif under_way(state):
            self.queued.waiting.append(run_id)
        else:
            resume(self._workspace, run_id, start_worker=False)
            self.queued.resumed.append(run_id)

    def _new_run(self, cell: Cell, plan: PlannedCell) -> int:
        key = training_key(cell.recipe)
        if key in self._made:
            return self._made[key]
        recipe = cell.recipe
        with Writer.open(self._workspace) as writer:
            run_id = writer.create_run(
                recipe.name,
                recipe_json(recipe),
                recipe.data.dataset,
                self._standing.found.dataset_fingerprint,
                self._standing.found.split_fingerprint,
                recipe.model.id,
                recipe.training.seed,
                priority=self._priority,
                planned_steps=plan.steps,
                study=self._study.name,
            )
            writer.keep_training_keys(key_version(), {run_id: key})
        self._made[key] = run_id
        self.queued.runs.append(run_id)
        return run_id

    def _untuned(self, found: FoundCell, measurements: Mapping[Target, Measurement]) -> None:
        """Queue the base model on what a cell is measured on; the other references come with all cells.

        Here it is no mere reference: the study asks about it, so what it shows of the test split is a look.
        """
        model = found.cell.recipe.model.id
        for target, each in measurements.items():
            row = found.measured.get(target)
            if row is not None and each.split == Split.TEST:
                self._enter_look(row)
            if not self._is_there(row):
                ids = queue_references(
                    self._workspace,
                    model,
                    [each],
                    kinds=[Reference.BASE],
                    start_worker=False,
                    test_purpose=self._purpose,
                )
                self.queued.references += ids
                self.queued.looked |= bool(ids) and each.split == Split.TEST

    def _enter_look(self, row: EvaluationRow) -> None:
        """Enter a look at a row that was a mere reference so far; one that was entered stays the only one."""
        with Reader(self._workspace) as reader:
            entered = {look.evaluation_id for look in reader.test_looks(row.dataset, row.split_fingerprint)}
        if row.id in entered:
            return
        with Writer.open(self._workspace) as writer:
            writer.add_test_look(row.id, row.dataset, row.split_fingerprint or "", self._purpose)
        self.queued.looked = True

    def _is_there(self, row: EvaluationRow | None) -> bool:
        """Whether a measurement is done or on its way; one that broke is queued again, under the same id."""
        if row is None:
            return False
        if not under_way(row.state):
            self._resume_evaluation(row.id, self.queued.evaluations)
        return True

    def _resume_evaluation(self, evaluation: int, into: list[int]) -> None:
        if evaluation not in self.queued.evaluations and evaluation not in self.queued.references:
            resume(self._workspace, evaluation, kind=JobKind.EVALUATION, start_worker=False)
            into.append(evaluation)


def _runs_of(cells: Iterable[FoundCell]) -> Iterable[RunRow]:
    return (found.run for found in cells if found.run is not None)
