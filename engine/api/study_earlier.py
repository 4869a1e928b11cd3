"""What the untuned arms of a study were by the definitions that it was launched with before, and what that has shown.

A trained arm leaves a run that belongs to the study. An untuned one leaves nothing but evaluations of the base model,
so what it was is read from the definitions that the launches have kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.api.study_files import OpenStudy
from engine.api.study_finding import Standing, standing_of
from engine.errors import UsageError
from engine.store.records import EvaluationRow
from engine.study.cell_rules import what_is_done
from engine.study.found import FoundCell
from engine.study.reading import parse_study
from engine.study.scaled import Scaled, scaled
from engine.types import State


@dataclass(frozen=True, slots=True)
class EarlierUntuned:
    """Untuned arms of earlier definitions."""

    rows: frozenset[int]
    """Evaluations that have measured any of them, those that still do included."""
    changed: tuple[str, ...]
    """Arms that were measured as something that no cell of the study is now, in the order of the launches."""


def earlier_untuned(standing: Standing) -> EarlierUntuned:
    """What was measured of the untuned arms that a study was launched with at this scale.

    Raises:
        StoreError: runs.db cannot be read.
    """
    study, cells = standing.study, standing.found.cells
    here = {what_is_done(cell.cell) for cell in cells if cell.cell.untuned}
    counted = {row.id for cell in cells for row in succeeded(cell)}
    rows: set[int] = set()
    changed: dict[str, None] = {}
    for text, chosen in _definitions(study).items():
        for cell in _cells(study, text, chosen):
            own = {row.id for row in succeeded(cell)}
            rows |= own
            # Both: one that is only said in other words is no other arm, nor is one that is measured on other splits.
            if own - counted and what_is_done(cell.cell) not in here:
                changed[cell.cell.arm] = None
    return EarlierUntuned(frozenset(rows), tuple(changed))


def succeeded(cell: FoundCell) -> list[EvaluationRow]:
    """What has been measured of a cell."""
    return [row for row in cell.measured.values() if row.state == State.SUCCEEDED]


def _definitions(study: OpenStudy) -> dict[str, set[str]]:
    """The definitions that were launched, oldest first, each with the optional arms that were asked for by it.

    The present one is left out: its arms are the cells that there are.
    """
    found: dict[str, set[str]] = {}
    for launch in study.launches:
        found.setdefault(launch.definition, set()).update(launch.chosen)
    found.pop(study.file.text, None)
    return found


def _cells(study: OpenStudy, text: str, chosen: set[str]) -> tuple[FoundCell, ...]:
    """The untuned arms of a definition as cells, with what has measured them by now."""
    try:
        old = scaled(parse_study(text, "an earlier launch"), study.scale)
        alone = _untuned(old, chosen)
        if alone is None:
            return ()
        return standing_of(study.workspace, replace(study, whole=old, scaled=alone)).found.cells
    except (UsageError, KeyError):
        # Of a definition that cannot be read any more, or has no such scale, it is not known what its arms were.
        # Where one belonged to the tests, the rule has changed with it, and that is said.
        return ()


def _untuned(old: Scaled, chosen: set[str]) -> Scaled | None:
    """A study with those untuned arms alone that were launched; None where there are none."""
    arms = {name: arm for name, arm in old.arms.items() if arm.untuned and (not arm.optional or name in chosen)}
    return replace(old, arms=arms, baseline=next(iter(arms)), decide=()) if arms else None
