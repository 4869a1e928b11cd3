"""Reading what can still be read of a damaged database: row by row, around the pages that are gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SINGLE = 4096
"""Row ids behind a damaged place that are tried one by one; what comes behind is looked for in growing strides."""
_LAST = 2**63 - 1


@dataclass(slots=True)
class Salvaged:
    """What came of one table."""

    table: str
    rows: int = 0
    gaps: int = 0
    """Places at which rows could not be read; how many stood there nobody can tell."""
    refused: int = 0
    """Rows that could be read, and that the new database does not take: they are no sound rows."""
    error: str = ""
    """Why nothing at all could be read; "" where something was."""


@dataclass(slots=True)
class Salvage:
    """What came of all tables."""

    tables: list[Salvaged] = field(default_factory=list)
    error: str = ""
    """Why the file could not even be opened; "" where it could."""


def salvage(damaged: Path, target: sqlite3.Connection) -> Salvage:
    """Copy every row that can be read into `target`, where a newer row replaces an older one of the same key.

    Args:
        damaged: a file that is no sound database any more; it is opened read-only.
        target: a sound database of the same schema version, in autocommit mode.
    """
    found = Salvage()
    try:
        source = sqlite3.connect(f"{damaged.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        # Otherwise SQLite refuses a file that is shorter than its header says, though its other pages are whole.
        source.execute("PRAGMA writable_schema = ON")
        source.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
        source.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        found.error = str(error)
        return found
    target.execute("PRAGMA foreign_keys = OFF")
    for table, columns in _tables(target):
        found.tables.append(_copy(source, target, table, columns))
    _raise_sequences(source, target)
    source.close()
    return found


def _tables(target: sqlite3.Connection) -> list[tuple[str, list[str]]]:
    """Tables with their columns."""
    names = [
        str(row[0]) for row in target.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    ]
    return [(name, _columns(target, name)) for name in names if not name.startswith(("sqlite_", "_sqlite"))]


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _raise_sequences(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Give no id again that was given before: folders of lost runs carry theirs."""
    statement = "UPDATE sqlite_sequence SET seq = MAX(seq, ?2) WHERE name = ?1"
    missing = """INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)"""
    known = {name for name, _ in _tables(target)}
    try:
        given = source.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    except sqlite3.DatabaseError:
        return  # then the largest id that was read counts
    for name, last in given:
        if name in known and isinstance(last, int) and 0 < last < 2**53:
            for each in (statement, missing):
                target.execute(each, (name, last))


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str, columns: Sequence[str]) -> Salvaged:
    found = Salvaged(table)
    try:
        there = set(_columns(source, table))
    except sqlite3.DatabaseError as error:
        found.error = str(error)
        return found
    # A file of an older version lacks some. Asked for by name, SQLite would take them for texts in quotes.
    shared = [name for name in columns if name in there]
    if not shared:
        return found
    names = ", ".join(f'"{name}"' for name in shared)
    insert = f'INSERT OR {{}} INTO "{table}" ({names}) VALUES ({", ".join("?" * len(shared))})'  # noqa: S608
    kinds = _kinds(target, table, shared)
    target.execute("BEGIN IMMEDIATE")
    for row in _rows(source, target, table, names, found):
        if not all(value is None or isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
            found.refused += 1  # a page of another table stands in the place of this one's
            continue
        try:
            target.execute(insert.format("IGNORE" if _is_doubtful(row) else "REPLACE"), row)
            found.rows += 1
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):
            found.refused += 1
    target.execute("COMMIT")
    return found


def _kinds(target: sqlite3.Connection, table: str, names: Sequence[str]) -> list[tuple[type, ...]]:
    """What Python reads from a sound value of each column, by its declared type."""
    known: dict[str, tuple[type, ...]] = {"INTEGER": (int,), "REAL": (int, float), "TEXT": (str,), "BLOB": (bytes,)}
    declared = {row[1]: str(row[2]).upper() for row in target.execute(f'PRAGMA table_info("{table}")')}
    return [known.get(declared[name], (object,)) for name in names]


def _is_doubtful(row: Sequence[object]) -> bool:
    """Whether a text looks like one whose further pages are gone: such a row replaces none of a backup."""
    return any(isinstance(value, str) and ("\ufffd" in value or "\0" in value) for value in row)


def _rows(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, names: str, found: Salvaged
) -> Iterator[Sequence[object]]:
    without = target.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (table,)).fetchone()[0]
    return (_from_both_ends if without else _by_row_id)(source, table, names, found)


def _by_row_id(source: sqlite3.Connection, table: str, names: str, found: Salvaged) -> Iterator[Sequence[object]]:
    """Rows in order until one cannot be read, then on behind it."""
    statement = f'SELECT rowid, {names} FROM "{table}" WHERE rowid >= ? ORDER BY rowid'  # noqa: S608
    start: int = -_LAST
    last: int | None = None
    while True:
        try:
            for row in source.execute(statement, (start,)):
                if row[0] < start or (last is not None and row[0] <= last):
                    # A page that stands in the place of another may lead back to where we were, without end.
                    raise sqlite3.DatabaseError("rows are out of order")
                last = row[0]
                yield row[1:]
            return
        except sqlite3.DatabaseError as error:
            found.gaps += 1
            found.error = str(error)
        after = _readable_after(source, table, names, max(start, 0 if last is None else last))
        if after is None:
            return
        start, last = after, None


def _readable_after(source: sqlite3.Connection, table: str, names: str, row_id: int) -> int | None:
    """The next row id from which on something can be read: near ones one by one, far ones to a stride; or None."""
    at, stride = row_id, 1
    for tried in range(_SINGLE + 64):
        stride = stride * 2 if tried >= _SINGLE else 1
        if at + stride > _LAST:
            return None
        if _is_readable(source, table, names, at + stride):
            break
        at += stride
    low, high = at, at + stride
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_readable(source, table, names, middle) else (middle, high)
    return high


def _is_readable(source: sqlite3.Connection, table: str, names: str, row_id: int) -> bool:
    # All of the row: a page behind it, on which a long text goes on, may be the one that is gone.
    statement = f'SELECT rowid, {names} FROM "{table}" WHERE rowid >= ? ORDER BY rowid LIMIT 1'  # noqa: S608
    try:
        row = source.execute(statement, (row_id,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return row is None or row[0] >= row_id


def _from_both_ends(source: sqlite3.Connection, table: str, names: str, found: Salvaged) -> Iterator[Sequence[object]]:
    """All rows in order until one cannot be read, then backwards from the end until the same."""
    keys = [str(row[1]) for row in source.execute(f'PRAGMA table_info("{table}")') if row[5]]
    order = ", ".join(f'"{key}"' for key in keys) or "rowid"
    for direction in ("ASC", "DESC"):
        ordered = ", ".join(f"{key} {direction}" for key in order.split(", "))
        try:
            yield from source.execute(f'SELECT {names} FROM "{table}" ORDER BY {ordered}')  # noqa: S608
        except sqlite3.DatabaseError as error:
            found.gaps += direction == "ASC"
            found.error = str(error)
        else:
            return
