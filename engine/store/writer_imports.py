"""Writing what another tool has predicted: a run of its own, whose evaluations are complete from the first moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.store.mapping import columns, insert, to_row
from engine.store.writer_jobs import REFERENCE_NAMES, JobWrites
from engine.types import IMPORTED, DatasetRecord, Mark, Prediction, Reference, Score, Split, State


@dataclass(frozen=True, slots=True)
class FinishedEvaluation:
    """An evaluation that was measured elsewhere and scored here."""

    reference: Reference | None
    """Set for a reference row that belongs beside the imported ones."""
    question: str
    split: Split
    protocol: str
    """JSON."""
    protocol_fingerprint: str
    cases_fingerprint: str
    threshold: float | None
    threshold_source: str | None
    counts: dict[str, int]
    """Columns `errors`, `unparseable` and `cut_off`."""
    predictions: Sequence[Prediction]
    scores: Sequence[Score]
    marks: Sequence[tuple[Mark, str]]


class ImportWrites(JobWrites):
    """The part of the writer that imports of predictions use."""

    def add_imported_run(
        self,
        name: str,
        model: str,
        source: str,
        record: DatasetRecord,
        evaluations: Sequence[FinishedEvaluation],
        *,
        test_purpose: str = "",
    ) -> tuple[int, list[int]]:
        """Store a run of kind `imported` with its evaluations and their reference rows, all or nothing.

        Args:
            name: wanted name; one that is taken gets the suffix -2, -3, ...
            model: what has made the predictions, in words.
            source: the file that they came from, for the history.
            record: the dataset.
            evaluations: of the run, and reference rows.
            test_purpose: why the test split is looked at; each evaluation of the run on it goes into the ledger.

        Returns:
            Ids of the run and of the evaluations, in their order.
        """
        now = self._now()
        with self._transaction():
            unique = self._unique_name(name)
            run = {
                "name": unique,
                "kind": IMPORTED,
                "state": State.SUCCEEDED,
                "reason": f"imported from {source}",
                "recipe": "{}",
                "dataset": record.name,
                "dataset_fingerprint": record.fingerprint,
                "split_fingerprint": record.split_fingerprint,
                "model": model,
                "seed": 0,
                "directory": "",
                "queued_at": now,
                "ended_at": now,
            }
            run_id = self._insert("runs", run)
            self._add_event("run_id", run_id, IMPORTED, f"from {source}")
            ids = [self._add_finished(run_id, unique, model, record, each, now) for each in evaluations]
            for evaluation, each in zip(ids, evaluations, strict=True):
                if each.reference is None and each.split is Split.TEST:
                    self._enter_look(evaluation, record.name, record.split_fingerprint, test_purpose)
        return run_id, ids

    def _add_finished(
        self, run_id: int, name: str, model: str, record: DatasetRecord, finished: FinishedEvaluation, now: float
    ) -> int:
        reference = finished.reference
        row = {
            "run_id": run_id if reference is None else None,
            "reference": reference,
            "name": name if reference is None else REFERENCE_NAMES[reference],
            "model": model if reference is None else "",
            "dataset": record.name,
            "dataset_fingerprint": record.fingerprint,
            "split": finished.split,
            "split_fingerprint": record.split_fingerprint,
            "question": finished.question,
            "prompt": IMPORTED,
            "state": State.SUCCEEDED,
            "reason": f"{len(finished.predictions)} cases scored",
            "protocol": finished.protocol,
            "protocol_fingerprint": finished.protocol_fingerprint,
            "clean_protocol_fingerprint": finished.protocol_fingerprint,
            "cases_fingerprint": finished.cases_fingerprint,
            "threshold": finished.threshold,
            "threshold_source": finished.threshold_source,
            "n": len(finished.predictions),
            "queued_at": now,
            "ended_at": now,
            **finished.counts,
        }
        evaluation = self._insert("evaluations", row)
        owner = {"evaluation_id": evaluation}
        self._connection.executemany(
            insert("predictions", ("evaluation_id", *columns(Prediction))),
            [{**owner, **to_row(each)} for each in finished.predictions],
        )
        self._connection.executemany(
            insert("scores", ("evaluation_id", *columns(Score))),
            [{**owner, **to_row(each)} for each in finished.scores],
        )
        self._connection.executemany(
            "INSERT INTO marks (evaluation_id, kind, scope, detail) VALUES (?, ?, 'all', ?)",
            [(evaluation, mark.value, detail) for mark, detail in finished.marks],
        )
        self._add_event("evaluation_id", evaluation, IMPORTED, f"{len(finished.predictions)} cases scored")
        return evaluation
