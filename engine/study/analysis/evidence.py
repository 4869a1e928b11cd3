"""What an answer stands on: figures, what must be known before them, and what forbids to conclude anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from engine.questions.vocabulary import NORMALITY
from engine.scoring.non_inferiority import Standing
from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.scoring.over_seeds import SeedDifference, SeedEstimate, difference, estimate
from engine.scoring.seed_values import SeedValues
from engine.store.records import MarkRow
from engine.study.analysis import operating
from engine.study.analysis.asking import Asked
from engine.study.analysis.figures import counts_of
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import FEW, difference_estimate, difference_words, estimate_of
from engine.study.results import Estimate
from engine.text import one_line
from engine.types import Mark, Split


@dataclass(frozen=True, slots=True)
class Reached:
    """The specificity that thresholds reach where they are used; they were chosen for `wanted` on validation."""

    wanted: float
    split: str
    each: tuple[Estimate, ...]
    """Of the arm, and of the one that it is held against."""
    difference: SeedDifference | None = None
    """Arm minus the other."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer stands on."""

    subjects: tuple[Subject, ...]
    """The arm, and the one that it is held against; those that are measured."""
    waiting: tuple[str, ...]
    """Who is not measured yet, and on what where it is something else than the deciding cases."""
    left_out: tuple[str, ...] = ()
    """Names of those that were measured, but on other images or targets."""
    marks: tuple[tuple[str, tuple[MarkRow, ...]], ...] = ()
    """By the name of the subject, in the same order."""
    own: SeedEstimate | None = None
    """The figure of the arm."""
    difference: SeedDifference | None = None
    n: int = 0
    """Cases whose target can be read."""
    abnormal: int | None = None
    """Abnormal cases among n; None for other questions than Q7."""
    few: tuple[str, ...] = ()
    """Classes behind the figure with fewer than `FEW` cases, such as `5 abnormal`."""
    reached: Reached | None = None
    """For the sensitivity at a specificity alone."""

    def marked(self, place: int, *kinds: Mark) -> tuple[Mark, ...]:
        """Which of these marks the arm (0), or the one it is held against (1), has."""
        held = {mark.kind for mark in self.marks[place][1]} if place < len(self.marks) else set()
        return tuple(kind for kind in kinds if kind in held)

    @property
    def collapsed(self) -> bool:
        """Whether the answers of the arm have collapsed."""
        return bool(self.marked(0, Mark.COLLAPSED))

    def disqualified(self, standing: Standing) -> bool:
        """Whether the collapse of the arm alone forbids what its interval shows."""
        return self.collapsed and standing is Standing.ABOVE and not self.few

    def groundless(self) -> str:
        """Why nothing follows about a margin or a line, wherever the interval lies; "" where something does."""
        worthless = self.marked(1, Mark.COLLAPSED, Mark.BLIND)
        if worthless:
            said = "has collapsed" if Mark.COLLAPSED in worthless else "does not look at the image"
            return f"the other one {said}, so nothing follows from it"
        return f"fewer than {FEW} cases of a class are too few for that" if self.few else ""

    def other_specificity(self, *, ahead: bool) -> str:
        """Why two sensitivities can't be held against each other: the one ahead pays for it with specificity."""
        gain = None if self.reached is None else self.reached.difference
        if gain is None or not (gain.high < 0 if ahead else gain.low > 0):
            return ""
        words = difference_words(difference_estimate(gain))
        return f"it reaches a {'lower' if ahead else 'higher'} specificity ({words})"

    def missed_specificity(self) -> str:
        """Why a sensitivity says nothing of the declared specificity: what is reached lies below it."""
        if self.reached is None or (high := self.reached.each[0].high) is None or high >= self.reached.wanted:
            return ""
        return f"the specificity that it reaches lies below {self.reached.wanted:g}"


def gather(material: Material, asked: Asked) -> Evidence:
    """Whatever is measured of what was asked."""
    target = material.target(asked.question)
    arm = material.subject(asked.arm, target)
    than = None if asked.alone else material.subject(asked.than, target, asked.arm)
    subjects = tuple(each for each in (arm, than) if each is not None)
    waiting, left_out = _lacking(material, asked, (arm,) if asked.alone else (arm, than))
    if waiting or left_out or arm is None:
        return Evidence(subjects, waiting, left_out)
    n, abnormal = counts_of(material, arm)
    values = [material.values(each, asked.figure) for each in subjects]
    known = [each for each in values if each is not None]
    whole = len(known) == len(subjects)
    sizes = _sizes(material, arm, known) if whole else {}
    return Evidence(
        subjects,
        (),
        marks=tuple((each.name, tuple(material.marks(each))) for each in subjects),
        own=material.estimate(arm, asked.figure),
        difference=difference(known[1], known[0], material.resampling) if whole and than is not None else None,
        n=n,
        abnormal=abnormal,
        few=tuple(f"{count:,} {one_line(name)}".strip() for name, count in sizes.items() if count < FEW),
        reached=_reached(material, subjects) if asked.figure == SENSITIVITY_AT_SPECIFICITY else None,
    )


def _lacking(
    material: Material, asked: Asked, subjects: tuple[Subject | None, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is not measured yet, and who was but is left out; each in the order of the subjects."""
    waiting: dict[str, None] = {}
    left_out: dict[str, None] = {}
    targets = [(material.target(asked.question), "")]
    if asked.figure == SENSITIVITY_AT_SPECIFICITY and material.measure.split == "test":
        targets.append((material.target(asked.question, Split.VALIDATION), " on validation"))
    for name, subject in zip((asked.arm, asked.than), subjects, strict=False):
        for target, words in targets:
            if words and subject is not None and operating.chosen_everywhere(material, subject):
                continue
            if material.was_left_out(name, target, asked.arm):
                left_out[name] = None
            elif words or subject is None:
                waiting[name + words] = None
            if subject is None:
                break
    return tuple(waiting), tuple(left_out)


def _sizes(material: Material, arm: Subject, values: list[SeedValues]) -> dict[str, int]:
    """Images of each class behind a figure that have a value on every side; one without a name where it has none.

    A class that plays no part is not among them.
    """
    used = np.logical_and.reduce([each.usable() for each in values])
    if arm.question != NORMALITY and len(np.unique(values[0].classes)) < 2:
        return {"": int(used.sum())}
    targets = [each.target.value for each in material.cases(arm.seeds[0].row)]
    return dict(sorted(Counter(target for target, counts in zip(targets, used, strict=True) if counts).items()))


def _reached(material: Material, subjects: tuple[Subject, ...]) -> Reached:
    values = [operating.reached(material, each) for each in subjects]
    each = tuple(estimate_of(None if one is None else estimate(one, material.resampling)) for one in values)
    gain = None
    if len(values) > 1 and values[0] is not None and values[1] is not None:
        gain = difference(values[1], values[0], material.resampling)
    return Reached(material.measure.specificity, material.measure.split, each, gain)
