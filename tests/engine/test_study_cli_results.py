"""`sonotune study show` where the result is odd: it cannot be computed, or an interval has no end."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import study_result_helpers as results
from cli_helpers import CommandLine, no_worker
from study_helpers import finish_all, launch, study_workspace

from engine import api
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A small study, all of it measured."""
    made = study_workspace(tmp_path)
    with no_worker(made):
        launch(made)
        finish_all(made)
        yield made


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(workspace.root, capsys)


def test_the_state_is_shown_where_the_result_cannot_be_computed(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyse(*_: object) -> api.StudyResult:
        raise api.UsageError("It has other cases", "Its arms were measured on other images.")

    monkeypatch.setattr("engine.study.analysis.analyse.analyse", analyse)
    done = command("study", "show", "rank")
    assert done.code == 2
    assert "It has other cases" in done.err
    assert all(word in done.out for word in ("small", "large", "done"))
    done = command("study", "show", "rank", "--json")
    assert (done.code, json.loads(done.out)["result"]) == (2, None)
    assert [cell["stage"] for cell in json.loads(done.out)["state"]["cells"]] == ["done", "done"]


def test_json_is_strict_where_an_interval_is_open_at_an_end(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    first = results.answers()[0]
    endless = replace(results.estimate(0.5), low=-math.inf, high=math.inf)
    odd = replace(results.rich(), answers=(replace(first, difference=endless, p=math.nan),))
    monkeypatch.setattr("engine.study.analysis.analyse.analyse", lambda *_: odd)
    done = command("study", "show", "rank", "--json")
    (answer,) = json.loads(done.out, parse_constant=constant)["result"]["answers"]
    assert (answer["difference"]["low"], answer["difference"]["high"], answer["p"]) == (None, None, None)
    assert answer["difference"]["value"] == 0.5
