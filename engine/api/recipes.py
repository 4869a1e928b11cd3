"""Recipes in a form: their keys, what can be chosen, and every problem at its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.data.manifest import dataset_names
from engine.errors import RecipeError
from engine.questions.prompts import QUESTIONS, REPORT_ID, prompt_variants
from engine.recipe import Recipe, load_recipe, preset_recipes
from engine.recipe.fields import RecipeField, recipe_fields
from engine.recipe.problems import recipe_problems
from engine.recipe.text import clean
from engine.training.model_files import repository_root
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RecipeCheck:
    """What is wrong with the values of a recipe: everything at once."""

    recipe: Recipe | None
    """None where there is a problem."""
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By dotted key; an impossible combination stands at each of its keys. May quote untrusted text, made safe."""
    count: int = 0
    """Problems; an impossible combination counts once."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe file that can be chosen."""

    name: str
    """Untrusted text, as everything here: the files are the user's."""
    path: Path
    recipe: Recipe | None
    """None where the file holds no sound recipe."""
    words: str
    """What the recipe is for; of a file that cannot be used, what is wrong with it."""


@dataclass(frozen=True, slots=True)
class RecipeOffers:
    """What there is to choose from in a workspace."""

    fields: tuple[RecipeField, ...] = ()
    presets: tuple[Preset, ...] = ()
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Base models: folders that are there, and what the presets name."""

    def words_for(self, key: str, values: Mapping[str, object]) -> tuple[str, ...]:
        """Words that are offered for a key that may hold any text; empty where nothing is known.

        Args:
            key: dotted.
            values: of the recipe, by dotted key: the wordings depend on the questions.
        """
        if key == "data.dataset":
            return self.datasets
        if key == "model.id":
            return self.models
        return prompt_names(values.get("data.questions")) if key == "data.prompt" else ()


def check_recipe(values: Mapping[str, object]) -> RecipeCheck:
    """Check the values of a recipe, by dotted key; keys that are not given have their defaults."""
    mapping = _nested(values)
    try:
        return RecipeCheck(Recipe.model_validate(mapping))
    except ValidationError as error:
        found = recipe_problems(mapping, error)
    problems: dict[str, tuple[str, ...]] = {}
    for keys, line in found:
        text = line.removeprefix(f"{', '.join(map(clean, keys))}: ")
        for key in keys:
            problems[key] = (*problems.get(key, ()), text)
    return RecipeCheck(None, problems, len(found))


def recipe_offers(workspace: Workspace) -> RecipeOffers:
    """The keys of a recipe with all that a launch form can offer. Reads small files: not for an event loop."""
    presets = tuple(_preset(name, path) for name, path in preset_recipes(workspace.root).items())
    return RecipeOffers(
        fields=recipe_fields(),
        presets=presets,
        datasets=tuple(dataset_names(workspace)),
        models=tuple(_models(workspace, presets)),
    )


def prompt_names(questions: object) -> tuple[str, ...]:
    """Names of the wordings that all these questions have; what is no question is passed over."""
    asked = questions if isinstance(questions, (list, tuple)) else ()
    known = [each for each in asked if each in (*QUESTIONS, REPORT_ID)]
    if not known:
        return ()
    return tuple(name for name in prompt_variants(known[0]) if all(name in prompt_variants(each) for each in known))


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        target = mapping.setdefault(section, {}) if section else mapping
        target[name] = value
    return mapping


def _preset(name: str, path: Path) -> Preset:
    try:
        recipe = load_recipe(path)
    except RecipeError as error:
        return Preset(name, path, None, f"cannot be used: {'; '.join(error.problems)}")
    return Preset(name, path, recipe, recipe.description)


def _models(workspace: Workspace, presets: Iterable[Preset]) -> list[str]:
    folders = sorted(
        f"assets/{file.parent.name}"
        for root in (workspace.root, repository_root())
        for file in (root / "assets").glob("base-model*/config.json")
    )
    named = [preset.recipe.model.id for preset in presets if preset.recipe is not None]
    return list(dict.fromkeys([*folders, *named]))
