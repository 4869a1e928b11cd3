"""The model gave one and the same answer for all test images of all views, and a table of averages did not show it."""

from __future__ import annotations

from cli_helpers import CommandLine
from mistake_helpers import cases, marks_of, phone, predict, row_of

from engine.types import Mark
from engine.workspace import Workspace

ANSWER = "Trans-thalamic view"


def say_the_same(command: CommandLine, workspace: Workspace) -> int:
    asked = cases(workspace)
    predict(command, "parrot", "Q3", asked, lambda *_: ANSWER)
    return len(asked)


def test_mistake_03_json(command: CommandLine, workspace: Workspace) -> None:
    count = say_the_same(command, workspace)
    marks = marks_of(row_of(command, "parrot", "--question", "Q3"))
    assert f"one and the same answer for all {count} images of 14 views" in marks[Mark.COLLAPSED]
    assert Mark.BELOW_MAJORITY in marks


async def test_mistake_03_screen(command: CommandLine, workspace: Workspace) -> None:
    count = say_the_same(command, workspace)
    text = await phone(workspace, ["5"], "parrot")
    assert "parrot !collapsed" in text
    assert f"one and the same answer for all {count} images of 14 views" in text


def test_a_good_model_of_a_rare_finding_is_not_called_collapsed(command: CommandLine, workspace: Workspace) -> None:
    """98 % normal answers are no collapse where 98 % are normal."""
    predict(command, "right", "Q7", cases(workspace), lambda _, case: case.answers["Q7"])
    assert Mark.COLLAPSED not in marks_of(row_of(command, "right", "--question", "Q7"))
