"""What a job measures is kept: in its journal first, then in runs.db, which it catches up with where that refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from engine.errors import StoreError
from engine.jobs.catching_up import RETRY_SECONDS, CatchingUp, now
from engine.jobs.database_file import file_id
from engine.jobs.journal import Attempt, Ending
from engine.store.mapping import to_column
from engine.store.recorded import Answered, Columns, Entry, Happened, Measured
from engine.store.writer import Writer
from engine.store.writer_base import check_columns
from engine.store.writer_recording import may_pass, refuses_values
from engine.types import JobKind, Prediction
from engine.workspace import Workspace

DIRECT_BUSY_SECONDS = 1.0
"""How long a step of the work waits for another writer before it leaves its entry to the thread that catches up."""

T = TypeVar("T")


class Recording(CatchingUp):
    """The record of one attempt of a job. Its methods may be called from any thread; none of them waits for long.

    A method raises only where the caller itself is wrong (a column that there isn't); where runs.db refuses, the entry
    stays in the journal and in memory, and a thread tries again until runs.db has it.
    """

    def __init__(self, workspace: Workspace, kind: JobKind, job_id: int, folder: Path, attempt: Attempt | None) -> None:
        """Use from the thread that does the work: it writes directly, others through the thread that catches up.

        Args:
            workspace: whose runs.db it is; it must be there.
            kind: of the job.
            job_id: of the job.
            folder: where its journal lies, or will.
            attempt: whose row it is, by the row itself; None where it is nobody's yet.

        Raises:
            StoreError: runs.db cannot be opened.
        """
        super().__init__(workspace, kind, job_id, folder, attempt)
        self.on_phase: Callable[[object], None] = _nobody
        """Told of each new phase of the run, before it is recorded."""
        self._home = threading.get_ident()
        self._writer = Writer.open(workspace, busy_seconds=DIRECT_BUSY_SECONDS, make=False)

    @property
    def writer(self) -> Writer:
        """A connection of the thread that does the work, for what is no entry; opened anew where it had to be.

        Raises:
            StoreError: runs.db cannot be opened now, or another one lies at its place.
        """
        if threading.get_ident() == self._home and (self._stale or file_id(self.workspace) != self._file):
            self._reopen()
        return self._writer

    @property
    def behind(self) -> int:
        """Entries that runs.db does not have yet."""
        return len(self._pending)

    @property
    def trouble(self) -> str:
        """Why runs.db does not have them, in one sentence; "" where it has."""
        return self._outage.why

    def begin(self, attempt: Attempt) -> None:
        """Name the attempt in the journal: what follows is its."""
        with self._lock:
            self._journal.append(attempt)

    def end(self, ending: Ending) -> None:
        """Leave word in the journal of how the attempt ends, for where runs.db cannot be told."""
        with self._lock:
            self._journal.append(ending)

    def metrics(self, step: int, values: Mapping[str, float], time: float | None = None) -> None:
        """Figures of one training step; `time` is Unix time, the present by default."""
        self._take(Measured(step, dict(values), now() if time is None else time))

    def update(self, **columns: Any) -> None:
        """Columns of the job's row that have new values.

        Raises:
            StoreError: there is no such column.
        """
        check_columns(self.kind, columns)
        if "phase" in columns:
            self.on_phase(columns["phase"])
        self._take(Columns({name: to_column(value) for name, value in columns.items()}))

    def event(self, kind: str, detail: str) -> None:
        """A line of the job's history."""
        self._take(Happened(kind, detail, now()))

    def predictions(self, rows: Sequence[Prediction]) -> None:
        """What the model of an evaluation said; the same case again replaces its row."""
        if rows:
            self._take(Answered(tuple(rows)))

    def patiently(
        self,
        action: Callable[[Writer], T],
        patience_seconds: float = 120.0,
        give_up: Callable[[], bool] = lambda: False,
    ) -> T:
        """Do something with the connection, after all entries are in; tried again while it cannot be written.

        Raises:
            StoreError: it still cannot after so long, or when `give_up` says so, or never will.
        """
        deadline = time.monotonic() + patience_seconds
        while True:
            if not self.drain(deadline - time.monotonic(), give_up):
                raise StoreError(self.trouble or "runs.db does not have all entries", f"{self.behind} are missing.")
            try:
                return action(self.writer)
            except StoreError as error:
                passes = may_pass(error) or file_id(self.workspace) != self._file
                if time.monotonic() >= deadline or give_up() or not passes:
                    raise
                self._stale = True
                time.sleep(min(RETRY_SECONDS, max(0.0, deadline - time.monotonic())))

    def drain(self, patience_seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until runs.db has everything; False where it has not after so long, or `give_up` says so."""
        deadline = time.monotonic() + patience_seconds
        while self._pending and not self.lost:
            self._start_catching_up()
            if time.monotonic() >= deadline or give_up():
                return False
            time.sleep(0.02)
        return True

    def replay_journal(self) -> None:
        """Write the whole attempt once more: another process has recorded into the same journal.

        Raises:
            StoreError: it cannot be written.
        """
        self.patiently(self._replay)

    def _take(self, entry: Entry) -> None:
        with self._lock:
            self._journal.append(entry)
            if self.lost:
                return
            if not self._pending and threading.get_ident() == self._home:
                try:
                    self._write_directly(entry)
                except StoreError as error:
                    if refuses_values(error):
                        raise
                    self._note(error)
                else:
                    return
            self._pending.append(entry)
            self._outage.kept += 1
        self._start_catching_up()

    def _write_directly(self, entry: Entry) -> None:
        if file_id(self.workspace) != self._file:
            self._stale = True
            raise _elsewhere(self.workspace)
        writer = self.writer
        if not writer.record(self.kind, self.job_id, [entry], self._owner):
            self._refused(writer)

    def _reopen(self) -> None:
        fresh = Writer.open(self.workspace, busy_seconds=DIRECT_BUSY_SECONDS, make=False)
        try:
            self._come_home(fresh)
        except BaseException:
            fresh.close()
            raise
        self._writer.close()
        self._writer, self._stale = fresh, False

    def forget(self) -> None:
        """Remove the journal: runs.db has all of it, and the job is over for good."""
        with self._lock:
            self._journal.remove()

    def close(self) -> None:
        """Let go of runs.db and the journal; what is still pending stays in the journal."""
        self._stop_catching_up()
        self._writer.close()
        self._journal.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _nobody(phase: object) -> None:
    """Where nobody wants to know."""


def _elsewhere(workspace: Workspace) -> StoreError:
    return StoreError(f"{workspace.database.name} is not where it was opened", "It was deleted, moved or replaced.")
