"""Bringing the records of an older version up to date, on behalf of a front end that only reads."""

from __future__ import annotations

from engine.store.connection import BUSY_SECONDS
from engine.store.writer import Writer
from engine.workspace import Workspace


def bring_up_to_date(workspace: Workspace) -> str:
    """Bring an existing runs.db to the version of this program, and return what was done, in a sentence.

    It is one transaction: no row is lost, and where it fails nothing has changed. May wait ten seconds for a lock.

    Raises:
        StoreError: the file cannot be written, is locked, damaged, foreign or newer than this program.
    """
    Writer.open(workspace, busy_seconds=BUSY_SECONDS).close()
    return f"{workspace.database.name} was of an older version. It has been brought up to date; no row was lost."
