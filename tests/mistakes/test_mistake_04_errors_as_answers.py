"""Serving errors ("ERROR: API error ...") were scored as answers."""

from __future__ import annotations

from collections.abc import Mapping

from cli_helpers import CommandLine
from mistake_helpers import cases, marks_of, phone, predict, row_of

from engine.types import Case, Mark
from engine.workspace import Workspace

ERROR = "ERROR: API error 503: Service Unavailable"


def said(number: int, case: Case) -> str | Mapping[str, object]:
    """Seven outputs are error messages, three entries carry an `error` field, one was cut off, one is a riddle."""
    if number < 7:
        return ERROR
    if number < 10:
        return {"prediction": "Good", "error": "timeout"}
    if number == 10:
        return {"prediction": "The image", "finish_reason": "length"}
    return "Look at the moon" if number == 11 else case.answers["Q6"]


def serve_badly(command: CommandLine, workspace: Workspace) -> int:
    asked = cases(workspace)
    predict(command, "served", "Q6", asked, said)
    return len(asked)


def test_mistake_04_json(command: CommandLine, workspace: Workspace) -> None:
    count = serve_badly(command, workspace)
    row = row_of(command, "served", "--question", "Q6")
    assert (row["errors"], row["cut_off"], row["unparseable"], row["n"]) == (10, 1, 1, count)
    assert row["accuracy"] == (count - 12) / count  # none of them is right, and none of them is left out
    assert (row["error_rate"], row["cut_off_rate"]) == (10 / count, 1 / count)
    assert f"10 of {count} outputs are a server's error message" in marks_of(row)[Mark.ERRORS]


async def test_mistake_04_screen(command: CommandLine, workspace: Workspace) -> None:
    count = serve_badly(command, workspace)
    text = await phone(workspace, ["5"], "served")
    assert "served !errors" in text
    assert f"10 of {count} outputs are a server's error message" in text


def test_the_patterns_are_the_users_own(command: CommandLine, workspace: Workspace) -> None:
    (workspace.root / "error-patterns.txt").write_text("# mine\n^OOPS\n")
    predict(command, "mine", "Q6", cases(workspace), lambda number, _: "OOPS 42" if number < 5 else "Good")
    assert row_of(command, "mine", "--question", "Q6")["errors"] == 5
    assert command("predictions", "patterns", "--json").json == ["^OOPS"]
    (workspace.root / "error-patterns.txt").write_text("(")
    done = command("predictions", "patterns")
    assert done.code == 2
    assert "no regular expression" in done.err
