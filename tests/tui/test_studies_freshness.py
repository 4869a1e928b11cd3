"""Answers of studies follow what they depend on: the rule, marks and looks, not only the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import study_result_helpers as results
from cli_helpers import no_worker
from study_helpers import STUDY, finish_all, launch, study_workspace, write_study
from study_screen_helpers import augmentation
from tui_helpers import screen_text, until, workbench

from engine import api
from engine.workspace import Workspace
from tui.screens import studies_data
from tui.screens.studies_data import read_study
from tui.screens.studies_model import StudyRow
from tui.screens.studies_work import Answering
from tui.screens.study import OUT_OF_DATE, StudyScreen


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A small study, all of it measured, and no process for it."""
    made = study_workspace(tmp_path)
    with no_worker(made):
        launch(made)
        finish_all(made)
        yield made


def test_answers_are_worked_out_once_and_anew_when_the_rule_changes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def study_result(_workspace: Workspace, name: str, _scale: str) -> api.StudyResult:
        asked.append(name)
        return results.rich()

    def act(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        done(work())

    monkeypatch.setattr(api, "study_result", study_result, raising=False)
    bench = SimpleNamespace(workspace=workspace, act=act, report=lambda error: pytest.fail(str(error)))
    answering = Answering(SimpleNamespace(workbench=bench, is_attached=True, say=lambda _: None), wait_for_rest=False)  # type: ignore[arg-type]
    first = read_study(workspace, "rank", "demo")
    assert first.key
    answering.work_out([first])
    answering.work_out([read_study(workspace, "rank", "demo")])
    assert asked == ["rank"]
    write_study(workspace, STUDY.replace('kind = "better"', 'kind = "non_inferior"'))
    second = read_study(workspace, "rank", "demo")
    assert second.cells == first.cells, "nothing else was measured"
    answering.work_out([second])
    assert asked == ["rank", "rank"]


def test_a_recipe_that_breaks_below_an_open_study_is_a_problem_of_its_row(workspace: Workspace) -> None:
    (workspace.root / "assets" / "recipes" / "tiny.toml").write_text('name = "tiny"\n[data]\nfoo = 1\n')
    row = read_study(workspace, "rank", "demo")
    assert row.state is None
    assert any("data.foo" in problem for problem in row.problems)


@pytest.mark.usefixtures("brisk")
async def test_answers_of_before_a_change_are_marked_until_there_are_new_ones(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [augmentation()]

    def look(_workspace: Workspace, _name: str, _scale: str) -> StudyRow:
        return shown[0]

    def never(*_: object) -> api.StudyResult:
        raise api.UsageError("It cannot be computed")

    monkeypatch.setattr(studies_data, "read_study", look)
    monkeypatch.setattr(api, "study_result", never, raising=False)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        pilot.app.poller._poll = 0.02  # type: ignore[attr-defined]
        screen = StudyScreen(shown[0])
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: "is better than none" in screen_text(pilot.app), "the answers")
        assert OUT_OF_DATE[:11] not in screen_text(pilot.app)
        shown[0] = replace(augmentation(), result=None, key="another rule", rules=("Another rule.",))
        await until(pilot, lambda: OUT_OF_DATE[:11] in screen_text(pilot.app), "the mark")
        assert "is better than none" in screen_text(pilot.app), "the older answers are still there"
        shown[0] = replace(augmentation(), key="another rule")
        await until(pilot, lambda: OUT_OF_DATE[:11] not in screen_text(pilot.app), "answers of now")
