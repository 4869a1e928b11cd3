"""A cap took the first 10,000 lines of a file sorted by view, and the model saw one view only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from cli_helpers import CommandLine
from clinical_data import Clinical
from mistake_helpers import cases, phone

from engine import api
from engine.data.apportion import apportion
from engine.types import Split
from engine.workspace import Workspace

LIMIT = 140
CAPPED = ("launch", "demo", "--set", "data.dataset=sorted", "--set", f"data.limit={LIMIT}", "--dry-run", "--json")


def import_sorted(workspace: Workspace, clinical: Clinical) -> None:
    """The chat file, whose lines stand view after view."""
    views = [json.loads(line)["images"][0].split("/")[0] for line in clinical.jsonl.read_text().splitlines()]
    assert views == sorted(views, key=views.index)
    assert len(set(views)) == 14
    api.import_source(workspace, clinical.jsonl, name="sorted", images=clinical.root)


def test_mistake_02_json(command: CommandLine, workspace: Workspace, clinical: Clinical) -> None:
    import_sorted(workspace, clinical)
    plan = command(*CAPPED).json
    assert plan["training samples"] == LIMIT
    whole = Counter(case.view for case in cases(workspace, Split.TRAIN, "sorted"))
    views = sorted(whole)
    assert plan["views"] == dict(zip(views, apportion([whole[view] for view in views], LIMIT, minimum=1), strict=True))
    assert len(plan["views"]) == 14


async def test_mistake_02_screen(workspace: Workspace, clinical: Clinical) -> None:
    import_sorted(workspace, clinical)
    file = workspace.root / "capped.toml"
    recipe = api.load_recipe(
        api.find_recipe("demo", workspace.root), ["name=capped", "data.dataset=sorted", f"data.limit={LIMIT}"]
    )
    file.write_text(api.recipe_to_toml(recipe))
    assert Path(file).is_file()
    api.save_recipe(workspace, recipe, "capped")
    text = await phone(workspace, ["2", "p"], "capped")
    assert "capped" in text
