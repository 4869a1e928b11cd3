"""Bringing what a journal holds into runs.db: as often as one likes, the result is the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.errors import StoreError
from engine.store.mapping import columns
from engine.store.recorded import Columns, Entry, Owner
from engine.store.writer import Writer
from engine.store.writer_base import ROWS
from engine.store.writer_recording import refuses_values
from engine.types import JobKind

CHUNK = 500
"""Entries a transaction: thousands go in within a second, and nobody else waits long for the lock."""
_NOT_FROM_JOURNALS = frozenset(
    {"id", "name", "state", "reason", "directory", "recipe", "host", "pid", "process_start", "queued_at", "queue_rank"}
)
"""A job never sets them through its recording; who runs, and where, is not for a file to say."""

logger = logging.getLogger(__name__)


def replay(writer: Writer, kind: JobKind, job_id: int, entries: Sequence[Entry], owner: Owner | None) -> bool:
    """Write entries in order, those that are there already included; False where the row is not the owner's.

    An entry whose values the database refuses for good is left out, with a word in the log.

    Raises:
        StoreError: the database cannot be written now.
    """
    for start in range(0, len(entries), CHUNK):
        chunk = [sound for sound in (_sound(kind, entry) for entry in entries[start : start + CHUNK]) if sound]
        if not write_chunk(writer, kind, job_id, chunk, owner):
            return False
    return True


def write_chunk(writer: Writer, kind: JobKind, job_id: int, chunk: Sequence[Entry], owner: Owner | None) -> bool:
    """`Writer.record`, in which one entry that the database refuses for good does not hold up the others."""
    try:
        return writer.record(kind, job_id, chunk, owner, again=True)
    except StoreError as error:
        if not refuses_values(error):
            raise
        if len(chunk) == 1:
            logger.error("left out of %s job %d: %.300r: %s", kind, job_id, chunk[0], error)
            return True
    return all(write_chunk(writer, kind, job_id, [entry], owner) for entry in chunk)


def _sound(kind: JobKind, entry: Entry) -> Entry | None:
    if not isinstance(entry, Columns):
        return entry
    known = set(columns(ROWS[kind])) - _NOT_FROM_JOURNALS
    values = {name: value for name, value in entry.values.items() if name in known}
    return Columns(values) if values else None
