"""Who is looked at: an arm with all of its seeds, or a reference row, as measured on one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.recipe import Recipe
from engine.store.records import EvaluationRow, RunRow
from engine.study.expanding import Target
from engine.types import Reference

WORDS: Mapping[Reference, str] = {
    Reference.MAJORITY: "majority",
    Reference.MAJORITY_BY_VIEW: "majority_by_view",
    Reference.SHUFFLED: "shuffled",
    Reference.BASE: "untuned",
}
"""Names by which a study knows reference rows."""


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One seed of an arm, measured."""

    seed: int
    run: RunRow | None
    """None for untuned arms and reference rows."""
    row: EvaluationRow


@dataclass(frozen=True, slots=True)
class Subject:
    """One arm, or one reference row, on one target."""

    name: str
    """Untrusted text."""
    target: Target
    seeds: tuple[SeedRow, ...]
    """All that have succeeded, in the order of the seeds."""
    planned: int
    """Seeds that there are going to be."""
    recipe: Recipe | None
    """None for a reference row."""
    reference: Reference | None = None
    arms: tuple[str, ...] = ()
    """A reference row: the arms that were measured under its protocol."""

    @property
    def question(self) -> str:
        """Q1 to Q8, or report."""
        return self.target.question

    @property
    def complete(self) -> bool:
        """Whether every seed is there."""
        return len(self.seeds) == self.planned
