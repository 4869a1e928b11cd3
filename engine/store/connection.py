"""Opening runs.db, and turning SQLite's errors into ones that say what to do."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from engine.errors import OutdatedError, StoreError, UnmadeError
from engine.store.functions import add_functions
from engine.store.location import refuse_network_file_system
from engine.store.migrations import LATEST, migrate, schema_version

BUSY_SECONDS = 10.0
"""How long a statement waits for another writer."""


def explain(error: sqlite3.Error, database: Path) -> StoreError:
    """The StoreError for what SQLite said about `database`."""
    said = str(error)
    low = said.lower()
    if "locked" in low or "busy" in low:
        return StoreError(
            f"{database.name} is locked by another program",
            f"{database}: {said}.",
            "Close the program that holds it open for writing (a database browser, a sqlite3 shell), then try again.",
        )
    if "not a database" in low or "malformed" in low or "file is encrypted" in low:
        return StoreError(
            f"{database.name} is damaged or no database",
            f"{database}: {said}.",
            "`sonotune db restore` makes it anew from the newest backup, from what can still be read, and from the "
            "journals of runs; the damaged file is kept.",
        )
    if "unable to open" in low or "readonly" in low or "read-only" in low or "i/o error" in low:
        return StoreError(
            f"{database.name} cannot be opened",
            f"{database}: {said}.",
            "Check that it is a file on a disk in order, in a folder that you may write to, or choose another folder "
            "with --workspace.",
        )
    if "full" in low:
        return StoreError(
            "The disk is full", f"{database}: {said}.", "Free some space, then run the command again; nothing is lost."
        )
    return StoreError(f"{database.name} refused a request", f"{database}: {said}.", "Run `sonotune doctor`.")


@contextlib.contextmanager
def explained(database: Path) -> Iterator[None]:
    """Raise StoreError instead of sqlite3.Error inside the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, database) from error


def open_writable(
    database: Path, busy_seconds: float = BUSY_SECONDS, up_to: int = LATEST, *, make: bool = True
) -> sqlite3.Connection:
    """Open `database` for writing in autocommit mode; make it (owner-only) and bring its schema up to date first.

    Args:
        database: path of the file.
        busy_seconds: how long a statement waits for another writer.
        up_to: schema version to bring it to (tests stop earlier).
        make: False: a file that is missing stays missing, and an empty one empty.

    Raises:
        StoreError: on a network file system, for a newer or foreign database, for a locked or damaged one, and for a
            missing or empty one that shall not be made.
    """
    if make:
        _make(database)
    with explained(database):
        # Without `make` SQLite itself is told to make none: a look before it would leave a moment in between.
        source = str(database) if make else f"{database.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(source, uri=not make, timeout=busy_seconds, isolation_level=None)
        try:
            if not make and not schema_version(connection, str(database)):
                raise UnmadeError(f"{database.name} is empty", "Nothing was ever recorded in it.")
            _enter_wal(connection, str(database), busy_seconds)
            migrate(connection, str(database), up_to)
            connection.execute("PRAGMA foreign_keys = ON")
            # In WAL mode NORMAL cannot corrupt; a power cut may lose the last moments, and no write waits for the disk.
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
    return connection


def _make(database: Path) -> None:
    with _folder_made(database):
        database.parent.mkdir(parents=True, exist_ok=True)
        refuse_network_file_system(database)
        # Made by hand because SQLite would obey the umask; -wal and -shm copy the mode of this file. An existing file
        # must not be opened here: closing it would drop the locks of this process's other connections.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextlib.contextmanager
def _folder_made(database: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{database.name} cannot be made",
            f"{database}: {error.strerror or error}.",
            "Check the folder's permissions, or choose another with --workspace.",
        ) from error


def _enter_wal(connection: sqlite3.Connection, source: str, busy_seconds: float) -> None:
    """Switch to write-ahead logging once the database is known to be ours."""
    schema_version(connection, source)
    deadline = time.monotonic() + busy_seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # Another process is switching at this moment; SQLite doesn't wait for that by itself.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def open_read_only(database: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open an existing `database` for reading; nothing is ever created in it.

    Raises:
        StoreError: it is missing, foreign, damaged, or of another schema version.
    """
    if not database.exists():
        raise StoreError(
            f"There is no {database.name} here",
            f"{database.parent} holds no record of runs.",
            "Import data first (`sonotune data import phantoms`), or choose another folder with --workspace.",
        )
    with explained(database):
        connection = sqlite3.connect(_read_only_uri(database), uri=True, timeout=busy_seconds, isolation_level=None)
        try:
            version = schema_version(connection, str(database))
            add_functions(connection)
        except BaseException:
            connection.close()
            raise
    if version < LATEST:
        connection.close()
        raise (OutdatedError if version else UnmadeError)(
            f"{database.name} is of an older version",
            f"Its schema version is {version}; this sonotune reads version {LATEST}.",
            "Run `sonotune doctor`: it brings the database up to date without losing a row.",
        )
    return connection


def _read_only_uri(database: Path) -> str:
    # A WAL database asks for its -shm file even to be read; on a read-only medium without one, only `immutable` works.
    quiet = not os.access(database.parent, os.W_OK) and not database.with_name(database.name + "-wal").exists()
    return f"{database.resolve().as_uri()}?{'immutable=1' if quiet else 'mode=ro'}"
