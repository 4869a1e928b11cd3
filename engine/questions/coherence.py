"""Whether the answers to one image fit each other: a table of rules, and which of them an image breaks.

A rule speaks only where every answer that it needs was read; an answer that could not be read breaks nothing here,
because it is counted by its own measure already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.questions.parsers.gestational_age import bin_index
from engine.questions.reading import Reading, Status
from engine.questions.regions import (
    EARLY,
    FOREIGN,
    LATE,
    MEASURED,
    SECOND_HALF,
    SHOWS,
    region_of_plane,
    region_of_view,
    section_of,
)
from engine.questions.terms.measurements import PARAMETERS
from engine.questions.terms.recommendations import ROUTINE, URGENT

Readings = Mapping[str, Reading]

_ANYWHERE = frozenset({"EFW", "FHR", "AFI"})
"""Parameters that are noted beside any plane."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that the answers to an image must have in common."""

    id: str
    sentence: str
    """The rule in words."""
    needs: tuple[str, ...]
    """Questions whose answers it holds against each other (or against the view)."""
    check: Callable[[str, Readings], bool | None]
    """True where it holds, False where it is broken, None where it says nothing about these answers."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that the answers to an image break."""

    rule: str
    sentence: str
    said: tuple[tuple[str, str], ...]
    """Question and canonical answer of each answer involved."""


def broken_rules(view: str, readings: Readings) -> list[Broken]:
    """The rules that the readings of one image break, in the order of `RULES`.

    Args:
        view: folder name, such as `NT-View`; rules that need a view they do not know say nothing.
        readings: by question id; questions may be missing.
    """
    return [
        Broken(rule.id, rule.sentence, tuple((question, readings[question].value) for question in rule.needs))
        for rule in RULES
        if _verdict(rule, view, readings) is False
    ]


def applied_rules(view: str, readings: Readings) -> list[str]:
    """Ids of the rules that say something about these readings, broken or not: the denominator of coherence."""
    return [rule.id for rule in RULES if _verdict(rule, view, readings) is not None]


def _verdict(rule: Rule, view: str, readings: Readings) -> bool | None:
    if any(question not in readings or readings[question].status is not Status.READ for question in rule.needs):
        return None
    return rule.check(view, readings)


def _region(view: str, readings: Readings) -> str | None:
    """The region by the plane that Q3 names; by the view where Q3 names a direction only."""
    return region_of_plane(readings["Q3"].value) or region_of_view(view)


def _abnormal_needs_more(_view: str, readings: Readings) -> bool | None:
    return readings["Q8"].items != (ROUTINE,) if readings["Q7"].value == "abnormal" else None


def _normal_is_not_urgent(_view: str, readings: Readings) -> bool | None:
    return not URGENT & set(readings["Q8"].items) if readings["Q7"].value == "normal" else None


def _early_weeks(view: str, readings: Readings) -> bool | None:
    return bin_index(readings["Q5"].value) <= bin_index("13-15") if region_of_view(view) in EARLY else None


def _late_weeks(view: str, readings: Readings) -> bool | None:
    return bin_index(readings["Q5"].value) >= bin_index("30-35") if region_of_view(view) in LATE else None


def _not_too_early(view: str, readings: Readings) -> bool | None:
    return bin_index(readings["Q5"].value) > bin_index("8-13") if region_of_view(view) in SECOND_HALF else None


def _plane_of_view(view: str, readings: Readings) -> bool | None:
    plane, expected = region_of_plane(readings["Q3"].value), region_of_view(view)
    if plane is None or expected is None:
        return None
    return plane == expected or {plane, expected} <= EARLY


def _shows_its_structures(view: str, readings: Readings) -> bool | None:
    expected = SHOWS.get(_region(view, readings) or "")
    return bool(expected & set(readings["Q1"].items)) if expected else None


def _no_foreign_structures(view: str, readings: Readings) -> bool | None:
    foreign = FOREIGN.get(_region(view, readings) or "")
    return not foreign & set(readings["Q1"].items) if foreign else None


def _its_measurements(view: str, readings: Readings) -> bool | None:
    allowed = MEASURED.get(_region(view, readings) or "")
    known = set(readings["Q4"].items) & set(PARAMETERS)
    return known <= allowed | _ANYWHERE if allowed and known else None


def _same_section(_view: str, readings: Readings) -> bool | None:
    orientation, plane = section_of(readings["Q2"].value), section_of(readings["Q3"].value)
    return orientation == plane if orientation and plane else None


RULES: tuple[Rule, ...] = (
    Rule(
        "abnormal-needs-more",
        "An abnormal finding asks for more than routine monitoring.",
        ("Q7", "Q8"),
        _abnormal_needs_more,
    ),
    Rule("normal-is-not-urgent", "A normal image is no reason for urgent steps.", ("Q7", "Q8"), _normal_is_not_urgent),
    Rule("early-view-early-weeks", "NT and CRL views are taken before 15 weeks.", ("Q5",), _early_weeks),
    Rule(
        "symphysis-late-weeks",
        "Symphysis and fetal head are viewed together from 30 weeks on.",
        ("Q5",),
        _late_weeks,
    ),
    Rule(
        "standard-view-not-too-early",
        "Standard planes of head, abdomen, heart and femur are taken from 13 weeks on.",
        ("Q5",),
        _not_too_early,
    ),
    Rule("plane-fits-view", "The named plane is the one of the view.", ("Q3",), _plane_of_view),
    Rule(
        "plane-shows-its-structures",
        "The structures that define a plane are among those listed.",
        ("Q1", "Q3"),
        _shows_its_structures,
    ),
    Rule(
        "no-foreign-structures",
        "No structure is listed that a plane cannot show.",
        ("Q1", "Q3"),
        _no_foreign_structures,
    ),
    Rule(
        "measurements-fit-plane",
        "Every parameter can be measured in the plane: BPD and HC in the head, AC in the abdomen, FL at the femur.",
        ("Q3", "Q4"),
        _its_measurements,
    ),
    Rule(
        "section-fits-plane", "Orientation and plane name the same direction of the cut.", ("Q2", "Q3"), _same_section
    ),
)
