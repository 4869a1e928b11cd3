"""The declared questions of a study, one for each arm and question that they are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.material import Material
from engine.study.models import REFERENCE_WORDS, Decision
from engine.study.rules import QUESTION


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision about one arm and one question."""

    decision: Decision
    arm: str
    than: str
    question: str
    figure: str

    @property
    def alone(self) -> bool:
        """Whether the arm is held against a line, and against nobody."""
        return self.decision.kind == "at_least"


def all_asked(material: Material) -> list[Asked]:
    """In the order of the file.

    Raises:
        UsageError: a decision names a figure that its question does not have.
    """
    return [each for decision in material.scaled.decide for each in _asked(material, decision)]


def _asked(material: Material, decision: Decision) -> Iterator[Asked]:
    """One for each question, and for each arm where the decision is about each."""
    for question in decision.questions or material.questions:
        than = decision.than.replace(QUESTION, question) or material.scaled.baseline
        arms = [decision.arm.replace(QUESTION, question)] if decision.arm else _each(material, than)
        for arm in arms:
            declared = decision.questions and decision.arm
            if declared or all(question in _questions(material, name) for name in (arm, than)):
                yield Asked(decision, arm, than, question, deciding_figure(material.scaled, question, decision))


def _each(material: Material, than: str) -> list[str]:
    """All other arms that are trained where `than` is, and untuned where it is; the trained ones for a reference."""
    cells = material.cells
    untuned = than in cells and cells[than][0].cell.untuned
    return [name for name, found in cells.items() if name != than and found[0].cell.untuned is untuned]


def _questions(material: Material, name: str) -> tuple[str, ...]:
    """What an arm is measured on; a reference row stands beside every question."""
    if name in REFERENCE_WORDS:
        return material.questions
    return material.cells[name][0].cell.questions if name in material.cells else ()
