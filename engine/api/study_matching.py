"""Many evaluations at once: which row has made a measurement, without reading the database for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.api.measuring import Measurement, of_present_adapter, same_measurement
from engine.store.records import EvaluationRow, RunRow
from engine.types import ACTIVE, IMPORTED, Reference, State

_Key = tuple[str, str, str, str]
"""Subject, question, split and degradation."""


class EvaluationIndex:
    """Evaluations on one dataset as it is, by whom and what they measure."""

    def __init__(self, rows: Iterable[EvaluationRow], patterns: Sequence[str]) -> None:
        """`patterns`: of serving errors, as they are in this workspace now."""
        self._patterns = list(patterns)
        self._rows: dict[_Key, list[EvaluationRow]] = {}
        for row in rows:
            key = (_subject(row), row.question, row.split.value, row.degradation or "")
            self._rows.setdefault(key, []).append(row)

    def of_run(self, run: RunRow, wanted: Measurement) -> EvaluationRow | None:
        """The evaluation of a run that counts for a measurement; None where there is none."""
        return self._best(f"run {run.id}", wanted, run)

    def reference(self, reference: Reference, model: str, wanted: Measurement) -> EvaluationRow | None:
        """The reference row that counts beside a measurement; only that of the untuned model depends on `model`."""
        return self._best(_reference(reference, model), wanted)

    def _best(self, subject: str, wanted: Measurement, run: RunRow | None = None) -> EvaluationRow | None:
        key = (subject, wanted.question, wanted.split.value, wanted.degradation)
        rows = (
            row
            for row in self._rows.get(key, ())
            if (run is None or _counts(row, run)) and same_measurement(row, wanted, self._patterns)
        )
        return max(rows, key=lambda row: (_worth(row.state), row.id), default=None)


def under_way(state: State) -> bool:
    """Whether a job is done, or will be by itself."""
    return state in (State.QUEUED, State.SUCCEEDED) or state in ACTIVE


def _counts(row: EvaluationRow, run: RunRow) -> bool:
    """Whether an evaluation of a run is one of the adapter that the study means: that of the finished run.

    A run that has not succeeded goes on with the next launch. Until then only that counts which waits for its end.
    """
    if run.kind != IMPORTED and run.state != State.SUCCEEDED:
        return row.after_run and row.state != State.SUCCEEDED and row.state not in ACTIVE
    return of_present_adapter(row, run)


def _worth(state: State) -> int:
    """A measurement that is done counts, however often it was tried again since; then one that is on its way."""
    if state == State.SUCCEEDED:
        return 3
    if state in ACTIVE:
        return 2
    return 1 if state == State.QUEUED else 0


def _subject(row: EvaluationRow) -> str:
    return f"run {row.run_id}" if row.reference is None else _reference(row.reference, row.model)


def _reference(reference: Reference, model: str) -> str:
    return f"{reference.value} {model if reference == Reference.BASE else ''}"
