"""What is wrong with a workspace's records: looked for, never mended here."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from engine.formatting import size
from engine.jobs.journal import last_attempt
from engine.jobs.lock import holder
from engine.jobs.reconcile import is_dead
from engine.maintenance.backup import is_abandoned
from engine.maintenance.check_weights import adapters, checkpoints
from engine.maintenance.daily import folder_of, snapshots
from engine.maintenance.fault import Fault
from engine.maintenance.journals import entries_of, journal_files
from engine.maintenance.replacing import FRESH, half_replaced, kept_files
from engine.store.connection import explained, open_read_only
from engine.store.reader import Reader
from engine.store.recorded import Answered, Measured
from engine.store.records import JobRow, RunRow
from engine.types import ACTIVE, JobKind
from engine.workspace import Workspace

LARGE_LOG_BYTES = 256 * 2**20
"""A write-ahead log of this size is not taken into the database any more: somebody reads one old snapshot."""
_LEFT = ("*/*.partial", "*/*.old", "*/checkpoints/.partial", "*/checkpoints/.*.gone", "*/checkpoints/*.old")
"""Folders that are half written, put aside or half removed; whoever reads what was put aside takes it back."""
_TAKES_IN = "`sonotune db restore` takes in what journals hold."


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found."""

    runs: int
    evaluations: int
    points: int
    predictions: int
    bytes: int
    faults: tuple[Fault, ...]


def check(workspace: Workspace, now: float, *, quick: bool = False) -> Checked:
    """Look at the database, and at what the rows say about files and processes. Reads only.

    Args:
        workspace: with a runs.db.
        now: Unix time.
        quick: leave out what reads every byte: indexes against tables, hashes of adapters and checkpoints, journals.

    Raises:
        StoreError: it cannot be opened at all.
    """
    faults = list(_database(workspace, quick=quick))
    if faults:
        # Rows of a damaged file say nothing about anything else.
        return Checked(0, 0, 0, 0, workspace.database.stat().st_size, tuple(faults))
    with Reader(workspace) as reader:
        runs, jobs = reader.runs(), reader.jobs(ACTIVE)
        found = [
            *_jobs(workspace, jobs, now),
            *adapters(workspace, runs, quick=quick),
            *([] if quick else checkpoints(workspace, runs)),
            *([] if quick else _journals(workspace, reader, runs, jobs)),
        ]
    with explained(workspace.database), closing(open_read_only(workspace.database)) as connection:
        evaluations, points, predictions = (
            int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608 - literals
            for table in ("evaluations", "metrics", "predictions")
        )
    found += [*_files(workspace), *_leftovers(workspace, jobs)]
    return Checked(len(runs), evaluations, points, predictions, workspace.database.stat().st_size, tuple(found))


def _database(workspace: Workspace, *, quick: bool) -> Iterator[Fault]:
    with explained(workspace.database), closing(open_read_only(workspace.database)) as connection:
        try:
            pragma = "quick_check" if quick else "integrity_check"
            said = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}(20)")]
            foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.DatabaseError as error:
            said, foreign = [str(error)], []
    if said != ["ok"]:
        yield Fault(
            f"{workspace.database.name} is damaged: {'; '.join(said[:3])}",
            "`sonotune db restore` brings back what can be read, and what backups and journals hold.",
        )
    if foreign:
        yield Fault(
            f"{len(foreign)} rows of {workspace.database.name} belong to rows that are not there",
            "Somebody has edited it by hand; `sonotune db restore BACKUP` takes an earlier one.",
        )


def _jobs(workspace: Workspace, jobs: list[JobRow], now: float) -> Iterator[Fault]:
    for job in jobs:
        if is_dead(workspace, job, now):
            yield Fault(f"{job.kind} {job.id} is {job.state}, and its process is gone", "`sonotune runs` settles it.")


def _journals(workspace: Workspace, reader: Reader, runs: list[RunRow], jobs: list[JobRow]) -> Iterator[Fault]:
    """Journals of jobs that nobody is at work on, with steps or answers that the database does not have."""
    active = {(job.kind, job.id) for job in jobs}
    steps = {run.id: run.step for run in runs}
    known = {row.id for row in reader.evaluations()}
    for kind, number, path in journal_files(workspace):
        if (kind, number) in active:
            continue
        if kind is JobKind.TRAINING and number in steps:
            last = max((entry.step for entry in last_attempt(path)[1] if isinstance(entry, Measured)), default=0)
            if last > steps[number]:
                told = f"steps up to {last}, the database up to {steps[number]}"
                yield Fault(f"The journal of run {number} holds {told}", _TAKES_IN)
        elif kind is JobKind.EVALUATION and number in known:
            stored = {prediction.path for prediction in reader.predictions(number)}
            answers = [entry for entry in entries_of(kind, path) if isinstance(entry, Answered)]
            missing = {each.path for entry in answers for each in entry.predictions} - stored
            if missing:
                told = f"{len(missing)} answers that the database does not have"
                yield Fault(f"The journal of evaluation {number} holds {told}", _TAKES_IN)


def _files(workspace: Workspace) -> Iterator[Fault]:
    database = workspace.database
    log = database.with_name(database.name + "-wal")
    kept = [database, log, database.with_name(database.name + "-shm"), *snapshots(workspace), *kept_files(database)]
    for path, mode in [(folder_of(workspace), "700"), *((path, "600") for path in kept)]:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Fault(f"Others may read {path}", f"chmod {mode} {path}")
    if log.exists() and log.stat().st_size > LARGE_LOG_BYTES:
        yield Fault(
            f"The log of {database.name} has grown to {size(log.stat().st_size)}",
            "A program has read the database for very long without closing it; end that program.",
        )


def _leftovers(workspace: Workspace, jobs: list[JobRow]) -> Iterator[Fault]:
    busy = {job.directory for job in jobs}
    beside = [path for pattern in _LEFT for path in workspace.outputs.glob(pattern) if path.is_dir()]
    # What a job is writing at this moment is no leftover either.
    found = [path for path in beside if not any(path.is_relative_to(workspace.root / folder) for folder in busy)]
    copies = [*workspace.root.glob(".*.partial"), *folder_of(workspace).glob(".*.partial")]
    # What a backup is writing at this moment is no leftover.
    found += [path for path in copies if is_abandoned(path)]
    restoring = workspace.root / FRESH  # while a restore is at work, it holds the worker's lock
    found += [restoring] if restoring.exists() and holder(workspace.worker_lock) is None else []
    if found:
        yield Fault(
            f"{len(found)} half-written files were left by processes that were killed: "
            f"{', '.join(str(path.relative_to(workspace.root)) for path in found[:5])}{' ...' if found[5:] else ''}",
            "They are never used, and go when their run is resumed or the command runs again; otherwise remove them by "
            "hand.",
        )
    if (kept := half_replaced(workspace.database)) is not None:
        yield Fault(
            f"A restore was ended in its last steps: {kept} is the damaged file with all that belongs to it",
            "`sonotune db restore` ends it.",
        )
