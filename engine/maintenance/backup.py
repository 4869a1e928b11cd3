"""A copy of runs.db that is made while jobs write: whole, checked, for its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.errors import OutdatedError, StoreError, UnmadeError, UsageError
from engine.files import flush, free_bytes
from engine.formatting import size
from engine.store.connection import BUSY_SECONDS, explained, open_read_only

PAGES = 2000
"""Pages between two calls of the progress: 8 MB."""
BESIDE = ("-wal", "-shm", "-journal")
"""Endings of what SQLite keeps beside a database."""
CLOCK_STEP = 0.02
"""Seconds that the time of a file may lag behind the clock: the kernel takes it from its last tick."""

Progress = Callable[[int, int], None]
"""Takes the bytes that are done and all of them."""


def back_up(database: Path, target: Path, *, replace: bool = False, progress: Progress | None = None) -> int:
    """Copy `database` as it is at this moment into `target`, and look whether the copy is whole.

    Writers do not wait: in WAL mode the copy reads one snapshot, however much is written meanwhile. `target` appears
    when it is complete and on disk; its time of change is the moment of the snapshot. A database of an older version
    is copied as it is.

    Args:
        database: an existing runs.db.
        target: of the copy.
        replace: whether an existing file may be replaced.
        progress: see `Progress`.

    Returns:
        Size of the copy in bytes.

    Raises:
        UsageError: the target exists, has no folder, or is the database itself.
        StoreError: there is no room, or one of both cannot be read or written; the target is as it was.
    """
    with file_errors(target):
        _refuse(database, target, replace=replace)
        with closing(opened(database)) as source:
            require_room(database, target.parent)
            remove_abandoned(target)
            with _written_beside(target) as partial:
                moment = time.time() - CLOCK_STEP
                copy_snapshot(source, partial, database, progress)
                require_whole(partial, database.name)
                os.utime(partial, (moment, moment))
        return target.stat().st_size


def _refuse(database: Path, target: Path, *, replace: bool) -> None:
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}", next_step="Make it, or choose another file.")
    own = [database, *_beside(database)]
    if any(_same(one, other) for one in (target, *_beside(target)) for other in own):
        # The rename would put a copy in the place of the file that jobs have open.
        raise UsageError(f"{target} is the database itself, or belongs to it", next_step="Choose another file.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder", next_step=f"Name a file, such as {target / 'runs-copy.db'}.")
    if os.path.lexists(target) and not replace:
        raise UsageError(f"{target} exists already", next_step="Choose another file, or replace it with --force.")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths name one file, by whatever link, or would if it were there."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _beside(database: Path) -> list[Path]:
    return [database.with_name(database.name + ending) for ending in BESIDE]


def opened(database: Path) -> sqlite3.Connection:
    """A connection that reads; also to a database of an older version, which is copied as it is."""
    try:
        return open_read_only(database)
    except UnmadeError:
        raise  # it is empty, and no database of any version
    except OutdatedError:
        with explained(database):
            uri = f"{database.resolve().as_uri()}?mode=ro"
            return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def copy_snapshot(source: sqlite3.Connection, target: Path, database: Path, progress: Progress | None = None) -> None:
    """Copy what a connection sees now into a new file."""

    def told(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress((total - remaining) * page, total * page)

    with explained(database):
        page = int(source.execute("PRAGMA page_size").fetchone()[0])
        # An open transaction keeps the snapshot; without it a write of somebody else would begin the copy anew.
        source.execute("BEGIN")
        try:
            source.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                source.backup(copy, pages=PAGES, progress=told, sleep=0.0)
                # Without a log of its own a copy can be read without leaving anything beside it.
                copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        finally:
            source.execute("ROLLBACK")


def require_room(database: Path, folder: Path) -> None:
    """Raise StoreError where a copy of the database finds no room in a folder."""
    needed, free = stored_bytes(database), free_bytes(folder)
    if free < needed * 1.1:
        raise StoreError(
            f"There is no room for a copy in {folder}",
            f"It needs {size(int(needed * 1.1))}, and {size(free)} are free.",
            "Free some space, or choose a file on another disk.",
        )


def require_whole(database: Path, name: str | None = None) -> None:
    """Raise StoreError, with `name` for the file where one is given, unless every page and index is in order."""
    called = database.with_name(name or database.name)
    with (
        explained(called),
        closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise StoreError(
            f"{called.name} is damaged",
            "; ".join(found),
            "`sonotune db restore` brings back what can be read, and what backups and journals hold.",
        )


def stored_bytes(database: Path) -> int:
    """Size of a database with what still stands in its log."""
    log = database.with_name(database.name + "-wal")
    return database.stat().st_size + (log.stat().st_size if log.exists() else 0)


def remove_abandoned(target: Path) -> None:
    """Remove what backups to the same file have left that were killed in the middle."""
    for partial in target.parent.glob(f".{target.name}.*.partial"):
        if is_abandoned(partial):
            remove(partial)


def is_abandoned(partial: Path) -> bool:
    """Whether nobody writes a half-made copy any more: its maker holds a lock on it, which ends with the process."""
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _written_beside(target: Path) -> Iterator[Path]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    # Made by hand, because SQLite would obey the umask.
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield partial
        flush(partial)
        # A log that stood beside the file which is replaced would be taken for the copy's own.
        for file in _beside(target):
            file.unlink(missing_ok=True)
        partial.rename(target)
        flush(target.parent)
    finally:
        os.close(descriptor)
        remove(partial)


@contextmanager
def file_errors(target: Path) -> Iterator[None]:
    """Raise StoreError instead of OSError inside the block, in which `target` is written."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written",
            f"{error.filename or target}: {error.strerror or error}.",
            "Check free disk space and permissions, or choose another file.",
        ) from error


def remove(database: Path) -> None:
    """Remove a database file with what belongs to it."""
    for file in (*_beside(database), database):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
