"""Is runs.db still the file that was opened? Putting it back where it was deleted under its users."""

from __future__ import annotations

import contextlib
import logging
import os
from enum import StrEnum
from pathlib import Path

from engine.errors import JobError, StoreError
from engine.files import flush
from engine.jobs.file_lock import held
from engine.store.writer import Writer
from engine.workspace import Workspace

FileId = tuple[int, int]
"""Device and inode."""
_PATH_ONLY: int = getattr(os, "O_PATH", 0)
LOCK_NAME = "runs.db.restore.lock"

logger = logging.getLogger(__name__)


class Place(StrEnum):
    """What stands where runs.db was opened."""

    SAME = "same"
    """The file itself."""
    OTHER = "other"
    """Another file: replaced, or put back by somebody."""
    DELETED = "deleted"
    """Nothing, and the file has no other name."""
    MOVED = "moved"
    """Nothing: the file lies elsewhere now."""


def file_id(workspace: Workspace) -> FileId | None:
    """Which file lies at the place of runs.db; None where there is none, or it cannot be told."""
    try:
        found = workspace.database.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class DatabaseFile:
    """The file that lies at the place of runs.db now, also after it has lost that place."""

    def __init__(self, workspace: Workspace) -> None:
        """Raises StoreError where there is none."""
        self._workspace = workspace
        self._descriptor: int | None = None
        try:
            if _PATH_ONLY:
                # A descriptor of the path alone: closing another kind would drop the locks of SQLite's own.
                self._descriptor = os.open(workspace.database, _PATH_ONLY | os.O_CLOEXEC)
            found = workspace.database.stat() if self._descriptor is None else os.fstat(self._descriptor)
        except OSError as error:
            raise StoreError(
                f"There is no {workspace.database.name} here", f"{workspace.database}: {error.strerror or error}."
            ) from error
        self.id: FileId = (found.st_dev, found.st_ino)

    def place(self) -> Place:
        """Where it is now. Two system calls."""
        try:
            found = self._workspace.database.stat()
        except FileNotFoundError:
            deleted = self._descriptor is None or os.fstat(self._descriptor).st_nlink == 0
            return Place.DELETED if deleted else Place.MOVED
        except OSError:
            return Place.SAME  # a folder that cannot be looked into now
        return Place.SAME if (found.st_dev, found.st_ino) == self.id else Place.OTHER

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def put_back(workspace: Workspace, writer: Writer) -> bool:
    """Write the deleted database that `writer` still has open to its place again; False where somebody was faster.

    Everybody who has the deleted file open must open the new one afterwards; what they wrote to the old one in the
    meantime is in their journals.

    Raises:
        StoreError: the copy cannot be written.
    """
    database = workspace.database
    copy = database.with_name(f".{database.name}.{os.getpid()}.restored")
    try:
        with held(database.with_name(LOCK_NAME), "runs.db is being put back by another process", wait_seconds=60.0):
            copy.unlink(missing_ok=True)
            # Made here, owner-only, because SQLite would obey the umask; it fills an empty file.
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            writer.copy_into(str(copy))
            flush(copy)
            return _place(workspace, copy)
    except JobError:
        return False
    except OSError as error:
        raise StoreError(
            f"{database.name} cannot be put back", f"{error.filename or database}: {error.strerror or error}."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            copy.unlink(missing_ok=True)


def _place(workspace: Workspace, copy: Path) -> bool:
    database = workspace.database
    if database.exists():
        return False
    # The log of the deleted file, which nobody can reach any more but who has it open: left here, SQLite would take it
    # for the log of the new file.
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    try:
        os.link(copy, database)  # and no rename: it would replace a file that has come in this instant
    except FileExistsError:
        return False
    except OSError:
        if database.exists():
            return False
        copy.rename(database)  # a file system without hard links
    flush(database.parent)
    logger.warning("%s had been deleted and was put back with all its rows", database)
    return True
