"""Reads for front ends: runs, one run in full, the leaderboard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import StoreError
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import worker_status
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, Note, RunRow
from engine.types import ACTIVE, Event, Score, Split, State
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RunDetails:
    """Everything about one run but its curves and predictions."""

    run: RunRow
    evaluations: list[EvaluationRow]
    scores: dict[int, list[Score]]
    """By evaluation id."""
    events: list[Event]
    tags: list[str]
    notes: list[Note]
    """Oldest first; untrusted text."""


def runs(workspace: Workspace, states: Iterable[State] = (), limit: int = -1) -> list[RunRow]:
    """Runs, newest first; empty where nothing was recorded yet."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    with reader:
        settle_if_alone(workspace, reader)
        return reader.runs(states, limit=limit)


def run_details(workspace: Workspace, run: int | str) -> RunDetails:
    """One run by id or name; JobError where there is none."""
    with open_reader(workspace) as reader:
        settle_if_alone(workspace, reader)
        row = reader.run(run)
        evaluations = reader.evaluations(row.id)
        return RunDetails(
            row,
            evaluations,
            {evaluation.id: reader.scores(evaluation.id) for evaluation in evaluations},
            reader.events(run_id=row.id),
            reader.tags(row.id),
            reader.notes(row.id),
        )


def leaderboard(
    workspace: Workspace, question: str | None = None, split: Split | None = None, dataset: str | None = None
) -> list[dict[str, Any]]:
    """Rows of the leaderboard, reference rows first; empty where nothing was recorded yet."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    with reader:
        return reader.leaderboard(question, split, dataset)


def open_reader(workspace: Workspace) -> Reader:
    """A reader; StoreError with the way out where this workspace has no records."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        raise StoreError(
            f"No runs are recorded in {workspace.root}",
            "There is no runs.db in this workspace.",
            "Change to the workspace, name it with --workspace, or launch a first run: `sonotune demo`.",
        )
    return reader


def settle_if_alone(workspace: Workspace, reader: Reader) -> None:
    """Where no worker is left to notice it (after a restart of the machine, say): mark jobs that died."""
    if reader.jobs(ACTIVE) and not worker_status(workspace).running:
        settle_dead_jobs(workspace)
