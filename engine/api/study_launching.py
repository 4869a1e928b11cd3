"""Launching a study: what is done is reused, what waits is left alone, what broke goes on, and the rest is queued."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.api.datasets import Progress
from engine.api.ledger import looks
from engine.api.study_data import ready_dataset, study_dataset
from engine.api.study_files import OpenStudy, open_study, study_launches
from engine.api.study_finding import Standing, dataset_record, standing_of
from engine.api.study_history import history_warnings, measured_count
from engine.api.study_planning import PlannedCell, plan_cell, worn_notes
from engine.api.study_queueing import Queued, queue_cells
from engine.api.study_todo import launched_cells
from engine.errors import JobError
from engine.jobs.file_lock import held
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import ensure_worker
from engine.store.records import StudyRow
from engine.store.writer import Writer
from engine.study.decisions import rule_hash
from engine.workspace import Workspace

LOCK = "studies.lock"
"""File in the workspace that a launch holds while it queues: two at once would queue the same runs twice."""

DRAWING_LOCK = "phantoms.lock"
"""File in the workspace that a launch holds while it draws phantoms."""
DRAWING_SECONDS = 3600.0
"""How long another launch that draws is waited for: tens of thousands of phantoms take minutes on two cores."""


@dataclass(frozen=True, slots=True)
class StudyLaunched:
    """What a launch of a study has done."""

    study: str
    title: str
    scale: str
    scale_reason: str
    dataset_drawn: bool
    """Phantoms were drawn for it."""
    queued: tuple[int, ...]
    """New runs."""
    reused: tuple[int, ...]
    """Runs that had succeeded already, whoever launched them."""
    waiting: tuple[int, ...]
    """Runs that were queued or at work already."""
    resumed: tuple[int, ...]
    """Runs that had failed or were interrupted, and go on from their last checkpoint."""
    evaluations: tuple[int, ...]
    """Measurements queued now, again or for the first time, with the grey-image controls."""
    references: tuple[int, ...]
    """Reference rows queued now."""
    looks_before: int | None
    """How often the test split had been looked at before; None where this launch enters no look at it."""
    left_out: tuple[str, ...]
    """Optional arms that nobody has asked for."""
    warnings: tuple[str, ...]

    @property
    def anything(self) -> bool:
        """Whether anything was queued."""
        return bool(self.queued or self.resumed or self.evaluations or self.references)


def launch_study(
    workspace: Workspace,
    name: str | Path,
    *,
    scale: str | None = None,
    arms: Sequence[str] = (),
    seeds: int | None = None,
    priority: int = 0,
    start_worker: bool = True,
    progress: Progress | None = None,
) -> StudyLaunched:
    """Queue what is missing of a study, and start the worker. Launched again, it goes on with what is missing then.

    Everything is checked before anything is queued. A study that measures the test split has said why in its file: its
    question goes into the ledger.

    Args:
        workspace: where to record it.
        name: of the study, or the path of its file.
        scale: None takes `full` where there is an NVIDIA GPU, else `demo`.
        arms: only these; needed for optional ones. Empty for all.
        seeds: more than the file says extend the study; fewer launch a part of it.
        priority: higher is dispatched first; jobs of the study that wait already are raised to it as well.
        start_worker: False leaves the dispatching to whoever calls `sonotune worker`.
        progress: called with (phantoms drawn, phantoms) where the dataset is drawn first.

    Raises:
        UsageError: there is no such study, scale or arm.
        StudyError, RecipeError: the file, or a recipe that it makes, cannot be used.
        DataError: the dataset is missing, or the name is taken by another one.
        JobError: something that a cell needs is not on this machine; all of it is named.
    """
    with Writer.open(workspace):
        pass  # made, or brought up to date, before anything is read
    settle_dead_jobs(workspace)
    study = open_study(workspace, name, scale, arms=arms, seeds=seeds)
    drawn = _drawn(workspace, study, progress)
    with held(workspace.root / LOCK, "Another study is being launched in this workspace"):
        standing = standing_of(workspace, open_study(workspace, name, scale, arms=arms, seeds=seeds))
        cells = launched_cells(standing)
        plans = [plan_cell(workspace, standing, cell) for cell in cells]
        _require_possible(study, plans)
        before = sum(look.current for look in looks(workspace, standing.found.dataset))
        study = _entered(workspace, standing)
        queued = queue_cells(workspace, standing, list(zip(cells, plans, strict=True)), priority)
    if start_worker:
        ensure_worker(workspace)
    notes = [note for cell in cells for note in worn_notes(standing, cell)] + queued.notes
    notes = [f"{note[0].upper()}{note[1:]}." for note in notes]
    return _launched(replace(standing, study=study), queued, drawn, before, notes)


def _drawn(workspace: Workspace, study: OpenStudy, progress: Progress | None) -> bool:
    """As `ready_dataset`; of several launches that miss the same phantoms one draws them, and the others wait."""
    drawable = study.scaled.scale.phantoms is not None
    if not drawable or dataset_record(workspace, study_dataset(workspace, study)) is not None:
        return ready_dataset(workspace, study, progress)
    busy = "Another study is drawing its phantoms in this workspace"
    with held(workspace.root / DRAWING_LOCK, busy, DRAWING_SECONDS):
        return ready_dataset(workspace, study, progress)  # looks again: they may be there by now


def _require_possible(study: OpenStudy, plans: Sequence[PlannedCell]) -> None:
    """Refuse a launch of which some cell could not run here; each need is named with the arms that have it."""
    needs: dict[str, list[str]] = {}
    for plan in plans:
        for need in plan.needs:
            needs.setdefault(need, []).append(plan.arm)
    if not needs:
        return
    lines = []
    for need, arms in needs.items():
        whose = "all arms" if len(set(arms)) == len({plan.arm for plan in plans}) else ", ".join(dict.fromkeys(arms))
        lines.append(f"- {whose}: {need}")
    other = [name for name in study.scaled.study.scales if name != study.scale]
    raise JobError(
        f"The study {study.name} cannot run here at scale {study.scale}",
        "\n".join(lines),
        f"Nothing was queued. Other scales: {', '.join(f'--scale {name}' for name in other)}."
        if other
        else "Nothing was queued.",
    )


def _entered(workspace: Workspace, standing: Standing) -> OpenStudy:
    """Record what is launched, unless that was recorded already; the study with this launch."""
    study = standing.study
    chosen = sorted(study.wanted & {name for name, arm in study.whole.arms.items() if arm.optional})
    rule = rule_hash(study.whole)
    if any(
        launch.rule == rule and launch.definition == study.file.text and set(chosen) <= set(launch.chosen)
        and study.wanted_seeds <= launch.seeds
        for launch in study.launches[-1:]
    ):  # fmt: skip
        return study
    with Writer.open(workspace) as writer:
        writer.enter_study_launch(
            StudyRow(study.name, study.scaled.study.question, study.file.text, time.time()),
            study.scale,
            rule=rule,
            arms=list(study.whole.arms),
            chosen=chosen,
            seeds=max(study.wanted_seeds, study.whole.seeds),
            measured=measured_count(standing),
        )
    return replace(study, launches=study_launches(workspace, study.name, study.scale))


def _launched(
    standing: Standing, queued: Queued, drawn: bool, looks_before: int, notes: Sequence[str]
) -> StudyLaunched:
    study = standing.study
    return StudyLaunched(
        study=study.name,
        title=study.scaled.study.title,
        scale=study.scale,
        scale_reason=study.reason,
        dataset_drawn=drawn,
        queued=tuple(queued.runs),
        reused=tuple(queued.reused),
        waiting=tuple(queued.waiting),
        resumed=tuple(queued.resumed),
        evaluations=tuple(queued.evaluations),
        references=tuple(queued.references),
        looks_before=looks_before if queued.looked else None,
        left_out=study.left_out,
        warnings=(*history_warnings(standing), *notes),
    )
