"""Rows that belong to rows which are not there: removed and counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator


def drop_orphans(connection: sqlite3.Connection) -> dict[str, int]:
    """Remove rows whose parent is missing, until none is left; how many, by table.

    By foreign key and not by row id: some tables have none.

    Args:
        connection: in autocommit mode; foreign keys are switched off for it.
    """
    connection.execute("PRAGMA foreign_keys = OFF")
    statements = [(table, statement) for table in _tables(connection) for statement in _deletes(connection, table)]
    dropped: dict[str, int] = {}
    connection.execute("BEGIN IMMEDIATE")
    more = True
    while more:
        more = False
        for table, statement in statements:
            if count := connection.execute(statement).rowcount:
                dropped[table] = dropped.get(table, 0) + count
                more = True
    connection.execute("COMMIT")
    return dropped


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _deletes(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """A statement for each foreign key of a table; names are those of the schema."""
    keys: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, parent, column, referred, *_ in connection.execute(f'PRAGMA foreign_key_list("{table}")'):
        keys.setdefault(number, []).append((parent, column, referred))
    for columns in keys.values():
        parent = columns[0][0]
        primary = [row[1] for row in connection.execute(f'PRAGMA table_info("{parent}")') if row[5]]
        pairs = [(column, referred or primary[place]) for place, (_, column, referred) in enumerate(columns)]
        given = " AND ".join(f'"{table}"."{column}" IS NOT NULL' for column, _ in pairs)
        same = " AND ".join(f'parent."{referred}" = "{table}"."{column}"' for column, referred in pairs)
        yield f'DELETE FROM "{table}" WHERE {given} AND NOT EXISTS (SELECT 1 FROM "{parent}" AS parent WHERE {same})'  # noqa: S608
