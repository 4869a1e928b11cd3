"""Rows of runs that were lost with runs.db, made again from what lies in their folders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.manifest import open_dataset
from engine.errors import SonotuneError
from engine.jobs.journal import FILE_NAME
from engine.maintenance.journals import last_ending
from engine.recipe import Recipe, load_recipe, recipe_json
from engine.store.writer import Writer
from engine.types import State
from engine.workspace import Workspace

_RUN_FOLDER = re.compile(r"(\d{5,})-(.+)")
NOTHING_KNOWN = {
    "dataset": "", "dataset_fingerprint": "", "split_fingerprint": "", "model": "", "seed": 0, "directory": "",
}  # fmt: skip
LOST_ROW = "its row was lost with a damaged runs.db"
_FROM_FOLDER = f"{LOST_ROW}; made again from its folder"


@dataclass(frozen=True, slots=True)
class Remade:
    """A run whose row was made again."""

    folder: str
    missing: str
    """What could not be known of it, and why; "" where everything was. Untrusted text."""


def remake_from_folders(workspace: Workspace, writer: Writer) -> Iterator[Remade]:
    """Give every run that has a folder a row: as its journal says that it ended, else interrupted, so that it can be
    resumed. Where its recipe cannot be read, or its dataset is not there, what is left of it still has a place."""
    known = {run for run, _ in writer.run_directories()}
    for file in sorted(workspace.outputs.glob("*/recipe.toml")):
        match = _RUN_FOLDER.fullmatch(file.parent.name)
        if match is None or int(match[1]) in known:
            continue
        columns: dict[str, Any] = {**NOTHING_KNOWN, "directory": f"outputs/{file.parent.name}"}
        name, missing = match[2], ""
        try:
            recipe = load_recipe(file)
            name = recipe.name
            columns |= _of_recipe(recipe)
            columns |= _of_dataset(workspace, recipe)
        except SonotuneError as error:
            missing = error.title
        columns.setdefault("recipe", json.dumps({"name": name}))
        writer.remake_run(int(match[1]), name, **_end(file, missing), **columns)
        yield Remade(file.parent.name, missing)


def _of_recipe(recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": recipe_json(recipe),
        "dataset": recipe.data.dataset,
        "model": recipe.model.id,
        "seed": recipe.training.seed,
    }


def _of_dataset(workspace: Workspace, recipe: Recipe) -> dict[str, Any]:
    """Fingerprints as its data has them today."""
    record = open_dataset(workspace, recipe.data.dataset).record
    return {
        "dataset": record.name,
        "dataset_fingerprint": record.fingerprint,
        "split_fingerprint": record.split_fingerprint,
    }


def _end(recipe: Path, missing: str) -> dict[str, Any]:
    """State, reason, times and error of a run whose row is lost; its times are those of its files."""
    why = f"{_FROM_FOLDER}, " + (missing or "with the fingerprint that its data has today")
    times: dict[str, Any] = {"queued_at": recipe.stat().st_mtime}
    journal = recipe.with_name(FILE_NAME)
    if journal.exists():
        times["ended_at"] = journal.stat().st_mtime
    ending = last_ending(journal)
    if ending is None:
        return {"state": State.INTERRUPTED, "reason": why, **times}
    return {"state": ending.state, "reason": f"{ending.reason}; {why}", **times, **ending.of_row}
