"""The part of a recording that brings into runs.db, from a thread of its own, what that has refused."""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import islice
from pathlib import Path

from engine.errors import StoreError
from engine.jobs.database_file import FileId, file_id
from engine.jobs.journal import Attempt, Ending, Journal, lines_of
from engine.jobs.outage import Outage
from engine.jobs.replay import CHUNK, replay, write_chunk
from engine.store.recorded import Entry, Happened
from engine.store.writer import Writer
from engine.types import JobKind
from engine.workspace import Workspace

CATCH_UP_BUSY_SECONDS = 2.0
"""How long the thread waits for another writer at a time."""
RETRY_SECONDS = 1.0


class CatchingUp:
    """Entries that wait, in their order, and the thread that lives while there are any."""

    def __init__(self, workspace: Workspace, kind: JobKind, job_id: int, folder: Path, attempt: Attempt | None) -> None:
        """Args: see `engine.jobs.recording.Recording`."""
        self.workspace, self.kind, self.job_id, self.attempt = workspace, kind, job_id, attempt
        self.lost = False
        """The row belongs to another process: nothing more goes into runs.db."""
        self._owner = None if attempt is None else attempt.owner
        self._journal = Journal(folder)
        self._pending: deque[Entry] = deque()
        self._lock = threading.RLock()
        self._outage = Outage()
        self._file: FileId | None = file_id(workspace)
        self._stale = False
        """The connection of the thread that does the work must be opened anew."""
        self._catcher: threading.Thread | None = None
        self._wake, self._closed = threading.Event(), False

    def _start_catching_up(self) -> None:
        with self._lock:
            if self._closed or (self._catcher is not None and self._catcher.is_alive()):
                return
            name = f"recording-{self.kind}-{self.job_id}"
            self._catcher = threading.Thread(target=self._catch_up, name=name, daemon=True)
            self._catcher.start()

    def _catch_up(self) -> None:
        while not self._closed:
            try:
                self._write_pending()
            except StoreError as error:
                self._note(error)
                self._wake.wait(RETRY_SECONDS)
            with self._lock:
                if not self._pending or self.lost:
                    # Under the lock: an entry that comes now finds no thread alive, or starts another.
                    self._catcher = None
                    return

    def _write_pending(self) -> None:
        # Opened anew each time: whatever was wrong with the last connection is not wrong with this one.
        with Writer.open(self.workspace, busy_seconds=CATCH_UP_BUSY_SECONDS, make=False) as writer:
            self._come_home(writer)
            while chunk := self._first():
                if not write_chunk(writer, self.kind, self.job_id, chunk, self._owner):
                    self._refused(writer)
                    return
                with self._lock:
                    for _ in chunk:
                        self._pending.popleft()
                    if not self._pending:
                        self._remember(self._outage.over())

    def _refused(self, writer: Writer) -> None:
        """runs.db has not taken an entry, because the row is another's; a StoreError where that is not certain."""
        if self._owner is not None and not writer.is_taken(self.kind, self.job_id, self._owner):
            raise StoreError(f"{self.workspace.database.name} has not taken an entry", "It is tried again.")
        self.lost = True

    def _first(self) -> list[Entry]:
        with self._lock:
            return list(islice(self._pending, CHUNK))

    def _come_home(self, writer: Writer) -> None:
        """Another file lies at the place now: where it has our row, it gets the whole attempt."""
        found = file_id(self.workspace)
        if found == self._file:
            return
        if not writer.owns(self.kind, self.job_id, self._owner):
            raise StoreError(
                f"Another {self.workspace.database.name} has come to the place of this job's",
                f"It has no row of {self.kind} job {self.job_id} that belongs to this process.",
            )
        self._replay(writer)
        with self._lock:
            self._file, self._stale = found, True

    def _replay(self, writer: Writer) -> None:
        if self.attempt is None:
            return
        lines = lines_of(self._journal.path, self.attempt.pid, self.attempt.process_start)
        entries = [line for line in lines if not isinstance(line, Ending)]
        replay(writer, self.kind, self.job_id, entries, self._owner)

    def _note(self, error: StoreError) -> None:
        with self._lock:
            self._stale = True  # what is wrong may be the connection itself
            self._remember(self._outage.note(error, self._journal.path))

    def _remember(self, told: str | None) -> None:
        """Put what is to be told into the history, behind all that is pending."""
        if told is not None:
            event = Happened("database", told, now())
            self._journal.append(event)
            self._pending.append(event)

    def _stop_catching_up(self) -> None:
        self._closed = True
        self._wake.set()
        if self._catcher is not None:
            self._catcher.join(timeout=CATCH_UP_BUSY_SECONDS + 10.0)


def now() -> float:
    """Unix time."""
    return time.time()
