"""A cap took the first 10,000 lines of a file sorted by view, and the model saw one view only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from cli_helpers import CommandLine
from clinical_data import Clinical, build_clinical
from mistake_helpers import cases
from tui_helpers import screen_text, until, workbench

from engine import api
from engine.data.apportion import apportion
from engine.types import Split
from engine.workspace import Workspace
from tui.screens.launch import LaunchScreen

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
    recipe = api.load_recipe(
        api.find_recipe("demo", workspace.root), ["name=capped", "data.dataset=sorted", f"data.limit={LIMIT}"]
    )
    app = workbench(workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.form is not None, "the form")
        app.screen.load_recipe(recipe, None)
        await until(pilot, lambda: "capped" in screen_text(app), "the recipe")
        await pilot.press("v")
        await until(pilot, lambda: "views" in screen_text(app), "the plan")
        text = " ".join(screen_text(app).split())
    assert f"{LIMIT} samples" in text
    assert "views 14: " in text


def test_a_cap_of_1000_keeps_all_views_in_proportion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clinical = build_clinical(tmp_path, images=1500)
    command = CommandLine(tmp_path / "workspace", capsys)
    done = command("data", "import", str(clinical.jsonl), "--name", "sorted", "--images", str(clinical.root), "--json")
    assert done.code == 0, done.err
    plan = command("launch", "demo", "--set", "data.dataset=sorted", "--set", "data.limit=1000", "--dry-run", "--json")
    whole = Counter(case.view for case in cases(Workspace(command.folder), Split.TRAIN, "sorted"))
    assert sum(whole.values()) > 1000
    views = sorted(whole)
    shares = apportion([whole[view] for view in views], 1000, minimum=1)
    assert plan.json["views"] == dict(zip(views, shares, strict=True))
    for view, count in plan.json["views"].items():
        assert abs(count / 1000 - whole[view] / sum(whole.values())) < 0.001
