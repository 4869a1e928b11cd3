"""Writing rows that were lost with a damaged database."""

from __future__ import annotations

from typing import Any

from engine.store.writer_base import WriterBase
from engine.types import State

_OF_RUNS = ("metrics", "samples", "events", "evaluations", "notes", "tags")


class RestoreWrites(WriterBase):
    """The part of the writer that `engine.maintenance.restore` uses."""

    def run_directories(self) -> list[tuple[int, str]]:
        """Ids of all runs with their folders, relative to the workspace."""
        return [(int(row[0]), str(row[1])) for row in self._connection.execute("SELECT id, directory FROM runs")]

    def missing_runs(self) -> list[int]:
        """Ids of runs that other rows belong to, and that have no row themselves."""
        owned = " UNION ".join(
            f"SELECT run_id FROM {table} WHERE typeof(run_id) = 'integer'"  # noqa: S608 - literals
            for table in _OF_RUNS
        )
        statement = f"SELECT run_id FROM ({owned}) WHERE run_id NOT IN (SELECT id FROM runs) ORDER BY run_id"  # noqa: S608
        return [int(row[0]) for row in self._connection.execute(statement)]

    def forget_thinning(self, run_id: int) -> None:
        """Say that a run has all of its points: its journal has brought them back."""
        with self._transaction() as connection:
            connection.execute("UPDATE runs SET rolled_up_at = NULL WHERE id = ?", (run_id,))

    def remake_run(self, run_id: int, name: str, *, state: State, reason: str, **others: Any) -> None:
        """Enter a run under the id that it had; a name that is taken meanwhile gets the id behind it.

        Args:
            run_id: free in the table.
            name: of the run.
            state: it is left in.
            reason: why.
            others: further columns.
        """
        with self._transaction() as connection:
            taken = connection.execute("SELECT 1 FROM runs WHERE name = ?", (name,)).fetchone()
            values = {"id": run_id, "name": f"{name}-{run_id}" if taken else name, "state": state, "reason": reason}
            self._insert("runs", {**values, "queued_at": self._now(), **others})
            self._add_event("run_id", run_id, state, reason)
