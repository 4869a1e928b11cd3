"""The ordered, append-only migrations of runs.db.

The number of applied migrations also stands in SQLite's `user_version`, so that a current database opens without
importing sqlite-utils (0.6 s); `application_id` tells a sonotune database from any other.
"""

from __future__ import annotations

import sqlite3

from engine.errors import StoreError
from engine.store import (
    schema_0001_core,
    schema_0002_studies,
    schema_0003_workbench,
    schema_0004_evidence,
    schema_0005_studies,
    schema_0006_memory,
    schema_0007_reliability,
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0001_core", schema_0001_core.STATEMENTS),
    ("0002_studies", schema_0002_studies.STATEMENTS),
    ("0003_workbench", schema_0003_workbench.STATEMENTS),
    ("0004_evidence", schema_0004_evidence.STATEMENTS),
    ("0005_studies", schema_0005_studies.STATEMENTS),
    ("0006_memory", schema_0006_memory.STATEMENTS),
    ("0007_reliability", schema_0007_reliability.STATEMENTS),
)
"""Name and statements of each migration. Append only: an applied one is never edited, removed or moved."""

LATEST = len(MIGRATIONS)
"""Schema version that this code reads and writes."""

APPLICATION_ID = 0x534F4E4F
"""'SONO', in SQLite's header field for the kind of application."""


# One statement, so that a migration that is committed meanwhile is seen as a whole or not at all.
_MARKS = """
SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),
       (SELECT COUNT(*) FROM sqlite_master)
"""


def schema_version(connection: sqlite3.Connection, source: str) -> int:
    """Number of migrations applied; 0 for an empty database.

    Args:
        connection: an open connection to `source`.
        source: path of the database, for the message.

    Raises:
        StoreError: the database belongs to another program, or to a newer sonotune.
    """
    version, application, objects = connection.execute(_MARKS).fetchone()
    if application != APPLICATION_ID and (objects or version or application):
        raise StoreError(
            f"{source} belongs to another program",
            "It is an SQLite database, but sonotune did not make it.",
            "Choose another folder with --workspace, or move that file away.",
        )
    if version > LATEST:
        raise StoreError(
            f"{source} was written by a newer sonotune",
            f"Its schema version is {version}; this sonotune knows versions up to {LATEST}.",
            "Update sonotune, or choose another folder with --workspace. The file was not changed.",
        )
    return int(version)


def migrate(connection: sqlite3.Connection, source: str, up_to: int = LATEST) -> int:
    """Bring the database to version `up_to` (tests stop earlier) and return the version it has afterwards.

    The connection must be in autocommit mode (`isolation_level=None`). All of it is one transaction: a migration
    that fails leaves the database as it was, and of two processes that come at once the second finds nothing to do.

    Raises:
        StoreError: see `schema_version`.
    """
    version = schema_version(connection, source)
    if version >= up_to:
        return version
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection, source)
        if version < up_to:
            _apply(connection, up_to)
            version = up_to
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return version


def _apply(connection: sqlite3.Connection, up_to: int) -> None:
    # Here and not at the top: sqlite-utils costs 0.6 s, and a current database never needs it.
    from sqlite_utils import Database, Migrations

    migrations = Migrations("sonotune")
    for name, statements in MIGRATIONS[:up_to]:

        def run(database: Database, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                database.conn.execute(statement)

        migrations(name=name)(run)
    migrations.apply(Database(connection))
    # PRAGMA takes no parameters; both values are integers of this module.
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {up_to}")
