"""Where recipes lie: a path, or the name of a preset in `assets/recipes` of the workspace or of the repository."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from engine.errors import RecipeError
from engine.recipe.text import clean

REPOSITORY = Path(__file__).resolve().parents[2]
"""The checkout that this package is run from."""


def preset_recipes(workspace_root: Path) -> dict[str, Path]:
    """Preset files by name, sorted; those of the workspace hide those of the repository."""
    return named_files("recipes", workspace_root)


def named_files(kind: str, workspace_root: Path) -> dict[str, Path]:
    """TOML files of `assets/KIND` by name, sorted; those of the workspace hide those of the repository."""
    found = {}
    for root in (REPOSITORY, Path(workspace_root)):
        for file in (root / "assets" / kind).glob("*.toml"):
            found[file.stem] = file
    return dict(sorted(found.items()))


def existing_file(given: str, workspace_root: Path) -> Path | None:
    """The file at a path from the current directory or from the workspace; None where there is none."""
    try:
        path = Path(given).expanduser()
    except RuntimeError:  # `~NAME` of somebody who is not known here
        path = Path(given)
    return next((each for each in (path, Path(workspace_root) / path) if each.is_file()), None)


def find_recipe(name_or_path: str | Path, workspace_root: Path) -> Path:
    """The file of a recipe: a preset by name, or a path from the current directory or from the workspace.

    Raises:
        RecipeError: there is no such file; the message has the presets that exist.
    """
    given = str(name_or_path)
    presets = preset_recipes(workspace_root)
    if given in presets:
        return presets[given]
    file = existing_file(given, workspace_root)
    if file is not None:
        return file
    near = get_close_matches(given[:100], presets, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    known = ", ".join(presets) or "none"
    raise RecipeError(clean(given), [f"no such preset and no such file; {hint}presets: {known}"])
