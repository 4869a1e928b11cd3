"""BERTScore gave every model 0.75 to 0.80: a measure that gives as much to answers of other images tells nothing."""

from __future__ import annotations

from cli_helpers import CommandLine
from mistake_helpers import cases, marks_of, phone, predict, row_of

from engine.types import Mark
from engine.workspace import Workspace


def answer_at_random(command: CommandLine, workspace: Workspace) -> None:
    """The answers of other images: none has anything to do with what it stands beside."""
    asked = cases(workspace)
    others = [case.answers["Q8"] for case in asked]
    predict(command, "random", "Q8", asked, lambda number, _: others[(number * 29 + 7) % len(others)])


def test_mistake_08_json(command: CommandLine, workspace: Workspace) -> None:
    answer_at_random(command, workspace)
    row = row_of(command, "random", "--question", "Q8")
    assert row["chrf"] > 0.2  # it looks like something
    assert abs(row["chrf"] - row["chrf_shuffled"]) < 0.1
    assert "chrf gives as much to the answers of other images" in marks_of(row)[Mark.INSENSITIVE]
    shuffled = row_of(command, "shuffled answers", "--question", "Q8")
    assert shuffled["chrf_low"] < row["chrf"] < shuffled["chrf_high"]
    assert shuffled["reference"] == "shuffled"


async def test_mistake_08_screen(command: CommandLine, workspace: Workspace) -> None:
    answer_at_random(command, workspace)
    text = await phone(workspace, ["5"], "random")
    assert "shuffled answers" in text
    assert "chrf gives as much to the answers of other images" in text


def test_a_model_that_is_right_is_told_apart(command: CommandLine, workspace: Workspace) -> None:
    predict(command, "right", "Q8", cases(workspace), lambda _, case: case.answers["Q8"])
    row = row_of(command, "right", "--question", "Q8")
    assert Mark.INSENSITIVE not in marks_of(row)
    assert row["chrf"] - row["chrf_shuffled"] > 0.3
