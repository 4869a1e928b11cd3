"""Writing about studies: launches, the runs that belong to them, what runs train, results that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.store.mapping import columns, insert, to_row
from engine.store.records import StudyRow
from engine.store.writer_base import WriterBase


class Member(NamedTuple):
    """A run in its place in a study."""

    run_id: int
    arm: str
    seed: int


class StudyWrites(WriterBase):
    """The part of the writer that studies use."""

    def enter_study_launch(
        self,
        study: StudyRow,
        scale: str,
        *,
        rule: str,
        arms: Sequence[str],
        chosen: Sequence[str],
        seeds: int,
        measured: int,
    ) -> int:
        """Record a launch of a study, and its definition as the latest one; return the id of the launch."""
        with self._transaction() as connection:
            connection.execute(insert("studies", columns(StudyRow), replace=True), to_row(study))
            return self._insert(
                "study_launches",
                {
                    "time": self._now(),
                    "study": study.name,
                    "scale": scale,
                    "definition": study.definition,
                    "rule": rule,
                    "arms": json.dumps(list(arms), ensure_ascii=False),
                    "chosen": json.dumps(list(chosen), ensure_ascii=False),
                    "seeds": seeds,
                    "measured": measured,
                },
            )

    def add_study_runs(self, study: str, scale: str, members: Iterable[Member]) -> None:
        """Make runs members of a study; those that are members already stay so."""
        statement = "INSERT OR IGNORE INTO study_runs (study, scale, run_id, arm, seed) VALUES (?, ?, ?, ?, ?)"
        with self._transaction() as connection:
            connection.executemany(statement, [(study, scale, *member) for member in members])

    def keep_training_keys(self, version: str, keys: Mapping[int, str]) -> None:
        """Store what runs train, by run id."""
        statement = "INSERT OR REPLACE INTO training_keys (run_id, version, key) VALUES (?, ?, ?)"
        with self._transaction() as connection:
            connection.executemany(statement, [(run, version, key) for run, key in keys.items()])

    def keep_study_result(self, study: str, scale: str, key: str, result: str) -> None:
        """Keep the result of a study, as JSON, in place of the one before."""
        statement = insert("study_results", ("study", "scale", "key", "time", "result"), replace=True)
        values = {"study": study, "scale": scale, "key": key, "time": self._now(), "result": result}
        with self._transaction() as connection:
            connection.execute(statement, values)
