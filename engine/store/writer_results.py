"""Writing what jobs measure: metrics, telemetry, predictions, scores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from engine.store.mapping import columns, insert, to_column, to_row, update
from engine.store.records import MarkRow
from engine.store.writer_base import OWNERS, WriterBase, check_columns, missing_job
from engine.telemetry import GpuSample, HostSample
from engine.types import JobKind, Mark, Prediction, Score

_METRIC = "INSERT OR REPLACE INTO metrics (run_id, key, step, value, time) VALUES (?, ?, ?, ?, ?)"


class ResultWrites(WriterBase):
    """The part of the writer that running jobs use all the time."""

    def add_metrics(self, run_id: int, step: int, values: Mapping[str, float], time: float | None = None) -> None:
        """Record the metrics of one training step, and the step as the run's progress, in one short transaction.

        A step that is done again after a resume replaces its earlier values.
        """
        now = self._now() if time is None else time
        with self._transaction() as connection:
            connection.executemany(_METRIC, [(run_id, key, step, value, now) for key, value in values.items()])
            connection.execute("UPDATE runs SET step = ? WHERE id = ?", (step, run_id))

    def add_samples(self, kind: JobKind, job_id: int, host: HostSample, gpu: GpuSample | None = None) -> None:
        """Record one telemetry sample of a job; without a GPU its columns stay NULL."""
        values = {**to_row(host), **({f"gpu_{name}": value for name, value in to_row(gpu).items()} if gpu else {})}
        with self._transaction():
            self._insert("samples", {"time": self._now(), OWNERS[kind]: job_id, **values})

    def begin_evaluation(self, evaluation_id: int, *, keep: Collection[str] = (), **values: Any) -> None:
        """Set what an attempt measures, and forget what an earlier one has left, in one transaction.

        An attempt that is resumed may meet another split or other answers: nothing of before may stand beside it, save
        for the answers that would be the same (`engine.evaluation.beginning` knows which).

        Args:
            evaluation_id: of the attempt.
            keep: paths of the cases whose predictions stay.
            values: columns of `evaluations` (fingerprints, prompt, n ...).

        Raises:
            JobError: there is no such evaluation.
        """
        check_columns(JobKind.EVALUATION, values)
        parameters = {name: to_column(value) for name, value in values.items()}
        with self._transaction() as connection:
            statement = update("evaluations", tuple(values), "id = :id")
            if connection.execute(statement, {**parameters, "id": evaluation_id}).rowcount != 1:
                raise missing_job(JobKind.EVALUATION, evaluation_id)
            for table in ("scores", "marks") if keep else ("predictions", "scores", "marks"):
                connection.execute(f"DELETE FROM {table} WHERE evaluation_id = ?", (evaluation_id,))  # noqa: S608
            if keep:
                stored = connection.execute("SELECT path FROM predictions WHERE evaluation_id = ?", (evaluation_id,))
                dropped = [(evaluation_id, path) for (path,) in stored.fetchall() if path not in keep]
                connection.executemany("DELETE FROM predictions WHERE evaluation_id = ? AND path = ?", dropped)

    def add_predictions(self, evaluation_id: int, predictions: Iterable[Prediction]) -> None:
        """Store what the model said, one row a case, in one transaction; the same case again replaces its row."""
        statement = insert("predictions", ("evaluation_id", *columns(Prediction)), replace=True)
        rows = [{"evaluation_id": evaluation_id, **to_row(prediction)} for prediction in predictions]
        with self._transaction() as connection:
            connection.executemany(statement, rows)

    def add_scores(self, evaluation_id: int, scores: Iterable[Score]) -> None:
        """Replace all scores of an evaluation, in one transaction."""
        statement = insert("scores", ("evaluation_id", *columns(Score)))
        rows = [{"evaluation_id": evaluation_id, **to_row(score)} for score in scores]
        with self._transaction() as connection:
            connection.execute("DELETE FROM scores WHERE evaluation_id = ?", (evaluation_id,))
            connection.executemany(statement, rows)

    def merge_scores(self, evaluation_id: int, scores: Iterable[Score]) -> None:
        """Add scores to those of an evaluation; one of the same scope and name is replaced."""
        statement = insert("scores", ("evaluation_id", *columns(Score)), replace=True)
        rows = [{"evaluation_id": evaluation_id, **to_row(score)} for score in scores]
        with self._transaction() as connection:
            connection.executemany(statement, rows)

    def set_marks(self, evaluation_id: int, marks: Iterable[MarkRow], kinds: Iterable[str] | None = None) -> None:
        """Replace the marks of an evaluation: all of them, or only those of some kinds."""
        statement = insert("marks", columns(MarkRow), replace=True)
        with self._transaction() as connection:
            if kinds is None:
                connection.execute("DELETE FROM marks WHERE evaluation_id = ?", (evaluation_id,))
            else:
                connection.executemany(
                    "DELETE FROM marks WHERE evaluation_id = ? AND kind = ?", [(evaluation_id, kind) for kind in kinds]
                )
            connection.executemany(statement, [to_row(mark) for mark in marks])

    def settle_marks(self, kind: Mark, details: Mapping[int, str | None]) -> None:
        """Replace the marks of one kind of many evaluations, in one transaction; None takes the mark away."""
        statement = insert("marks", columns(MarkRow))
        marks = [MarkRow(evaluation, kind, "all", detail) for evaluation, detail in details.items() if detail]
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM marks WHERE evaluation_id = ? AND kind = ?", [(each, kind.value) for each in details]
            )
            connection.executemany(statement, [to_row(mark) for mark in marks])
