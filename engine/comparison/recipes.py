"""In what the recipes of two runs differ."""

from __future__ import annotations

from engine.comparison.subjects import Candidate
from engine.errors import SonotuneError
from engine.text import one_line
from engine.training.layout import resolved
from engine.types import IMPORTED

RecipeDifference = tuple[tuple[str, object, object], ...]
NAMES = ("name", "description")
"""Keys that say nothing about how a run was trained."""


def recipe_difference(first: Candidate, second: Candidate) -> tuple[RecipeDifference | None, str]:
    """(key, value of the first, value of the second) of all that differs; or None, and why there is none."""
    for each in (first, second):
        if each.run is None:
            return None, f"{one_line(each.title)} has no recipe."
        if each.run.kind == IMPORTED:
            return None, f"The predictions of {one_line(each.title)} were imported: there is no recipe."
    from engine.recipe import recipe_diff, recipe_from_json  # pydantic: not where references alone are compared

    recipes = []
    for each in (first, second):
        assert each.run is not None  # noqa: S101 - looked at above
        try:
            recipes.append(recipe_from_json(each.run.recipe, f"recipe of run {each.run.id}"))
        except SonotuneError as error:  # of another version, or damaged: everything else can still be compared
            return None, f"{one_line(error.title)}."
    written = tuple(item for item in recipe_diff(*recipes) if item[0] not in NAMES)
    return (*written, *_computed(first, second)), ""


def _computed(first: Candidate, second: Candidate) -> RecipeDifference:
    """What `auto` was resolved to differently: it changes nothing but rounding, speed and memory."""
    one, other = (resolved(each.run.layout if each.run else None) for each in (first, second))
    return tuple(
        (f"computed.{name}", one[name], other[name]) for name in one if name in other and one[name] != other[name]
    )
