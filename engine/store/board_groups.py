"""Groups of the leaderboard: rows are ranked together only where cases and protocol are the same."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple


class GroupKey(NamedTuple):
    """What the rows of one ranking have in common."""

    dataset: str
    question: str
    split: str
    cases_fingerprint: str
    """Of the cases: image, question and target."""
    protocol_fingerprint: str
    """Of the way in which they were measured."""


@dataclass(frozen=True, slots=True)
class BoardGroup:
    """One ranking."""

    key: GroupKey
    n: int | None
    """Cases measured."""
    abnormal: int | None
    """How many of them are abnormal; None for a question without that distinction."""
    runs: int
    """Tuned runs measured; the reference rows are not counted."""
    measured_at: float
    """End of the newest evaluation, in Unix seconds."""
    evaluation: int
    """The newest evaluation."""

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.key.dataset

    @property
    def question(self) -> str:
        """Q1 to Q8, or report."""
        return self.key.question

    @property
    def split(self) -> str:
        """The split measured."""
        return self.key.split


_GROUPS = """
SELECT g.*, (SELECT n FROM scores WHERE evaluation_id = g.newest AND scope = 'all' AND name = 'sensitivity')
FROM (
  SELECT dataset, question, split, cases_fingerprint, protocol_fingerprint, MAX(n), COUNT(DISTINCT run_id),
         MAX(COALESCE(ended_at, queued_at)) AS measured_at, MAX(id) AS newest
  FROM evaluations WHERE state = 'succeeded' AND degradation IS NULL
  GROUP BY dataset, question, split, cases_fingerprint, protocol_fingerprint
) g
ORDER BY g.measured_at DESC, g.newest DESC
"""


def groups(connection: sqlite3.Connection) -> list[BoardGroup]:
    """All groups, the one measured most recently first."""
    return [
        BoardGroup(GroupKey(*row[:5]), row[5], row[9], row[6], row[7], row[8]) for row in connection.execute(_GROUPS)
    ]


def scores_of(connection: sqlite3.Connection, group: BoardGroup) -> list[tuple[str, str]]:
    """(scope, name) of every score of a group: those of its newest evaluation, as all were measured in one way."""
    statement = "SELECT scope, name FROM scores WHERE evaluation_id = ? ORDER BY scope, name"
    return [(row[0], row[1]) for row in connection.execute(statement, (group.evaluation,))]
