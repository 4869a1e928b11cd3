"""Reads about studies: their launches, the runs that belong to them, what runs train, kept results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.store.mapping import columns, from_row, select
from engine.store.reader_live import Rows
from engine.store.records import EvaluationRow, RunRow
from engine.types import BLANK, State

STUDIES_OF_RUN = (
    "COALESCE((SELECT GROUP_CONCAT(study, ', ') FROM (SELECT DISTINCT study FROM study_runs "
    "WHERE run_id = {run} ORDER BY study)), {own})"
)
"""SQL for all studies that a run belongs to, separated by commas; `run` is its id, `own` the study that launched it."""


@dataclass(frozen=True, slots=True)
class LaunchRow:
    """Row of `study_launches`."""

    id: int
    time: float
    study: str
    scale: str
    definition: str
    """TOML; untrusted text."""
    rule: str
    """SHA-256 over what decides at this scale."""
    arms: tuple[str, ...]
    """All arms of the file at this scale."""
    chosen: tuple[str, ...]
    """Arms that were named; empty for those that are not optional."""
    seeds: int
    measured: int
    """Evaluations of the study's own runs that had succeeded by then."""


class UnkeyedRun(NamedTuple):
    """A run of which it is not known yet what it trains."""

    id: int
    recipe: str
    """JSON."""


class MemberRun(NamedTuple):
    """A run of a study at one of its scales."""

    run_id: int
    arm: str
    """The one that it was launched or reused for; untrusted text."""
    seed: int
    state: State
    recipe: str
    """JSON."""
    measured: int
    """Evaluations of it that have ever succeeded, under whatever protocol; grey-image controls aside."""


class KeptResult(NamedTuple):
    """Row of `study_results`, without its name."""

    key: str
    time: float
    result: str
    """JSON."""


_LAUNCH = ("id", "time", "study", "scale", "definition", "rule", "arms", "chosen", "seeds", "measured")
_UNKEYED = """SELECT r.id, r.recipe FROM runs r LEFT JOIN training_keys k ON k.run_id = r.id AND k.version = ?
WHERE k.run_id IS NULL AND r.kind = 'training'"""
_MEASURED = f"""SELECT COUNT(*) FROM evaluations e WHERE e.run_id = r.id AND e.state = '{State.SUCCEEDED}'
AND e.degradation IS NOT '{BLANK}'"""  # noqa: S608 - literals
_MEMBERS = f"""SELECT r.id, s.arm, s.seed, r.state, r.recipe, ({_MEASURED})
FROM study_runs s JOIN runs r ON r.id = s.run_id WHERE s.study = ? AND s.scale = ? ORDER BY r.id, s.arm, s.seed"""  # noqa: S608 - literals
_OF_DATASET = "dataset = ? AND dataset_fingerprint = ? AND split_fingerprint = ?"


class StudyReads:
    """The part of the reader that studies use."""

    def study_launches(self: Rows, study: str, scale: str) -> list[LaunchRow]:
        """Launches of a study at a scale, oldest first."""
        statement = select("study_launches", _LAUNCH, "WHERE study = ? AND scale = ? ORDER BY id")
        found = []
        for row in self._rows(statement, (study, scale)):
            values = dict(zip(_LAUNCH, row, strict=True))
            lists = {name: tuple(map(str, json.loads(values[name]))) for name in ("arms", "chosen")}
            found.append(LaunchRow(**{**values, **lists}))
        return found

    def study_members(self: Rows, study: str) -> set[int]:
        """Ids of the runs that belong to a study, at whatever scale."""
        statement = "SELECT run_id FROM study_runs WHERE study = ? UNION SELECT id FROM runs WHERE study = ?"
        return {int(row[0]) for row in self._rows(statement, (study, study))}

    def study_runs_at(self: Rows, study: str, scale: str) -> list[MemberRun]:
        """Runs that were launched or reused for a study at a scale, whether or not the study still has their arm."""
        rows = self._rows(_MEMBERS, (study, scale))
        return [MemberRun(**{**dict(zip(MemberRun._fields, row, strict=True)), "state": State(row[3])}) for row in rows]

    def measured_of_runs(self: Rows, run_ids: Iterable[int]) -> dict[int, int]:
        """How many evaluations of these runs have ever succeeded, grey-image controls aside."""
        statement = f"SELECT r.id, ({_MEASURED}) FROM runs r WHERE r.id IN (SELECT value FROM json_each(?))"  # noqa: S608
        return {int(row[0]): int(row[1]) for row in self._rows(statement, (json.dumps(sorted(run_ids)),))}

    def unkeyed_runs(self: Rows, version: str) -> list[UnkeyedRun]:
        """Runs without a training key of this version."""
        return [UnkeyedRun(*row) for row in self._rows(_UNKEYED, (version,))]

    def runs_that_train(
        self: Rows, keys: Sequence[str], version: str, dataset: tuple[str, str, str]
    ) -> list[tuple[str, RunRow]]:
        """Runs with one of these training keys on a dataset as it is, oldest first; cancelled ones are left out.

        Args:
            keys: wanted.
            version: of the keys.
            dataset: its name, its fingerprint and that of its split.
        """
        names = ", ".join(f"r.{name}" for name in columns(RunRow))
        statement = (
            f"SELECT k.key, {names} FROM training_keys k JOIN runs r ON r.id = k.run_id "  # noqa: S608 - field names
            f"WHERE k.version = ? AND k.key IN (SELECT value FROM json_each(?)) AND r.state <> ? AND {_OF_DATASET} "
            "ORDER BY r.id"
        )
        parameters = (version, json.dumps(list(keys)), State.CANCELLED.value, *dataset)
        return [(str(row[0]), from_row(RunRow, row[1:])) for row in self._rows(statement, parameters)]

    def study_evaluations(self: Rows, run_ids: Iterable[int], dataset: tuple[str, str, str]) -> list[EvaluationRow]:
        """Evaluations of these runs and of all reference rows on a dataset as it is, oldest first; not cancelled ones.

        Arguments as for `runs_that_train`.
        """
        where = (
            f"WHERE {_OF_DATASET} AND state <> ? "  # noqa: S608 - literals
            "AND (reference IS NOT NULL OR run_id IN (SELECT value FROM json_each(?))) ORDER BY id"
        )
        parameters = (*dataset, State.CANCELLED.value, json.dumps(list(run_ids)))
        rows = self._rows(select("evaluations", columns(EvaluationRow), where), parameters)
        return [from_row(EvaluationRow, row) for row in rows]

    def prediction_counts(self: Rows, evaluation_ids: Iterable[int]) -> dict[int, int]:
        """How many cases each of these evaluations has measured so far; those without any are left out."""
        statement = (
            "SELECT evaluation_id, COUNT(*) FROM predictions "
            "WHERE evaluation_id IN (SELECT value FROM json_each(?)) GROUP BY evaluation_id"
        )
        return {int(row[0]): int(row[1]) for row in self._rows(statement, (json.dumps(list(evaluation_ids)),))}

    def study_result(self: Rows, study: str, scale: str) -> KeptResult | None:
        """The result that was kept; None where there is none."""
        statement = select("study_results", KeptResult._fields, "WHERE study = ? AND scale = ?")
        rows = self._rows(statement, (study, scale))
        return KeptResult(*rows[0]) if rows else None
