"""What subjects said of each image, in the few columns that a comparison needs: thousands of rows of many subjects."""

from __future__ import annotations

from typing import NamedTuple

from engine.store.reader_live import Rows
from engine.types import Outcome


class OutputRow(NamedTuple):
    """One answer: a tuple, because a leaderboard in sight has fifty thousand of them."""

    path: str
    view: str
    target: str
    """As annotated; untrusted text."""
    raw_output: str
    """As generated; untrusted text."""
    outcome: Outcome
    p_abnormal: float | None


_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_STATEMENT = """SELECT path, view, target, raw_output, outcome, p_abnormal FROM predictions
WHERE evaluation_id = ? AND question = ? ORDER BY path"""


class OutputReads:
    """The part of the reader that comparisons use."""

    def outputs(self: Rows, evaluation_id: int, question: str) -> list[OutputRow]:
        """What was said of every case, in path order."""
        return [
            OutputRow(path, view, target, output, _OUTCOMES[outcome], p)
            for path, view, target, output, outcome, p in self._rows(_STATEMENT, (evaluation_id, question))
        ]
