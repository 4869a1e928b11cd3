"""What every part of the writer stands on: one connection, one transaction at a time, one clock."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import JobError, StoreError
from engine.store.connection import explained
from engine.store.mapping import columns, insert, to_column
from engine.store.records import EvaluationRow, RunRow
from engine.types import JobKind

Clock = Callable[[], float]

TABLES: Mapping[JobKind, str] = {JobKind.TRAINING: "runs", JobKind.EVALUATION: "evaluations"}
OWNERS: Mapping[JobKind, str] = {JobKind.TRAINING: "run_id", JobKind.EVALUATION: "evaluation_id"}
"""Column by which events, requests and samples name the row of a job."""
ROWS: Mapping[JobKind, type] = {JobKind.TRAINING: RunRow, JobKind.EVALUATION: EvaluationRow}


def check_columns(kind: JobKind, given: Iterable[str], protected: Iterable[str] = ("id", "state", "reason")) -> None:
    """Raise StoreError unless every name is a column that may be set by hand; names end up inside a statement."""
    known = set(columns(ROWS[kind])) - set(protected)
    wrong = sorted(set(given) - known)
    if wrong:
        raise StoreError(
            f"Table {TABLES[kind]} has no column {', '.join(wrong)} to set",
            "This is a fault of the program, not of your data.",
            "Run again with --debug and report the message.",
        )


def missing_job(kind: JobKind, job_id: int) -> JobError:
    """The error for a run or an evaluation that does not exist."""
    return JobError(
        f"There is no {'run' if kind == JobKind.TRAINING else 'evaluation'} {job_id}",
        next_step="`sonotune runs` lists what there is.",
    )


class WriterBase:
    """A connection in autocommit mode with explicit short transactions; to be used from one thread."""

    def __init__(self, connection: sqlite3.Connection, database: Path, clock: Clock = time.time) -> None:
        self._connection = connection
        self._database = database
        self._now = clock

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE takes the write lock at once, under the busy timeout: a transaction that reads first and
        # upgrades later would fail without waiting when another process has written in between.
        with explained(self._database):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert one row inside the current transaction and return its id."""
        row = {name: to_column(value) for name, value in values.items()}
        return int(self._connection.execute(insert(table, tuple(row)), row).lastrowid or 0)

    def _enter_look(self, evaluation_id: int, dataset: str, split_fingerprint: str, purpose: str) -> int:
        """Enter a look at a test split into the ledger inside the current transaction and return its id."""
        values = {
            "time": self._now(),
            "dataset": dataset,
            "split_fingerprint": split_fingerprint,
            "evaluation_id": evaluation_id,
            "purpose": purpose.strip(),
        }
        return self._insert("test_looks", values)

    def _add_event(self, owner: str, job_id: int, kind: str, detail: str) -> int:
        return self._insert("events", {"time": self._now(), owner: job_id, "kind": kind, "detail": detail})
