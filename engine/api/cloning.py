"""Cloning: the recipe of a run once more, under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.evaluating import recipe_of
from engine.api.reading import open_reader
from engine.recipe import Recipe, following_name, parse_recipe
from engine.workspace import Workspace


def clone_recipe(workspace: Workspace, run: int | str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe that a run was launched with, under a free name (`NAME-2`, `NAME-3` ...); queues nothing.

    Launch it with `launch(..., parent_run_id=...)`.

    Args:
        workspace: where the run is recorded.
        run: number or name of the run.
        changes: `section.key=value`, laid over the recipe; `name=...` replaces the suggested name.

    Raises:
        JobError: there is no such run.
        RecipeError: the changes do not fit, or this version of sonotune cannot run what was stored.
    """
    with open_reader(workspace) as reader:
        row = reader.run(run)
        name = following_name(row.name, reader.run_names())
    source = f"recipe of run {row.id}"
    stored = recipe_of(row).model_dump(mode="json")
    return parse_recipe({**stored, "name": name}, source, changes)
