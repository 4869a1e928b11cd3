"""Keeping runs.db in order, for commands and the worker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import StoreError, UsageError
from engine.maintenance.backup import back_up
from engine.maintenance.check import Checked, check
from engine.maintenance.compact import Compacted, compact
from engine.maintenance.fault import Fault
from engine.maintenance.restore import Restored, restore
from engine.store.reader import Reader
from engine.workspace import Workspace

__all__ = [
    "Checked",
    "Compacted",
    "Fault",
    "Restored",
    "back_up_database",
    "check_database",
    "compact_database",
    "restore_database",
]

DAY = 86_400.0
Progress = Callable[[int, int], None]


def check_database(workspace: Workspace, *, quick: bool = False) -> Checked:
    """Look for damage in runs.db, and for rows that disagree with files and processes. Reads only.

    Raises:
        StoreError: there is no runs.db, or it cannot be opened at all.
    """
    _require(workspace)
    return check(workspace, time.time(), quick=quick)


def back_up_database(
    workspace: Workspace, target: Path | None = None, *, replace: bool = False, progress: Progress | None = None
) -> tuple[Path, int]:
    """Copy runs.db while it is used; the file and its size in bytes.

    Args:
        workspace: with a runs.db.
        target: of the copy; None: `backups/runs-DATE-TIME.db` in the workspace.
        replace: whether an existing file may be replaced.
        progress: takes the bytes that are done and all of them.

    Raises:
        UsageError, StoreError: see `engine.maintenance.backup.back_up`.
    """
    _require(workspace)
    if target is None:
        folder = workspace.root / "backups"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made", f"{error.strerror or error}.", "Name a file for the copy."
            ) from error
        target = folder / time.strftime("runs-%Y-%m-%d-%H%M%S.db")
    return target, back_up(workspace.database, target.expanduser(), replace=replace, progress=progress)


def compact_database(
    workspace: Workspace,
    days: float,
    *,
    buckets: int,
    except_tag: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Compacted:
    """Thin curves and telemetry of runs that ended so many days ago; see `engine.maintenance.compact`."""
    _require(workspace)
    if not 0 <= days < math.inf or buckets < 1:
        raise UsageError("Days and buckets are counted from zero and one on")
    before = time.time() - days * DAY
    return compact(
        workspace.database, before, buckets=buckets, except_tag=except_tag, dry_run=dry_run, progress=progress
    )


def restore_database(workspace: Workspace, backup: Path | None = None) -> Restored:
    """Make runs.db anew from a backup and all that can be read; see `engine.maintenance.restore`."""
    if backup is not None and not backup.expanduser().is_file():
        raise UsageError(f"There is no backup {backup}", next_step="`ls backups/` shows the automatic ones.")
    return restore(workspace, None if backup is None else backup.expanduser())


def _require(workspace: Workspace) -> None:
    """Raise a StoreError where there is no runs.db."""
    if not workspace.database.exists():
        Reader(workspace).close()
