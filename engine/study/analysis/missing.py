"""What of a study is not done, in words."""

from __future__ import annotations

from collections.abc import Iterator

from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.study.analysis.asking import Asked, all_asked
from engine.study.analysis.evidence import gather
from engine.study.analysis.material import Material
from engine.study.analysis.sentences import left_out
from engine.study.analysis.subjects import WORDS
from engine.study.expanding import Target, targets_of
from engine.study.found import FoundCell, FoundReference, FoundStudy
from engine.study.models import REFERENCE_WORDS
from engine.text import one_line
from engine.types import Reference, Split, State


def missing_cells(found: FoundStudy) -> list[str]:
    """A line for each cell that is not trained, or not measured on everything."""
    return [line for cell in found.cells for line in _cell(found, cell)]


def missing_references(material: Material) -> list[str]:
    """A line for each reference row that a decision needs and that is not measured, whyever.

    Raises:
        UsageError: a decision names a figure that its question does not have.
    """
    asked = [each for each in all_asked(material) if each.than in REFERENCE_WORDS and not each.alone]
    lines = (_reference(material, each, target) for each in asked for target in _targets(material, each))
    return list(dict.fromkeys(line for line in lines if line))


def missing_beside_others(material: Material) -> list[str]:
    """A line for each arm and reference row that a decision needs and that is left out, as it has other images.

    Raises:
        UsageError: a decision names a figure that its question does not have.
    """
    found = [(name, each.question) for each in all_asked(material) for name in gather(material, each).left_out]
    return [f"{left_out(name)} ({question})" for name, question in dict.fromkeys(found)]


def _targets(material: Material, asked: Asked) -> list[Target]:
    """What the row must be measured on: the deciding cases, and those that its threshold is chosen on."""
    deciding = material.target(asked.question)
    if asked.figure != SENSITIVITY_AT_SPECIFICITY:
        return [deciding]
    return list(dict.fromkeys((deciding, material.target(asked.question, Split.VALIDATION))))


def _reference(material: Material, asked: Asked, target: Target) -> str:
    """Why the row that an arm is held against is not there; "" where it is."""
    rows = [each for each in material.found.references if each.target == target and _serves(each, asked)]
    if any(each.row.state is State.SUCCEEDED for each in rows):
        return ""
    beside = f" beside {one_line(asked.arm)}" if asked.than == WORDS[Reference.BASE] else ""
    state = "".join(f" (evaluation {each.row.id} is {each.row.state})" for each in rows[-1:])
    return f"{asked.than}{beside}: not measured on {_words(target)}{state}"


def _serves(found: FoundReference, asked: Asked) -> bool:
    """What asks no model says the same beside every arm; the untuned model has a row for each protocol."""
    own = found.reference is not Reference.BASE or asked.arm in found.arms
    return WORDS.get(found.reference) == asked.than and own


def _cell(found: FoundStudy, each: FoundCell) -> Iterator[str]:
    name = one_line(each.cell.arm) + (f", seed {each.cell.seed}" if not each.cell.untuned else "")
    if not each.cell.untuned:
        if each.run is None:
            yield f"{name}: not trained"
            return
        if each.run.state is not State.SUCCEEDED:
            yield f"{name}: run {each.run.id} is {each.run.state}"
            return
    targets = targets_of(found.scaled, each.cell)
    lacking = [target for target in targets if not _measured(each, target)]
    if lacking:
        shown = ", ".join(_words(target) for target in lacking[:4])
        more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        yield f"{name}: not measured on {shown}{more}"


def _measured(each: FoundCell, target: Target) -> bool:
    row = each.measured.get(target)
    return row is not None and row.state is State.SUCCEEDED


def _words(target: Target) -> str:
    return f"{target.question} on {target.split}" + (f" with {target.degradation}" if target.degradation else "")
