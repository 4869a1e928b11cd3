"""SQL functions of our own, which every reading connection has."""

from __future__ import annotations

import sqlite3


def add_functions(connection: sqlite3.Connection) -> None:
    """Teach a connection `fold`: SQLite's own `lower` knows the 26 letters of English alone."""
    connection.create_function("fold", 1, _fold, deterministic=True)


def _fold(value: object) -> str | None:
    return None if value is None else str(value).casefold()
