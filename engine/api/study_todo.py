"""What a launch of a study has to do with a cell: nothing that is done already, or on its way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.api.study_choosing import has_adapter, worn_out
from engine.api.study_finding import Standing
from engine.api.study_matching import under_way
from engine.store.records import EvaluationRow, RunRow
from engine.study.expanding import Target, targets_of
from engine.study.found import FoundCell
from engine.types import ACTIVE, Reference, State
from engine.workspace import Workspace


def launched_cells(standing: Standing) -> list[FoundCell]:
    """The cells that are wanted now: those of the arms that were named, or all; and of so many seeds."""
    study = standing.study
    numbers: dict[str, int] = {}
    found = []
    for cell in standing.found.cells:
        number = numbers[cell.cell.arm] = numbers.get(cell.cell.arm, 0) + 1
        if number <= study.wanted_seeds and (not study.wanted or cell.cell.arm in study.wanted):
            found.append(cell)
    return found


def action_of(workspace: Workspace, found: FoundCell, complete: bool) -> str:
    """What a launch does with a cell, in words; `complete`: everything of it is measured."""
    run = found.run
    if found.cell.untuned:
        return "untuned"
    if run is None or worn_out(workspace, run, complete):
        return "train"
    if run.state == State.SUCCEEDED:
        return f"reuse run {run.id}"
    if run.state in ACTIVE or run.state == State.QUEUED:
        return f"wait for run {run.id} ({run.state})"
    return f"resume run {run.id}"


def worn_words(found: FoundCell, worn: RunRow) -> str:
    """Why a run of a cell does not count any more, and what does."""
    run = found.run
    instead = "another is trained" if run is None or run.id == worn.id else f"run {run.id} counts"
    return (
        f"run {worn.id} of {found.cell.arm}, seed {found.cell.seed}, had succeeded, but its adapter went before all "
        f"of it was measured: {instead} in its place"
    )


def missing_targets(standing: Standing, found: FoundCell) -> list[Target]:
    """What a cell would still have to be measured on; failed measurements count as missing."""
    done = {target for target, row in found.measured.items() if under_way(row.state)}
    return [target for target in targets_of(standing.study.scaled, found.cell) if target not in done]


def lost_controls(
    workspace: Workspace, standing: Standing, found: FoundCell, controls: Mapping[Target, EvaluationRow]
) -> str:
    """Why the grey-image controls that a cell lacks can't be measured any more; "" where they can, or none is lacking.

    Args:
        workspace: with the adapter of its run.
        standing: the study.
        found: the cell; another run is not trained in its place, so all that it has to be measured on is measured.
        controls: what there is, by target.
    """
    run = found.run
    if run is None or run.state != State.SUCCEEDED or has_adapter(workspace, run):
        return ""
    clean = [target for target in targets_of(standing.study.scaled, found.cell) if not target.degradation]
    if all(target in controls and under_way(controls[target].state) for target in clean):
        return ""
    return (
        f"run {run.id} of {found.cell.arm}, seed {found.cell.seed}, has lost its adapter: its grey-image controls that "
        "are missing can't be measured any more"
    )


def lacking_references(standing: Standing, done: Iterable[FoundCell]) -> set[tuple[Reference, Target]]:
    """Reference rows that are not even queued beside cells that are done, as after they were cancelled.

    Arms of one protocol share a row, so a row that several of them lack is told once.
    """
    there = {(each.reference, each.target, arm) for each in standing.found.references for arm in each.arms}
    return {
        (reference, target)
        for each in done
        for target in targets_of(standing.study.scaled, each.cell)
        for reference in (() if target.degradation else Reference)
        if (reference, target, each.cell.arm) not in there
    }


def target_words(target: Target) -> str:
    """`Q7 on validation`, with what is done to the images."""
    return f"{target.question} on {target.split}" + (f", {target.degradation}" if target.degradation else "")
