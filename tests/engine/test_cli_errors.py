from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters
from store_helpers import add_run

from engine.store.writer import Writer
from engine.workspace import Workspace


@pytest.fixture
def command(tmp_path: Path, capfd: Any) -> CommandLine:
    return CommandLine(tmp_path, capfd)


def test_an_error_has_a_title_a_reason_and_a_next_step_and_no_traceback(command: CommandLine) -> None:
    done = command("data", "show", "nope")
    assert done.code == 1
    assert done.out == ""
    title, reason, step = done.err.splitlines()
    assert "There is no dataset named nope" in title
    assert reason == "No dataset has been imported yet."
    assert step.startswith("→ Import it with `sonotune data import`")


def test_debug_adds_the_traceback(command: CommandLine) -> None:
    plain, debugged = command("data", "show", "nope"), command("data", "show", "nope", debug=True)
    assert debugged.code == plain.code == 1
    assert "Traceback" not in plain.err
    assert debugged.err.startswith(plain.err)
    assert "Traceback" in debugged.err
    assert "open_dataset" in debugged.err


@pytest.mark.parametrize("debug", [False, True])
def test_errors_repeat_hostile_words_harmlessly(command: CommandLine, debug: bool) -> None:
    done = command("launch", HOSTILE, debug=debug)
    assert done.code == 2
    assert "[red]x[/red]" in done.err
    assert not control_characters(done.err)


def test_no_records_yet_is_a_failure_with_the_way_out(command: CommandLine) -> None:
    for words in (["show", "1"], ["log", "1"], ["evaluate", "1"]):
        done = command(*words)
        assert done.code == 1, words
        assert "There is no runs.db in this workspace." in done.err
        assert "--workspace" in done.err
    assert not (command.folder / "runs.db").exists()


@pytest.mark.parametrize("words", [["stop", "7"], ["cancel", "7"], ["resume", "7"], ["cancel", "--evaluation", "7"]])
def test_control_of_what_does_not_exist_is_a_failure(command: CommandLine, words: list[str]) -> None:
    with Writer.open(Workspace(command.folder)) as writer:
        add_run(writer)
    done = command(*words)
    assert done.code == 1
    assert "→" in done.err
    assert "error of its own" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["runs"],
        ["show", "1"],
        ["leaderboard", "--json"],
        ["log", "1"],
        ["resume", "1"],
        ["stop", "1"],
        ["launch", "demo"],
    ],
)
def test_a_file_that_is_no_database_is_said_to_be_one_and_kept(command: CommandLine, words: list[str]) -> None:
    database = command.folder / "runs.db"
    database.write_bytes(b"not SQLite at all, but long enough to hold a header" * 40)
    done = command(*words)
    if words == ["launch", "demo"]:
        assert "There is no dataset" in done.err  # refused even before the database is looked at
    else:
        assert "runs.db" in done.err
    assert done.code == 1
    assert "→" in done.err
    assert "error of its own" not in done.err
    assert database.read_bytes().startswith(b"not SQLite")


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "--limit", "-1"],
        ["runs", "--limit", "9" * 20],
        ["cancel", "--evaluation", "9" * 20],
        ["launch", "demo", "--priority", "9" * 20],
        ["leaderboard", "--split", "holdout"],
        ["leaderboard", "--question", "Q9"],
        ["worker", "--stop", "--detach"],
        ["stop", "1", "--evaluation", "1"],
        ["data", "import", "phantoms", "--preset", "rosy"],
        ["data", "import"],
        ["data"],
        ["launch"],
        ["show"],
        ["runs", "--bogus"],
    ],
)
def test_words_that_do_not_fit_are_2(command: CommandLine, words: list[str]) -> None:
    assert command("data", "import", "phantoms", "--count", "6", "--size", "32").code == 0
    done = command(*words)
    assert done.code == 2
    assert done.err or done.out
    assert "Traceback" not in done.err


def test_a_workspace_that_cannot_be_made_is_a_failure(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    for words in (["launch", "demo"], ["data", "import", "phantoms"]):
        done = CommandLine(tmp_path / "file" / "below", capfd)(*words)
        assert done.code == 1
        assert "Not a directory" in done.err
        assert "Traceback" not in done.err


def test_the_help_and_the_version_are_good(command: CommandLine) -> None:
    assert command("--help").code == 0
    assert "leaderboard" in command("--help").out
    assert command("data", "import", "--help").code == 0
    assert command("--version").out.startswith("sonotune ")


def test_a_fault_of_the_programs_own_is_no_bare_traceback(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **others: object) -> None:
        raise ZeroDivisionError(f"by {HOSTILE}")

    monkeypatch.setattr("engine.api.runs", fail)
    done = command("runs")
    assert done.code == 1
    assert "error of its own" in done.err
    assert "ZeroDivisionError: by" in done.err
    assert "Traceback" not in done.err
    assert not control_characters(done.err)
    debugged = command("runs", debug=True)
    assert "Traceback" in debugged.err
    assert not control_characters(debugged.err)
