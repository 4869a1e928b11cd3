"""A runs.db that is damaged or gone, made anew: backup, what can still be read, journals, folders of runs."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import JobError, SonotuneError
from engine.jobs.journal import FILE_NAME
from engine.jobs.lock import WorkerLock
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.replay import replay
from engine.maintenance.backup import back_up, file_errors, opened, remove, require_whole
from engine.maintenance.daily import snapshots
from engine.maintenance.journals import entries_of, journal_files, living_jobs
from engine.maintenance.orphans import drop_orphans
from engine.maintenance.remaking import LOST_ROW, NOTHING_KNOWN, remake_from_folders
from engine.maintenance.replacing import FRESH, half_replaced, put_in_place
from engine.maintenance.salvage import Salvage, salvage
from engine.store.connection import open_writable
from engine.store.recorded import Measured
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace, is_job_directory

_UNKNOWN = f"{LOST_ROW}; only its curves and evaluations could be read"


@dataclass(slots=True)
class Restored:
    """What came of it."""

    backup: Path | None = None
    """What it began with; None: with nothing."""
    passed_over: list[str] = field(default_factory=list)
    """Newer copies that are damaged or no such database, with the reason; untrusted text."""
    kept: Path | None = None
    """Where the damaged file lies now; None where there was none."""
    salvage: Salvage | None = None
    """What could be read of it."""
    journals: int = 0
    """Journals that were taken in."""
    entries: int = 0
    folders: list[str] = field(default_factory=list)
    """Runs whose row was made again from their folder."""
    unknown: list[int] = field(default_factory=list)
    """Runs of which only curves and evaluations are left."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows that could be read and belong to rows that are lost (answers of a lost evaluation), by table: left out."""
    incomplete: list[str] = field(default_factory=list)
    """Those of them of which not everything could be known, with the reason; untrusted text."""


def restore(workspace: Workspace, backup: Path | None = None) -> Restored:
    """Make runs.db anew, and put it in place when it is whole. Nothing is deleted: the damaged file is renamed.

    Args:
        workspace: with a runs.db that is damaged, or with none.
        backup: what to begin with; None: the newest snapshot in `backups/` that is whole, else nothing. One of an
            older version is copied, and the copy brought up to date.

    Raises:
        JobError: a worker or a job is at work, which would go on writing into the old file.
        StoreError: the backup is damaged, or the disk full; everything is as it was.
    """
    lock = WorkerLock(workspace.worker_lock)
    if not lock.acquire(wait_seconds=2.0):
        raise JobError(
            "A worker is at work here, and would go on writing into the old file",
            next_step="`sonotune worker --stop` ends it; let running jobs end or kill them, then run this again.",
        )
    try:
        if living := living_jobs(workspace):
            raise JobError(
                f"{', '.join(living)} at work here would go on writing into the old file",
                next_step="Let them end, or kill them; then run this again.",
            )
        with file_errors(workspace.database):
            found = _replaced(workspace, backup)
    finally:
        lock.release()
    # What was at work when it broke is dead by now; its journal says how it ended.
    settle_dead_jobs(workspace)
    return found


def _replaced(workspace: Workspace, backup: Path | None) -> Restored:
    found = Restored(backup)
    if backup is None:
        found.backup = _newest_whole(workspace, found.passed_over)
    fresh = workspace.root / FRESH
    remove(fresh)
    try:
        _fill(workspace, fresh, found)
        require_whole(fresh)
        found.kept = put_in_place(workspace.database, fresh)
    finally:
        remove(fresh)
    return found


def _fill(workspace: Workspace, fresh: Path, found: Restored) -> None:
    if found.backup is not None:
        back_up(found.backup, fresh)
    # Where an earlier restore was ended in its last steps, the log of the damaged file lies beside its new name.
    damaged = half_replaced(workspace.database) or workspace.database
    with closing(open_writable(fresh)) as connection:
        if damaged.exists():
            found.salvage = salvage(damaged, connection)
    with Writer(open_writable(fresh), fresh) as writer:
        for remade in remake_from_folders(workspace, writer):
            found.folders.append(remade.folder)
            found.incomplete += [f"{remade.folder}: {remade.missing}"] if remade.missing else []
        for run in writer.missing_runs():
            # Its curves and evaluations were read, its own row was not, and there is no folder that tells what it was.
            name, recipe = f"run {run}", json.dumps({"name": f"run {run}"})
            writer.remake_run(run, name, state=State.INTERRUPTED, reason=_UNKNOWN, recipe=recipe, **NOTHING_KNOWN)
            found.unknown.append(run)
        _take_in_journals(workspace, writer, found)
    with closing(open_writable(fresh)) as connection:
        found.dropped = drop_orphans(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _newest_whole(workspace: Workspace, passed_over: list[str]) -> Path | None:
    for backup in reversed(snapshots(workspace)):
        try:
            opened(backup).close()
            require_whole(backup)
        except SonotuneError as error:
            passed_over.append(f"{backup.name}: {error.title}")
            continue
        return backup
    return None


def _take_in_journals(workspace: Workspace, writer: Writer, found: Restored) -> None:
    folders = [
        (JobKind.TRAINING, run, workspace.root / folder)
        for run, folder in writer.run_directories()
        if folder and is_job_directory(folder)
    ]
    folders += [(kind, job, path.parent) for kind, job, path in journal_files(workspace) if kind is JobKind.EVALUATION]
    for kind, job_id, folder in folders:
        if not (folder / FILE_NAME).exists():
            continue
        entries = entries_of(kind, folder / FILE_NAME)
        if replay(writer, kind, job_id, entries, None):
            found.journals += 1
            found.entries += len(entries)
            if kind is JobKind.TRAINING and any(isinstance(entry, Measured) for entry in entries):
                writer.forget_thinning(job_id)
