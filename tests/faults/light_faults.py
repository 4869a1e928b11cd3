"""Faults that only the process itself can suffer: its own connections to runs.db, its own limits."""

from __future__ import annotations

import resource
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from engine.jobs.session import JobSession

_wanted: list[str] = [""]
"""The pragma that holds for each connection from its next statement on; at first none."""


class Connection(sqlite3.Connection):
    """SQLite's own, with the fault that lasts. Its own thread switches it on and off, before the next statement: a
    connection that is closed while another thread uses it crashes Python."""

    _have = ""

    def cursor(self, *given: Any, **others: Any) -> sqlite3.Cursor:
        """What `execute` asks for as well."""
        if self._have != (wanted := _wanted[0]):
            self._have = wanted
            super().cursor().execute(wanted)
        return super().cursor(*given, **others)


def install() -> None:
    """Every connection of this process is one of those above."""
    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **others: connect(*given, **{**others, "factory": Connection})  # type: ignore


def _for_a_while(begin: str, end: str, seconds: float) -> None:
    _wanted[0] = begin
    threading.Timer(seconds, _wanted.__setitem__, (0, end)).start()


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
