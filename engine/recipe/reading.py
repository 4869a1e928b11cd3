"""Recipes from files, mappings and stored JSON: whole and valid, or one error that names every fault."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.errors import RecipeError
from engine.recipe.models import Recipe
from engine.recipe.overrides import apply_overrides
from engine.recipe.problems import recipe_problems

LARGEST_FILE = 64_000
"""Bytes; a larger file is no recipe, and tomllib takes memory by the square of a key's length."""


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with `key=value` overrides (dotted keys, TOML values, bare words as text).

    Raises:
        RecipeError: the file cannot be read, or with all problems of file and overrides together.
    """
    mapping = _read_toml(Path(path))
    changed, sources, problems = apply_overrides(mapping, overrides)
    return _checked(changed, str(path), sources, problems)


def parse_recipe(mapping: Mapping[str, Any], source: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a mapping as TOML or JSON gives it.

    Args:
        mapping: sections by name.
        source: what to call it in messages.
        overrides: as for `load_recipe`.

    Raises:
        RecipeError: with all problems together.
    """
    changed, sources, problems = apply_overrides(mapping, overrides)
    return _checked(changed, source, sources, problems)


def recipe_from_json(text: str, source: str = "stored recipe") -> Recipe:
    """The recipe that `recipe_json` wrote.

    Raises:
        RecipeError: the text is no JSON object, or no valid recipe of this version.
    """
    try:
        mapping = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(source, [f"no valid JSON: {error}"]) from error
    if not isinstance(mapping, dict):
        raise RecipeError(source, ["no JSON object"])
    return parse_recipe(mapping, source)


def _checked(mapping: Mapping[str, Any], source: str, sources: Mapping[str, str], problems: list[str]) -> Recipe:
    failure: ValidationError | None = None
    try:
        recipe = Recipe.model_validate(mapping)
    except ValidationError as error:
        failure = error
    if failure is None and not problems:
        return recipe
    found = [line + _origin(keys, sources) for keys, line in recipe_problems(mapping, failure)]
    raise RecipeError(source, [*problems, *found])


def _origin(keys: tuple[str, ...], sources: Mapping[str, str]) -> str:
    """` (from --set ...)` for keys at fault that the command line set, alone or with their section."""
    origins = [
        origin
        for key in keys
        for target, origin in sources.items()
        if target in (key, key.partition(".")[0]) or target.startswith(f"{key}.")
    ]
    return f" (from {', '.join(dict.fromkeys(origins))})" if origins else ""


def _read_toml(path: Path) -> dict[str, Any]:
    source = str(path)
    try:
        if path.is_file() and path.stat().st_size > LARGEST_FILE:
            raise RecipeError(source, [f"larger than {LARGEST_FILE} bytes: this is no recipe"])
        raw = path.read_bytes()
    except OSError as error:
        raise RecipeError(source, [f"cannot be read: {error.strerror or error}"]) from error
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RecipeError(source, [f"line {line}: not UTF-8 text"]) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(source, [f"TOML syntax: {error}"]) from error
