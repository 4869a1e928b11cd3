"""Recipes to TOML, to JSON, and beside each other."""

from __future__ import annotations

import json

from engine.recipe.models import SECTIONS, Recipe


def recipe_values(recipe: Recipe) -> dict[str, object]:
    """Every value by its dotted key, in the order of the file; lists are tuples."""
    values: dict[str, object] = {"name": recipe.name, "description": recipe.description}
    for section in SECTIONS:
        for key, value in getattr(recipe, section).model_dump().items():
            values[f"{section}.{key}"] = value
    return values


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as a TOML file with every key written out; `load_recipe` reads the same recipe back."""
    lines = []
    section = ""
    for key, value in recipe_values(recipe).items():
        home, _, name = key.rpartition(".")
        if home != section:
            lines += ["", f"[{home}]"]
            section = home
        lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def recipe_json(recipe: Recipe) -> str:
    """The recipe as one line of JSON, keys in the order of the file; `recipe_from_json` reads it back."""
    return recipe.model_dump_json()


def recipe_diff(a: Recipe, b: Recipe) -> list[tuple[str, object, object]]:
    """(dotted key, value in `a`, value in `b`) of every value that differs, in the order of the file."""
    left, right = recipe_values(a), recipe_values(b)
    return [(key, left[key], right[key]) for key in left if left[key] != right[key]]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON strings are TOML strings, but for the one control character that JSON leaves as it is
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
