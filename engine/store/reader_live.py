"""Reads of a screen that follows runs: short, by index, and with cursors, so that a poll costs microseconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.store.mapping import select
from engine.store.records import SampleRow
from engine.types import ACTIVE, State


class Rows(Protocol):
    """What runs a statement (`engine.store.reader.Reader`)."""

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]: ...


@dataclass(frozen=True, slots=True)
class RunListRow:
    """What a list of runs needs of one: a few columns, because there may be ten thousand."""

    id: int
    name: str
    """Untrusted text."""
    state: State
    reason: str
    heartbeat: float | None
    step: int
    planned_steps: int | None
    final_loss: float | None
    train_seconds: float | None
    queued_at: float
    started_at: float | None
    ended_at: float | None
    dataset: str
    model: str
    backend: str | None
    device: str | None
    study: str | None
    peak_vram_reserved_bytes: int | None
    peak_rss_bytes: int | None
    samples_per_second: float | None
    tags: str
    """Separated by commas, in alphabetical order."""
    notes: int
    stalled_at: float | None = None
    """Unix time since when it has not got on though its process lives; None while it does."""


@dataclass(frozen=True, slots=True)
class CurveBatch:
    """New points of a run's curves."""

    last_id: int
    """Cursor for the next call: every point up to here has been seen."""
    points: Mapping[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    """Steps and values by key, in the order of writing; NaN where the step gave no number."""


_COLUMNS = """
id, name, state, reason, heartbeat, step, planned_steps, final_loss, train_seconds, queued_at, started_at, ended_at,
dataset, model, backend, device, study, peak_vram_reserved_bytes, peak_rss_bytes, samples_per_second
"""
# Gathered once for all runs: a subquery for each would read all notes ten thousand times.
_RUN_LIST = f"""
SELECT {_COLUMNS}, COALESCE(tagged.all_tags, ''), COALESCE(noted.note_count, 0), stalled_at
FROM runs
LEFT JOIN (SELECT run_id AS tagged_id, GROUP_CONCAT(tag, ', ') AS all_tags
           FROM (SELECT run_id, tag FROM tags ORDER BY run_id, tag) GROUP BY run_id) AS tagged ON tagged_id = runs.id
LEFT JOIN (SELECT run_id AS noted_id, COUNT(*) AS note_count FROM notes GROUP BY run_id) AS noted ON noted_id = runs.id
"""  # noqa: S608 - literals
_ACTIVE_RUNS = f"""
SELECT {_COLUMNS},
       COALESCE((SELECT GROUP_CONCAT(tag, ', ') FROM (SELECT tag FROM tags WHERE run_id = runs.id ORDER BY tag)), ''),
       (SELECT COUNT(*) FROM notes WHERE run_id = runs.id), stalled_at
FROM runs
"""  # noqa: S608 - likewise

_POINT = ("key", "step", "value")
_MARKS = """
SELECT (SELECT MAX(id) FROM events), (SELECT MAX(id) FROM metrics), (SELECT MAX(id) FROM samples)
"""


def _condition(filter_text: str) -> tuple[str, Sequence[Any]]:
    if not filter_text:
        return "1", ()
    from engine.store.run_filter import run_filter  # not before somebody filters: screens paint first

    return run_filter(filter_text)


_STATES = {state.value: state for state in State}


def _listed(row: sqlite3.Row) -> RunListRow:
    return RunListRow(row[0], row[1], _STATES[row[2]], *row[3:])


class LiveReads:
    """The part of the reader that screens poll."""

    def run_list(self: Rows, limit: int = -1, filter_text: str = "") -> list[RunListRow]:
        """Runs, newest first, in the columns of a list; those that a filter leaves, where one is given.

        Raises:
            FilterError: what cannot be understood, and where.
        """
        condition, parameters = _condition(filter_text)
        rows = self._rows(f"{_RUN_LIST} WHERE {condition} ORDER BY id DESC LIMIT ?", (*parameters, limit))
        return [_listed(row) for row in rows]

    def active_runs(self: Rows) -> list[RunListRow]:
        """The runs that are starting or running, newest first."""
        states = ", ".join(f"'{state.value}'" for state in ACTIVE)
        return [_listed(row) for row in self._rows(f"{_ACTIVE_RUNS} WHERE state IN ({states}) ORDER BY id DESC")]

    def newest_ids(self: Rows) -> tuple[int, int, int]:
        """Newest id of events, metrics and samples."""
        events, metrics, samples = self._rows(_MARKS)[0]
        return events or 0, metrics or 0, samples or 0

    def curve_points(self: Rows, run_id: int, keys: Sequence[str], after_id: int = 0) -> CurveBatch:
        """Points of some curves of a run with an id above `after_id`.

        From the beginning the run's own index is used, in the order of steps; later calls read the few newest rows of
        the table, whichever run they belong to.
        """
        marks = ", ".join("?" * len(keys))
        # Read first: a point that is written in between is then seen twice rather than never.
        last = int(self._rows("SELECT COALESCE(MAX(id), 0) FROM metrics")[0][0])
        if after_id:
            rest = f"WHERE id > ? AND +run_id = ? AND key IN ({marks}) ORDER BY id"
            rows = self._rows(select("metrics", _POINT, rest), (after_id, run_id, *keys))
        else:
            rest = f"WHERE run_id = ? AND key IN ({marks}) ORDER BY key, step"
            rows = self._rows(select("metrics", _POINT, rest), (run_id, *keys))
        points: dict[str, tuple[list[int], list[float]]] = {}
        for key, step, value in rows:
            steps, values = points.setdefault(key, ([], []))
            steps.append(step)
            values.append(float("nan") if value is None else value)
        return CurveBatch(last, points)

    def sampled_curve(self: Rows, run_id: int, key: str, points: int) -> list[float]:
        """About `points` values of one curve at equal distances, oldest first: for a sparkline, by index alone."""
        found = self._rows("SELECT MIN(step), MAX(step) FROM metrics WHERE run_id = ? AND key = ?", (run_id, key))[0]
        if found[0] is None:
            return []
        first, last = int(found[0]), int(found[1])
        wanted = sorted({first + (last - first) * place // max(points - 1, 1) for place in range(points)})
        statement = "SELECT value FROM metrics WHERE run_id = ? AND key = ? AND step >= ? ORDER BY step LIMIT 1"
        values = (self._rows(statement, (run_id, key, step))[0][0] for step in wanted)
        return [float("nan") if value is None else float(value) for value in values]

    def recent_values(self: Rows, run_id: int, key: str, count: int, since: float = 0.0) -> list[float]:
        """The newest `count` values of one curve, newest first; steps without a number are left out.

        Those recorded before Unix time `since` are left out too: an attempt that was resumed has steps of its own.
        """
        statement = "SELECT value FROM metrics WHERE run_id = ? AND key = ? AND time >= ? ORDER BY step DESC LIMIT ?"
        return [float(row[0]) for row in self._rows(statement, (run_id, key, since, count)) if row[0] is not None]

    def latest_sample(self: Rows, run_id: int) -> SampleRow | None:
        """The newest telemetry of a run; None where there is none."""
        columns = tuple(SampleRow.__dataclass_fields__)
        statement = select("samples", columns, "WHERE run_id = ? ORDER BY id DESC LIMIT 1")
        rows = self._rows(statement, (run_id,))
        return SampleRow(*rows[0]) if rows else None
