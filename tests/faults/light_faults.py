"""Faults that only the process itself can suffer: its own connections to runs.db, its own limits."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from engine.jobs.session import JobSession

_connections: list[sqlite3.Connection] = []
_pragmas: list[str] = []
"""They hold for each connection that is opened from now on."""


class Connection(sqlite3.Connection):
    """SQLite's own; one that is opened while a fault lasts has it as well."""

    def __init__(self, *given: Any, **others: Any) -> None:
        # The fault is switched on and off from another thread.
        super().__init__(*given, **{**others, "check_same_thread": False})
        _connections.append(self)
        for pragma in _pragmas:
            self.execute(pragma)


def install() -> None:
    """Every connection of this process is one of those above."""
    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **others: connect(*given, **{**others, "factory": Connection})  # type: ignore


def _everywhere(pragma: str) -> None:
    for connection in list(_connections):
        try:
            connection.execute(pragma)
        except sqlite3.ProgrammingError:  # closed meanwhile
            _connections.remove(connection)


def _for_a_while(begin: str, end: str, seconds: float) -> None:
    _pragmas.append(begin)
    _everywhere(begin)

    def over() -> None:
        _pragmas.remove(begin)
        _everywhere(end)

    threading.Timer(seconds, over).start()


def _read_only(session: JobSession, wanted: dict[str, Any]) -> None:
    _for_a_while("PRAGMA query_only = ON", "PRAGMA query_only = OFF", wanted["fault_seconds"])


def _full(session: JobSession, wanted: dict[str, Any]) -> None:
    # SQLite never goes below the pages that there are: the next new page is refused with "disk is full".
    _for_a_while("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823", wanted["fault_seconds"])


def _file_size(session: JobSession, wanted: dict[str, Any]) -> None:
    # Writes beyond it fail with EFBIG (Python ignores SIGXFSZ): runs.db, its log and the journal alike.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    threading.Timer(wanted["fault_seconds"], lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))).start()


BEGIN: dict[str, Callable[[JobSession, dict[str, Any]], None]] = {
    "read-only": _read_only,
    "full": _full,
    "file size": _file_size,
}
