"""What a job measures, one entry at a time: as it is written into the job's journal and into runs.db."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.types import Prediction

GOES_ON, ANEW = "goes on", "begins anew"
"""Kinds of events by which an attempt of an evaluation says what became of the answers of earlier ones."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one training step."""

    step: int
    values: Mapping[str, float]
    """By key, such as loss."""
    time: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of the job's row that have new values (as `engine.store.mapping.to_column` gives them)."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the job's history."""

    kind: str
    detail: str
    """Untrusted text."""
    time: float
    """Unix time; with kind and detail it tells whether the line is there already."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the model of an evaluation said of some cases."""

    predictions: Sequence[Prediction]


Entry = Measured | Columns | Happened | Answered


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that a job's row belongs to; with its start, because PIDs are used again."""

    pid: int
    process_start: float | None
    """Seconds since boot (`engine.jobs.process`); None: the PID alone decides."""
