"""Recipes as files: written whole or not at all, and never over another one unasked."""

from __future__ import annotations

import re
from pathlib import Path

from engine.data.files import write_durably
from engine.errors import UsageError
from engine.files import flush
from engine.recipe import Recipe, preset_recipes, recipe_to_toml
from engine.recipe.text import clean, shown
from engine.text import one_line
from engine.workspace import Workspace

ENDING = ".toml"
_PRESET_NAME = re.compile(r"\w[\w .-]{0,79}")


class RecipeFileTakenError(UsageError):
    """A recipe file, or a preset, has this name already."""


def save_recipe(workspace: Workspace, recipe: Recipe, path: str | Path, overwrite: bool = False) -> Path:
    """Write a recipe to a TOML file.

    Args:
        workspace: a bare name becomes a preset of it, `assets/recipes/NAME.toml`.
        recipe: what to write; `load_recipe` reads the same recipe back.
        path: a name, or a path (it has a slash, or ends in .toml) from the workspace.
        overwrite: replace a file that is there, or hide a preset of the repository by one of the same name.

    Returns:
        The file.

    Raises:
        RecipeFileTakenError: there is one already, and `overwrite` is false.
        UsageError: this is no name for a preset, or the file cannot be written.
    """
    target = recipe_file(workspace, path)
    hidden = preset_recipes(workspace.root).get(target.stem) if target.parent == _presets(workspace) else None
    if not overwrite and (target.exists() or hidden is not None):
        raise _taken(target, hidden)
    try:
        if target.parent == _presets(workspace):
            target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, _text(recipe, target), overwrite)
    except FileExistsError as error:
        raise _taken(target, None) from error
    except OSError as error:
        raise UsageError(
            f"The recipe cannot be written to {one_line(target)}",
            f"{error.strerror or error}.",
            "Choose another name, or a path such as recipes/mine.toml in a folder that is there.",
        ) from error
    return target


def recipe_file(workspace: Workspace, path: str | Path) -> Path:
    """The file that `save_recipe` would write.

    Raises:
        UsageError: a bare name with other characters than letters, digits, spaces and . - _, or with more than 80.
    """
    given = str(path).strip()
    if "/" in given or given.endswith(ENDING):
        return workspace.root / Path(given).expanduser()
    if not _PRESET_NAME.fullmatch(given):
        raise UsageError(
            f"{shown(given)} is no name for a recipe file",
            "A name has up to 80 letters, digits, spaces and . - _, and begins with a letter or digit.",
            "Choose another name, or a path that ends in .toml.",
        )
    return _presets(workspace) / f"{given}{ENDING}"


def _presets(workspace: Workspace) -> Path:
    return workspace.root / "assets" / "recipes"


def _taken(target: Path, hidden: Path | None) -> RecipeFileTakenError:
    if hidden is None or hidden == target:
        title, reason = f"There is a recipe file {clean(target.name)} already", "This recipe would take its place."
    else:
        title = f"There is a preset {clean(target.stem)} already"
        reason = "This recipe would hide it in this workspace; the file of the repository stays as it is."
    return RecipeFileTakenError(title, reason, "Nothing was written: choose another name, or overwrite it.")


def _text(recipe: Recipe, target: Path) -> bytes:
    header = f"# Saved by sonotune.\n#\n#   sonotune launch {clean(target.stem)}\n"
    return (header + recipe_to_toml(recipe)).encode("utf-8")


def _write(target: Path, data: bytes, overwrite: bool) -> None:
    """Write beside the target, then rename: nobody ever reads half a recipe."""
    aside = target.with_name(f".{target.name}.tmp")
    if not overwrite:
        target.open("xb").close()  # whoever makes the file first has the name
    try:
        write_durably(aside, data)
        aside.replace(target)
    except OSError:
        aside.unlink(missing_ok=True)
        if not overwrite:
            target.unlink(missing_ok=True)
        raise
    flush(target.parent)
