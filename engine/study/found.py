"""The cells of a study as they stand in runs.db: which run has done each, and which evaluations have measured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.store.records import EvaluationRow, RunRow
from engine.study.expanding import Cell, Target
from engine.study.scaled import Scaled
from engine.types import Reference


@dataclass(frozen=True, slots=True)
class FoundCell:
    """One cell with what there is of it."""

    cell: Cell
    run: RunRow | None
    """The run that has trained it, or is going to; None for an untuned arm, and where there is none yet."""
    measured: Mapping[Target, EvaluationRow]
    """The evaluation of each target that counts: the newest that has succeeded, else one on its way, else one that
    broke; never a cancelled one. Those of the untuned model for an untuned arm."""


@dataclass(frozen=True, slots=True)
class FoundReference:
    """One reference row beside the arms."""

    reference: Reference
    arms: tuple[str, ...]
    """The arms that were measured under its protocol: several share one, another wording or model has its own."""
    target: Target
    row: EvaluationRow


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study at one scale as it stands."""

    scaled: Scaled
    dataset: str
    dataset_fingerprint: str
    """"" where the dataset is not there yet."""
    split_fingerprint: str
    cells: tuple[FoundCell, ...]
    """In the order of the file; those of optional arms that nobody has asked for are left out."""
    references: tuple[FoundReference, ...]
