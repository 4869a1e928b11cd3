"""The reader: a read-only connection for everything that looks at runs.db."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import JobError, StoreError
from engine.store import leaderboard
from engine.store.cases import CaseReads
from engine.store.connection import BUSY_SECONDS, explained, open_read_only
from engine.store.evidence import EvidenceReads
from engine.store.images import ImageReads
from engine.store.mapping import columns, from_row, select
from engine.store.memory import MemoryReads
from engine.store.migrations import schema_version
from engine.store.outputs import OutputReads
from engine.store.reader_live import LiveReads
from engine.store.records import (
    EvaluationRow,
    ImageRow,
    JobRow,
    LookRow,
    MarkRow,
    MetricPoint,
    Note,
    Request,
    RunRow,
    SampleRow,
    StudyRow,
)
from engine.store.studies import StudyReads
from engine.store.views import JOBS
from engine.types import ACTIVE, ENDED, DatasetRecord, Event, JobKind, Prediction, Score, Split, State
from engine.workspace import Workspace, is_job_directory

if TYPE_CHECKING:
    from engine.store.board import Board
    from engine.store.board_groups import BoardGroup
    from engine.store.board_plan import BoardQuery

Record = TypeVar("Record")


class Reader(LiveReads, ImageReads, CaseReads, OutputReads, EvidenceReads, StudyReads, MemoryReads):
    """Reads runs.db and can't change it; a context manager, to be used from the thread that opened it."""

    def __init__(self, workspace: Workspace, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open the workspace's database; StoreError where it is missing, foreign, damaged or of another version."""
        self.workspace = workspace
        self._connection = open_read_only(workspace.database, busy_seconds)

    @classmethod
    def open_or_none(cls, workspace: Workspace) -> Reader | None:
        """A reader, or None where nothing has been recorded yet."""
        database = workspace.database
        # An empty file is one that another process is about to fill.
        return cls(workspace) if database.exists() and database.stat().st_size else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def data_version(self) -> int:
        """A number that changes when another connection has committed something; costs microseconds."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def check_version(self) -> None:
        """Raise a StoreError where the database has become that of a newer sonotune, or of another program."""
        with explained(self.workspace.database):
            schema_version(self._connection, str(self.workspace.database))

    # ----- runs and evaluations

    def runs(self, states: Iterable[State] = (), *, study: str | None = None, limit: int = -1) -> list[RunRow]:
        """Runs, newest first; of some states only, of one study only, at most `limit` (-1: all)."""
        where, parameters = _where(state=tuple(states))
        if study is not None:  # those of others that it has reused are its own as well
            where += " AND (study = ? OR id IN (SELECT run_id FROM study_runs WHERE study = ?))"
            parameters = (*parameters, study, study)
        return self._records(RunRow, "runs", f"{where} ORDER BY id DESC LIMIT ?", (*parameters, limit))

    def run(self, id_or_name: int | str) -> RunRow:
        """One run, by its number (also written as text) or its name; a number wins over a name that looks like one.

        Raises:
            JobError: there is none.
        """
        found = self._records(RunRow, "runs", "WHERE id = ?", (id_or_name,)) if str(id_or_name).isdecimal() else []
        found = found or self._records(RunRow, "runs", "WHERE name = ?", (str(id_or_name),))
        if not found:
            raise JobError(f"There is no run {id_or_name}", next_step="`sonotune runs` lists them.")
        return found[0]

    def evaluations(
        self,
        run_id: int | None = None,
        states: Iterable[State] = (),
        *,
        reference: bool = False,
    ) -> list[EvaluationRow]:
        """Evaluations, oldest first; of one run only, of some states only, or reference rows only."""
        where, parameters = _where(state=tuple(states), run_id=run_id)
        if reference:
            where += " AND reference IS NOT NULL"
        return self._records(EvaluationRow, "evaluations", f"{where} ORDER BY id", parameters)

    def evaluation(self, evaluation_id: int) -> EvaluationRow:
        """One evaluation; JobError where there is none."""
        found = self._records(EvaluationRow, "evaluations", "WHERE id = ?", (evaluation_id,))
        if not found:
            raise JobError(
                f"There is no evaluation {evaluation_id}", next_step="`sonotune show RUN` lists those of a run."
            )
        return found[0]

    def jobs(self, states: Iterable[State] = (State.QUEUED, *ACTIVE)) -> list[JobRow]:
        """Runs and evaluations in these states, in one list, by kind and id."""
        where, parameters = _where(state=tuple(states))
        return self._records(JobRow, f"({JOBS})", f"{where} ORDER BY kind DESC, id", parameters)

    def sound_jobs(self, states: Iterable[State] = (State.QUEUED, *ACTIVE)) -> tuple[list[JobRow], list[str]]:
        """The same, and in words those that cannot be read: another program has spoiled one row, not the queue."""
        where, parameters = _where(state=tuple(states))
        rows = self._rows(select(f"({JOBS})", columns(JobRow), f"{where} ORDER BY kind DESC, id"), parameters)
        jobs, broken = [], []
        for row in rows:
            try:
                jobs.append(sound_job(from_row(JobRow, row)))
            except (ValueError, TypeError) as error:
                broken.append(f"{row[0]} job {row[1]} cannot be read: {error}")
        return jobs, broken

    def job(self, kind: JobKind, job_id: int) -> JobRow:
        """One run or evaluation as a job; JobError where there is none."""
        where, parameters = _where(kind=kind.value, id=job_id)
        found = self._records(JobRow, f"({JOBS})", where, parameters)
        if not found:
            raise JobError(f"There is no {kind} job {job_id}", next_step="`sonotune runs` lists what there is.")
        return found[0]

    def ended_jobs(self, limit: int) -> list[JobRow]:
        """The jobs that ended last, newest first, at most `limit`; those that were queued again since are left out.

        Found through their events, because no index knows when jobs ended: costs the same with ten thousand of them.
        """
        marks = ", ".join("?" * len(ENDED))
        statement = f"SELECT run_id, evaluation_id FROM events WHERE kind IN ({marks}) ORDER BY id DESC LIMIT ?"  # noqa: S608
        # A job that was resumed has ended more than once.
        found = self._rows(statement, (*(state.value for state in ENDED), 4 * limit))
        jobs = [
            *self._ended(JobKind.TRAINING, tuple({row[0] for row in found if row[0] is not None})),
            *self._ended(JobKind.EVALUATION, tuple({row[1] for row in found if row[1] is not None})),
        ]
        return sorted(jobs, key=lambda job: job.ended_at or 0.0, reverse=True)[:limit]

    def _ended(self, kind: JobKind, ids: tuple[int, ...]) -> list[JobRow]:
        where, parameters = _where(kind=kind.value, id=ids, state=ENDED)
        return self._records(JobRow, f"({JOBS})", where, parameters) if ids else []

    def run_names(self) -> set[str]:
        """Names of all runs; each stands for one run."""
        return {str(row[0]) for row in self._rows("SELECT name FROM runs")}

    # ----- what jobs leave behind

    def metrics(self, run_id: int, keys: Sequence[str] = (), after_id: int = 0) -> list[MetricPoint]:
        """Points of a run's curves with an id above `after_id`, in the order of writing; all keys where none given."""
        where, parameters = _where(run_id=run_id, key=tuple(keys))
        return self._records(MetricPoint, "metrics", f"{where} AND id > ? ORDER BY id", (*parameters, after_id))

    def latest_metric(self, run_id: int, key: str) -> float | None:
        """Newest value of one curve, by its index; None where it has no point yet."""
        rows = self._rows(
            "SELECT value FROM metrics WHERE run_id = ? AND key = ? ORDER BY step DESC LIMIT 1", (run_id, key)
        )
        return None if not rows else rows[0][0]

    def metric_keys(self, run_id: int) -> list[str]:
        """Names of the curves that a run has."""
        return [str(row[0]) for row in self._rows("SELECT DISTINCT key FROM metrics WHERE run_id = ?", (run_id,))]

    def samples(
        self, *, run_id: int | None = None, evaluation_id: int | None = None, after_id: int = 0
    ) -> list[SampleRow]:
        """Telemetry of one job with an id above `after_id`, oldest first."""
        where, parameters = _where(run_id=run_id, evaluation_id=evaluation_id)
        return self._records(SampleRow, "samples", f"{where} AND id > ? ORDER BY id", (*parameters, after_id))

    def events(self, *, run_id: int | None = None, evaluation_id: int | None = None, after_id: int = 0) -> list[Event]:
        """History of one job, or of all, with an id above `after_id`, oldest first."""
        where, parameters = _where(run_id=run_id, evaluation_id=evaluation_id)
        return self._records(Event, "events", f"{where} AND id > ? ORDER BY id", (*parameters, after_id))

    def requests(self, *, run_id: int | None = None, evaluation_id: int | None = None) -> list[Request]:
        """What was asked of a job, oldest first, settled or not."""
        where, parameters = _where(run_id=run_id, evaluation_id=evaluation_id)
        return self._records(Request, "requests", f"{where} ORDER BY id", parameters)

    def predictions(self, evaluation_id: int) -> list[Prediction]:
        """What the model said of every case, in path order."""
        return self._records(
            Prediction, "predictions", "WHERE evaluation_id = ? ORDER BY path, question", (evaluation_id,)
        )

    def prediction_count(self, evaluation_id: int) -> int:
        """How many cases an evaluation has measured so far."""
        return int(self._rows("SELECT COUNT(*) FROM predictions WHERE evaluation_id = ?", (evaluation_id,))[0][0])

    def scores(self, evaluation_id: int) -> list[Score]:
        """Figures of one evaluation, by scope and name."""
        return self._records(Score, "scores", "WHERE evaluation_id = ? ORDER BY scope, name", (evaluation_id,))

    def marks(self, evaluation_ids: Iterable[int]) -> list[MarkRow]:
        """Marks of these evaluations, by evaluation and kind."""
        ids = tuple(evaluation_ids)
        where = f"WHERE evaluation_id IN ({', '.join('?' * len(ids))}) ORDER BY evaluation_id, kind, scope"
        return self._records(MarkRow, "marks", where, ids) if ids else []

    def leaderboard(
        self, question: str | None = None, split: Split | None = None, dataset: str | None = None
    ) -> list[dict[str, Any]]:
        """Rows of the leaderboard: see `engine.store.leaderboard.rows`."""
        with explained(self.workspace.database):
            return leaderboard.rows(self._connection, question, split, dataset)

    def board(self, query: BoardQuery) -> Board:
        """One group of the leaderboard, sorted and filtered: see `engine.store.board.board`."""
        from engine.store.board import board  # with the filter language, when a leaderboard is first asked for

        with explained(self.workspace.database):
            return board(self._connection, query)

    def board_groups(self) -> list[BoardGroup]:
        """The groups of the leaderboard, the one measured most recently first."""
        from engine.store.board_groups import groups

        with explained(self.workspace.database):
            return groups(self._connection)

    # ----- data and annotations

    def datasets(self) -> list[DatasetRecord]:
        """All imported datasets, by name."""
        return self._records(DatasetRecord, "datasets", "ORDER BY name")

    def dataset(self, name: str) -> DatasetRecord | None:
        """One dataset; None where it was not imported."""
        found = self._records(DatasetRecord, "datasets", "WHERE name = ?", (name,))
        return found[0] if found else None

    def images(self, dataset: str) -> list[ImageRow]:
        """Images of a dataset in path order, problems included."""
        return self._records(ImageRow, "images", "WHERE dataset = ? ORDER BY path, id", (dataset,))

    def tags(self, run_id: int) -> list[str]:
        """Tags of a run, in alphabetical order."""
        return [str(row[0]) for row in self._rows("SELECT tag FROM tags WHERE run_id = ? ORDER BY tag", (run_id,))]

    def notes(self, run_id: int) -> list[Note]:
        """Notes on a run, oldest first."""
        return self._records(Note, "notes", "WHERE run_id = ? ORDER BY id", (run_id,))

    def studies(self) -> list[StudyRow]:
        """All studies, by name."""
        return self._records(StudyRow, "studies", "ORDER BY name")

    def setting(self, key: str) -> Any:
        """What was set for this workspace under a key, as decoded JSON; None where nothing was.

        Raises:
            StoreError: the stored text is not JSON, so another program has written it.
        """
        rows = self._rows("SELECT value FROM settings WHERE key = ?", (key,))
        if not rows:
            return None
        try:
            return json.loads(rows[0][0])
        except ValueError as error:
            raise StoreError(
                f"The setting {key} in {self.workspace.database} can't be read",
                f"It is not JSON: {error}.",
                "Another program has written it. Set it again to replace it.",
            ) from error

    def test_looks(self, dataset: str, split_fingerprint: str | None = None) -> list[LookRow]:
        """Looks at the test splits of a dataset, or at one of them, oldest first."""
        where, parameters = _where(dataset=dataset, split_fingerprint=split_fingerprint)
        return self._records(LookRow, "test_looks", f"{where} ORDER BY id", parameters)

    def _records(self, record: type[Record], table: str, rest: str, parameters: Sequence[Any] = ()) -> list[Record]:
        rows = self._rows(select(table, columns(record), rest), parameters)
        return [from_row(record, row) for row in rows]

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with explained(self.workspace.database):
            return self._connection.execute(statement, tuple(parameters)).fetchall()


def sound_job(job: JobRow) -> JobRow:
    """The job, where the values that the queue computes with are of their type: SQLite stores whatever it is given.

    Raises:
        TypeError: one is not.
        ValueError: its folder lies elsewhere.
    """
    wanted = {"id": int, "priority": int, "devices": int, "queue_rank": (int, float), "queued_at": (int, float)}
    for name, kind in {**wanted, "directory": str, "subject": str, "step": int}.items():
        if not isinstance(getattr(job, name), kind):  # type: ignore[arg-type]
            raise TypeError(f"its {name} is {getattr(job, name)!r}")
    if not is_job_directory(job.directory):
        raise ValueError(f"its directory is {job.directory!r}")
    return job


def _where(**filters: Any) -> tuple[str, tuple[Any, ...]]:
    """A WHERE clause: equality for values, IN for tuples; None and () filter nothing. Names are literals above."""
    parts = ["1"]
    parameters: list[Any] = []
    for name, wanted in filters.items():
        if wanted is None or wanted == ():
            continue
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        parts.append(f"{name} IN ({', '.join('?' * len(values))})")
        parameters.extend(str(value) if isinstance(value, State) else value for value in values)
    return f"WHERE {' AND '.join(parts)}", tuple(parameters)
