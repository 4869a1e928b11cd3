"""Models were compared on different subsets."""

from __future__ import annotations

from cli_helpers import CommandLine
from mistake_helpers import cases, phone, predict

from engine.workspace import Workspace


def measure_on_other_images(command: CommandLine, workspace: Workspace) -> None:
    asked = cases(workspace)
    predict(command, "first half", "Q6", asked[:40], lambda _, case: case.answers["Q6"])
    predict(command, "second half", "Q6", asked[30:], lambda number, case: case.answers["Q6"] if number % 2 else "Low")


def test_mistake_09_json(command: CommandLine, workspace: Workspace) -> None:
    measure_on_other_images(command, workspace)
    rows = [row for row in command("leaderboard", "--question", "Q6", "--json").json if row["reference"] is None]
    assert len({row["cases_fingerprint"] for row in rows}) == 2
    for row in rows:
        group = [row["cases_fingerprint"], row["protocol_fingerprint"]]
        together = command("leaderboard", "--question", "Q6", "--json").json
        beside = [each for each in together if [each["cases_fingerprint"], each["protocol_fingerprint"]] == group]
        assert [each["name"] for each in beside if each["reference"] is None] == [row["name"]]
    done = command("compare", "first half", "second half", "--json")
    assert done.code != 0
    assert "10" in done.err  # that many images are common to both


async def test_mistake_09_screen(command: CommandLine, workspace: Workspace) -> None:
    measure_on_other_images(command, workspace)
    text = await phone(workspace, ["5"], "second half")
    assert "first half" not in text
    assert "group 1 of 2" in text
    text = await phone(workspace, ["5", "right_square_bracket"], "first half")
    assert "second half" not in text
