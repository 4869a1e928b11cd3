"""From a study at one scale to its cells: a recipe for each arm and seed, and what each is measured on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import RecipeError, StudyError
from engine.recipe import Recipe, find_recipe, load_recipe, parse_recipe, recipe_json
from engine.recipe.text import clean
from engine.study.cell_rules import cell_problems
from engine.study.models import SEED_KEY, Arm
from engine.study.scaled import Scaled


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm at one seed."""

    arm: str
    seed: int
    recipe: Recipe
    untuned: bool
    """The base model is measured as it is; nothing is trained, and the seed says nothing."""
    optional: bool
    note: str

    @property
    def questions(self) -> tuple[str, ...]:
        """What it is trained on and measured by."""
        return self.recipe.data.questions


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a cell is measured on."""

    question: str
    split: str
    degradation: str = ""
    """`KIND:SEVERITY`; "" for the images as they are."""


def expand(scaled: Scaled, workspace_root: Path) -> list[Cell]:
    """All cells in the order of the arms, seed by seed; untuned arms have one, whatever the number of seeds.

    Raises:
        RecipeError: the base recipe cannot be read, or arms make recipes that are not valid; every fault of every arm
            is named.
        StudyError: two arms are one and the same, or a decision asks for what they do not have.
    """
    base = _base(scaled, workspace_root)
    cells: list[Cell] = []
    problems: list[str] = []
    for name, arm in scaled.arms.items():
        for number in range(1 if arm.untuned else scaled.seeds):
            try:
                cells.append(_cell(scaled, base, name, arm, number))
            except RecipeError as error:
                problems += [f"arm {name}: {problem}" for problem in error.problems]
                break
    if problems:
        raise RecipeError(f"study {scaled.key}", problems)
    faults = cell_problems(scaled, cells)
    if faults:
        raise StudyError(f"study {scaled.key}", faults)
    return cells


def _base(scaled: Scaled, workspace_root: Path) -> Recipe:
    try:
        path = find_recipe(scaled.scale.recipe, workspace_root)
    except (OSError, RuntimeError) as error:
        # A name that no file can have, or the home of a user who is not there (`~somebody`).
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StudyError(f"study {scaled.key}", [f"scales.{scaled.name}.recipe: {clean(str(reason))}"]) from error
    return load_recipe(path)


def targets_of(scaled: Scaled, cell: Cell) -> list[Target]:
    """What a cell is measured on: its questions on the deciding split, and the degraded images of that split.

    A study that decides on the test split measures validation too, where thresholds come from. Degraded images are
    shown for Q7 and the report alone where the arm has them, else for its first question.
    """
    split = scaled.study.measure.split
    splits = ["validation"] if split == "validation" else ["validation", "test"]
    targets = [Target(question, each) for question in cell.questions for each in splits]
    degraded = next((each for each in ("Q7", "report") if each in cell.questions), cell.questions[0])
    measure = scaled.study.measure
    return targets + [
        Target(degraded, split, f"{kind}:{severity}")
        for kind in measure.degradations
        for severity in measure.severities
    ]


def _cell(scaled: Scaled, base: Recipe, name: str, arm: Arm, number: int) -> Cell:
    changes: dict[str, Any] = {SEED_KEY: base.training.seed, **scaled.scale.set, **arm.set}
    first, seed = changes[SEED_KEY], number
    if isinstance(first, int) and not isinstance(first, bool):  # what is no number is left for the recipe to refuse
        changes[SEED_KEY] = seed = first + number
    mapping = _changed(json.loads(recipe_json(base)), changes)
    mapping["name"] = run_name(scaled, name, seed)
    mapping["description"] = f"{scaled.study.title}: {arm.note or name}"
    # What is measured is the study's business: it queues its own evaluations.
    mapping["evaluation"]["splits"] = []
    recipe = parse_recipe(mapping, f"study {scaled.key}, arm {name}")
    return Cell(name, seed, recipe, arm.untuned, arm.optional, arm.note)


def run_name(scaled: Scaled, arm: str, seed: int) -> str:
    """Name of the run of a cell: `STUDY ARM`, with the seed where there are several; at most 80 characters."""
    ending = f" s{seed}" if scaled.seeds > 1 else ""
    return f"{scaled.study.name} {arm}"[: 80 - len(ending)].rstrip() + ending


def _changed(mapping: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        section, dot, name = key.rpartition(".")
        target = mapping.setdefault(section, {}) if dot else mapping
        if isinstance(target, dict):
            target[name] = value
    return mapping
