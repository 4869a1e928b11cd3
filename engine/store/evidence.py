"""What the end of an evaluation, and that of an image check, need to know of other evaluations."""

from __future__ import annotations

from typing import NamedTuple

from engine.store.mapping import columns, from_row, select
from engine.store.reader_live import Rows
from engine.store.records import EvaluationRow
from engine.types import Mark, Split, State


class MarkedRow(NamedTuple):
    """An evaluation whose leak mark can be settled again."""

    id: int
    cases_fingerprint: str
    """Evaluations with the same one have measured the same cases."""
    detail: str | None
    """Sentence of its leak mark; None where it has none."""


_THRESHOLDS = """WHERE state = ? AND split = ? AND question = ? AND dataset = ? AND run_id IS ? AND reference IS ?
AND degradation IS NULL AND threshold IS NOT NULL ORDER BY id"""

# One that is at work counts as soon as it has measured everything: it has looked for leaks, or is about to.
_MEASURED = """SELECT e.id, e.cases_fingerprint, m.detail FROM evaluations e
LEFT JOIN marks m ON m.evaluation_id = e.id AND m.kind = ? AND m.scope = 'all'
WHERE e.dataset = ? AND e.dataset_fingerprint = ? AND e.split_fingerprint = ? AND e.run_id IS NOT NULL
  AND e.degradation IS NULL AND (e.state = ? OR (e.state = ?
    AND e.n = (SELECT COUNT(*) FROM predictions p WHERE p.evaluation_id = e.id)))
ORDER BY e.id"""


class EvidenceReads:
    """The part of the reader that thresholds and leak marks use."""

    def threshold_evaluations(self: Rows, row: EvaluationRow) -> list[EvaluationRow]:
        """Succeeded validation evaluations of the same subject, question and dataset that chose a threshold."""
        reference = None if row.reference is None else row.reference.value
        wanted = (State.SUCCEEDED.value, Split.VALIDATION.value, row.question, row.dataset, row.run_id, reference)
        statement = select("evaluations", columns(EvaluationRow), _THRESHOLDS)
        return [from_row(EvaluationRow, found) for found in self._rows(statement, wanted)]

    def measured_on(self: Rows, dataset: str, dataset_fingerprint: str, split_fingerprint: str) -> list[MarkedRow]:
        """Evaluations of runs that have measured the images of a dataset, in one of its splits, as they are."""
        key = (dataset, dataset_fingerprint, split_fingerprint)
        states = (State.SUCCEEDED.value, State.RUNNING.value)
        return [MarkedRow(*found) for found in self._rows(_MEASURED, (Mark.LEAK.value, *key, *states))]

    def measured_paths(self: Rows, evaluation_id: int) -> set[str]:
        """Paths of the images that an evaluation has measured."""
        rows = self._rows("SELECT DISTINCT path FROM predictions WHERE evaluation_id = ?", (evaluation_id,))
        return {str(row[0]) for row in rows}
