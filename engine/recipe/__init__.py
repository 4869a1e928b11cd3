"""One run on paper: data, model, LoRA, training, evaluation; read from TOML, checked whole, written back.

Light: pydantic is the only dependency. Unknown keys, wrong values and impossible combinations are reported together.
"""

from __future__ import annotations

from engine.recipe.models import (
    DataSection,
    EvaluationSection,
    LoraSection,
    ModelSection,
    QuestionId,
    Recipe,
    TrainingSection,
)
from engine.recipe.naming import check_name, following_name
from engine.recipe.presets import find_recipe, preset_recipes
from engine.recipe.reading import load_recipe, parse_recipe, recipe_from_json
from engine.recipe.writing import recipe_diff, recipe_json, recipe_to_toml, recipe_values

__all__ = [
    "DataSection",
    "EvaluationSection",
    "LoraSection",
    "ModelSection",
    "QuestionId",
    "Recipe",
    "TrainingSection",
    "check_name",
    "find_recipe",
    "following_name",
    "load_recipe",
    "parse_recipe",
    "preset_recipes",
    "recipe_diff",
    "recipe_from_json",
    "recipe_json",
    "recipe_to_toml",
    "recipe_values",
]
