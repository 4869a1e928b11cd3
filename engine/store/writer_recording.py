"""Writing what a job process records: many entries in one transaction, any of them twice without harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from engine.errors import StoreError
from engine.jobs.process import same_start
from engine.store.connection import explained
from engine.store.mapping import columns, insert, to_row, update
from engine.store.migrations import LATEST, schema_version
from engine.store.recorded import Answered, Columns, Entry, Happened, Measured, Owner
from engine.store.writer_base import OWNERS, TABLES, WriterBase
from engine.types import ACTIVE, JobKind, Prediction, State

_ACTIVE = ", ".join(f"'{state.value}'" for state in ACTIVE)
_METRIC = "INSERT OR REPLACE INTO metrics (run_id, key, step, value, time) VALUES (?1, ?2, ?3, ?4, ?5)"
# A point that is there already keeps its id: readers follow a curve by id, and would take it for a new one.
_METRIC_AGAIN = """INSERT OR REPLACE INTO metrics (run_id, key, step, value, time) SELECT ?1, ?2, ?3, ?4, ?5
WHERE NOT EXISTS (SELECT 1 FROM metrics WHERE run_id = ?1 AND key = ?2 AND step = ?3 AND time = ?5 AND value IS ?4)"""
_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)


def refuses_values(error: StoreError) -> bool:
    """Whether an error speaks of the values themselves: no later try would go better."""
    return isinstance(error.__cause__, _FAULTS)


def may_pass(error: StoreError) -> bool:
    """Whether an error speaks of the moment (a lock, a full or failing disk), and not of what the file is."""
    return isinstance(error.__cause__, sqlite3.OperationalError)


class RecordingWrites(WriterBase):
    """The part of the writer that `engine.jobs.recording` uses."""

    def record(
        self, kind: JobKind, job_id: int, entries: Sequence[Entry], owner: Owner | None = None, *, again: bool = False
    ) -> bool:
        """Write entries in their order, in one transaction.

        Args:
            kind: of the job.
            job_id: of the job.
            entries: what it has recorded.
            owner: the row must be active and belong to this process; None: it must only be there.
            again: some may be there already (an entry that is changes nothing then); it costs a little more.

        Returns:
            False where the row is not the owner's (any more), or not there: nothing was written.

        Raises:
            StoreError: it could not be written; also where the database has become that of a newer version meanwhile.
        """
        with self._transaction() as connection:
            if self._version() > LATEST:
                self.refuse_newer()
            if not self._belongs(kind, job_id, owner):
                return False
            for entry in entries:
                self._record(connection, kind, job_id, entry, _METRIC_AGAIN if again else _METRIC)
        return True

    def owns(self, kind: JobKind, job_id: int, owner: Owner | None) -> bool:
        """Whether `record` would write."""
        with explained(self._database):
            return self._belongs(kind, job_id, owner)

    def is_taken(self, kind: JobKind, job_id: int, owner: Owner) -> bool:
        """Whether the row really is another's now, or settled: a job ends for good on this answer, and in a damaged
        database any row may read as if it were.

        So the row must be there, and the whole file in order (read once, page by page).

        Raises:
            StoreError: it cannot be told: the row is missing, or the database damaged.
        """
        with explained(self._database):
            if self._belongs(kind, job_id, owner):
                return False
            row = self._connection.execute(f"SELECT 1 FROM {TABLES[kind]} WHERE id = ?", (job_id,)).fetchone()  # noqa: S608
            if row is None:
                raise sqlite3.DatabaseError(f"malformed: there is no row of {kind} job {job_id}")
            (said,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                raise sqlite3.DatabaseError(f"malformed: {said}")
            return True

    def hand_over(self, kind: JobKind, job_id: int, from_pid: int, pid: int, process_start: float | None) -> None:
        """Make a job that is starting another process's, started now, where it is still that of `from_pid`."""
        where = f"id = :id AND pid = :from AND state = '{State.STARTING.value}'"
        statement = update(TABLES[kind], ("pid", "process_start", "started_at"), where)
        with self._transaction() as connection:
            now = {"pid": pid, "process_start": process_start, "started_at": self._now()}
            connection.execute(statement, {"id": job_id, "from": from_pid, **now})

    def refuse_newer(self) -> None:
        """Raise a StoreError where somebody has brought the open database to a version that this program is too old
        for; what a column means there is not known here."""
        with explained(self._database):
            schema_version(self._connection, str(self._database))

    def _version(self) -> int:
        # By itself, and at each entry: what `refuse_newer` asks beside it costs ten times as much.
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def copy_into(self, target: str) -> None:
        """Write the whole database, as this connection sees it, into a new file (not synced).

        Raises:
            StoreError: the file exists, or the disk is full.
        """
        with explained(self._database):
            self._connection.execute("VACUUM INTO ?", (target,))

    def _belongs(self, kind: JobKind, job_id: int, owner: Owner | None) -> bool:
        where = "WHERE id = ?" + ("" if owner is None else f" AND state IN ({_ACTIVE}) AND pid = ?")
        parameters = (job_id,) if owner is None else (job_id, owner.pid)
        statement = f"SELECT process_start FROM {TABLES[kind]} {where}"  # noqa: S608 - a name of this package
        row = self._connection.execute(statement, parameters).fetchone()
        if row is None or owner is None or owner.process_start is None or row[0] is None:
            return row is not None
        return same_start(row[0], owner.process_start)

    def _record(self, connection: sqlite3.Connection, kind: JobKind, job_id: int, entry: Entry, metric: str) -> None:
        if isinstance(entry, Measured):
            rows = [(job_id, key, entry.step, value, entry.time) for key, value in entry.values.items()]
            connection.executemany(metric, rows)
            connection.execute("UPDATE runs SET step = ? WHERE id = ?", (entry.step, job_id))
        elif isinstance(entry, Columns):
            statement = update(TABLES[kind], tuple(entry.values), "id = :id")
            connection.execute(statement, {**entry.values, "id": job_id})
        elif isinstance(entry, Happened):
            self._happened(connection, OWNERS[kind], job_id, entry)
        else:
            _answered(connection, job_id, entry)

    def _happened(self, connection: sqlite3.Connection, owner: str, job_id: int, entry: Happened) -> None:
        values: dict[str, Any] = {"time": entry.time, "kind": entry.kind, "detail": entry.detail}
        there = f"SELECT 1 FROM events WHERE {owner} = :job AND time = :time AND kind = :kind AND detail = :detail"  # noqa: S608
        if connection.execute(there, {**values, "job": job_id}).fetchone() is None:
            self._insert("events", {**values, owner: job_id})


def _answered(connection: sqlite3.Connection, evaluation_id: int, entry: Answered) -> None:
    statement = insert("predictions", ("evaluation_id", *columns(Prediction)), replace=True)
    connection.executemany(statement, [{"evaluation_id": evaluation_id, **to_row(each)} for each in entry.predictions])
