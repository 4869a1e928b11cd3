"""Thresholds that validation fixes for a subject, and the specificity that they reach where they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.scoring.cases import probability_of
from engine.scoring.operating_point import OperatingPoint, operating_point, redrawn_thresholds
from engine.scoring.seed_values import Redrawn, SeedValues
from engine.store.records import EvaluationRow
from engine.study.analysis.subjects import Subject
from engine.types import Reference

if TYPE_CHECKING:
    from engine.study.analysis.material import Material


def points(material: Material, subject: Subject) -> list[OperatingPoint | None]:
    """The operating point of each seed, from its own validation cases; None for a seed where they fix none."""
    rows = _validation(material, subject)
    wanted = material.measure.specificity
    return [None if row is None else operating_point(material.cases(row), wanted) for row in rows]


def thresholds(material: Material, subject: Subject) -> list[float | None] | None:
    """The threshold of each seed; None where a seed has none."""
    found = points(material, subject)
    return None if None in found else [None if each is None else each.threshold for each in found]


def chosen_everywhere(material: Material, subject: Subject) -> bool:
    """Whether every seed is measured on the validation images, which alone may choose its threshold."""
    return None not in _validation(material, subject)


def reached(material: Material, subject: Subject) -> SeedValues | None:
    """Specificity on the images of the subject at the thresholds that it has, image by image; None without them."""
    found = thresholds(material, subject)
    return None if found is None else material.values(subject, "specificity", found)


def redrawn(material: Material, subject: Subject) -> Redrawn | None:
    """The threshold of each seed in every resample of validation, of a subject with a threshold in every seed.

    None where it has no probabilities to hold against them, so that its texts decide.
    """
    p = [[probability_of(case) for case in material.cases(each.row)] for each in subject.seeds]
    known = np.array([[np.nan if each is None else each for each in row] for row in p], dtype=np.float64)
    rows = [row for row in _validation(material, subject) if row is not None]
    if len(rows) != len(known) or not np.isfinite(known).any(axis=1).all():
        return None
    wanted, validating = material.measure.specificity, material.validating
    return Redrawn(known, np.stack([redrawn_thresholds(material.cases(row), wanted, validating) for row in rows]))


def _validation(material: Material, subject: Subject) -> list[EvaluationRow | None]:
    """The evaluation of each seed on the validation images as they are."""
    clean = material.subjects(material.target(subject.question, "validation"))
    rows = {each.seed: each.row for found in clean if _same(found, subject) for each in found.seeds}
    return [rows.get(each.seed) for each in subject.seeds]


def _same(one: Subject, other: Subject) -> bool:
    """Whether two subjects are one, on whatever targets; the untuned model is one under each protocol."""
    if one.reference is not Reference.BASE:
        return (one.name, one.reference) == (other.name, other.reference)
    return one.reference == other.reference and bool(set(one.arms) & set(other.arms))
