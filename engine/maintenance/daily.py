"""Backups that nobody has to think of: one a day in `backups/`, the newest three kept."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from engine.errors import StoreError
from engine.files import free_bytes
from engine.maintenance.backup import back_up, remove, stored_bytes
from engine.workspace import Workspace

KEPT = 3
ROOM = 3
"""Times the database that must be free: a backup must not be what fills the disk."""
_NAME = re.compile(r"runs-\d{4}-\d\d-\d\d\.db")


def backups(workspace: Workspace, now: float | None = None) -> list[Path]:
    """Automatic backups, the oldest snapshot first."""
    return [path for path in snapshots(workspace, now) if _NAME.fullmatch(path.name)]


def snapshots(workspace: Workspace, now: float | None = None) -> list[Path]:
    """All copies in `backups/`, those that were asked for too, the oldest snapshot first.

    The time of a copy is the moment of its snapshot. One from the future was made while the clock was ahead: nobody
    knows when, and it comes before all others, so that it neither stops new ones nor outlives them.
    """
    folder = folder_of(workspace)
    present = time.time() if now is None else now
    found = [
        (made <= present, made, path.name, path)
        for path in (folder.glob("*.db") if folder.is_dir() else ())
        if path.is_file() and not path.name.startswith(".")
        for made in (path.stat().st_mtime,)
    ]
    return [path for *_, path in sorted(found)]


def folder_of(workspace: Workspace) -> Path:
    """Where they lie."""
    return workspace.root / "backups"


def back_up_when_due(workspace: Workspace, now: float | None = None) -> Path | None:
    """Make the backup of today, where there is none, something has changed since the last, and there is room.

    Returns:
        The backup, or None where none was due.

    Raises:
        StoreError: it was due, and could not be made.
    """
    present = time.time() if now is None else now
    target = due(workspace, present)
    if target is None:
        return None
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{target.parent} cannot be made", f"{error.strerror or error}.", "Move away what stands at that name."
        ) from error
    back_up(workspace.database, target)
    others = [path for path in backups(workspace, present) if path != target]
    for old in others[: -(KEPT - 1)]:
        remove(old)
    return target


def due(workspace: Workspace, now: float) -> Path | None:
    """The backup that should be made now, if any. Costs a few looks at files."""
    if not workspace.database.exists():
        return None
    target = folder_of(workspace) / time.strftime("runs-%Y-%m-%d.db", time.localtime(now))
    last = max((made for path in backups(workspace, now) if (made := path.stat().st_mtime) <= now), default=0.0)
    # A folder or a broken link at that name is nothing to replace either.
    if os.path.lexists(target) or last > _changed(workspace.database):
        return None
    return target if free_bytes(workspace.root) > ROOM * stored_bytes(workspace.database) else None


def _changed(database: Path) -> float:
    log = database.with_name(database.name + "-wal")
    # An empty log is made by whoever opens the database, also to read; it tells of no change.
    written = [database.stat()]
    with contextlib.suppress(FileNotFoundError):  # taken into the database a moment ago
        written.append(log.stat())
    return max(each.st_mtime for each in written if each.st_size)
