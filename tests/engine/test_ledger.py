"""The test-set ledger: what it holds, `data looks`, the line of `data show`, and the words for a leaderboard's head."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, small_dataset
from store_helpers import add_evaluation, add_run

from engine import api
from engine.api.ledger import require_look
from engine.data.manifest import open_dataset
from engine.store.writer import Writer
from engine.types import Reference, Split
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return small_dataset(tmp_path)


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(workspace.root, capsys)


def look(workspace: Workspace, purpose: str, question: str = "Q7", run: str | None = "baseline") -> None:
    """An evaluation on the test split, entered into the ledger."""
    with Writer.open(workspace) as writer:
        run_id = None if run is None else add_run(writer, run)
        reference = Reference.BASE if run is None else None
        split = open_dataset(workspace, "fetal").record.split_fingerprint
        columns = {"dataset": "fetal", "question": question, "split_fingerprint": split}
        add_evaluation(writer, run_id, reference, look=purpose, **columns)


def split_again(workspace: Workspace) -> None:
    api.resplit_dataset(workspace, "fetal", seed=7, keep_near_duplicates=False, replace=True)


def test_an_empty_ledger_says_so(command: CommandLine, workspace: Workspace) -> None:
    done = command("data", "looks", "fetal")
    assert (done.code, done.out.strip()) == (0, "test split of fetal: not looked at yet")
    assert command("data", "looks", "fetal", "--json").json == {"dataset": "fetal", "present": 0, "looks": []}
    assert "not looked at yet" in command("data", "show", "fetal").out


def test_every_look_is_listed_with_its_purpose(command: CommandLine, workspace: Workspace) -> None:
    look(workspace, "first figure")
    look(workspace, "comparison of sizes", "Q5", run=None)
    done = command("data", "looks", "fetal")
    assert done.code == 0
    rows = [line for line in done.out.splitlines() if "present" in line]
    assert all(words in rows[0] for words in ("1 baseline", "Q7", "first figure"))
    assert all(words in rows[1] for words in ("untuned", "Q5", "comparison of"))
    assert "test split of fetal: looked at 2 times, last for: comparison of sizes" in done.out
    assert "looked at 2 times, last for: comparison of sizes" in command("data", "show", "fetal").out
    found = command("data", "looks", "fetal", "--json").json
    assert found["present"] == 2
    assert [(each["question"], each["run"], each["purpose"]) for each in found["looks"]] == [
        ("Q7", 1, "first figure"),
        ("Q5", None, "comparison of sizes"),
    ]
    assert all(each["current"] for each in found["looks"])


def test_looks_at_an_old_split_are_told_apart(command: CommandLine, workspace: Workspace) -> None:
    look(workspace, "before")
    split_again(workspace)
    look(workspace, "after")
    done = command("data", "looks", "fetal")
    rows = [line for line in done.out.splitlines() if "before" in line or "after" in line]
    assert "old " in rows[0]
    assert "present" in rows[1]
    assert "looked at once, last for: after" in done.out
    assert "old split count for figures on that split alone" in done.err
    found = command("data", "looks", "fetal", "--json").json
    assert [each["current"] for each in found["looks"]] == [False, True]
    assert found["present"] == 1


def test_show_as_json_is_json_alone(command: CommandLine, workspace: Workspace) -> None:
    look(workspace, "first figure")
    assert command("data", "show", "fetal", "--json").json["record"]["name"] == "fetal"


def test_an_unknown_dataset_is_an_error(command: CommandLine) -> None:
    done = command("data", "looks", "nobody")
    assert done.code == 1
    assert "There is no dataset named nobody" in done.err


def test_purposes_and_names_are_shown_as_text(command: CommandLine, workspace: Workspace) -> None:
    look(workspace, HOSTILE, run=HOSTILE)
    for words in (("looks", "fetal"), ("show", "fetal")):
        done = command("data", *words)
        assert done.code == 0
        assert not control_characters(done.out)
    assert "[red]x[/red]" in done.out


def test_words_for_the_head_of_a_leaderboard(workspace: Workspace) -> None:
    assert api.looks_note(workspace, "fetal", Split.TEST) == ""
    look(workspace, "why")
    assert api.looks_note(workspace, "fetal", Split.TEST) == "looked at once"
    look(workspace, "why", "Q5")
    assert api.looks_note(workspace, "fetal", "test") == "looked at 2 times"
    assert api.looks_note(workspace, "fetal", Split.VALIDATION) == ""
    assert api.looks_note(workspace, "gone", Split.TEST) == ""
    split_again(workspace)
    live = api.Live(workspace)
    assert api.looks_note(live, "fetal", Split.TEST) == "", "nobody has looked at the new split"
    live.close()


def test_without_a_reason_nobody_looks(workspace: Workspace) -> None:
    look(workspace, "why")
    with pytest.raises(api.UnconfirmedTestError) as refused:
        require_look(workspace, "fetal", "  ")
    assert "looked at 1 time already" in refused.value.reason
    require_look(workspace, "fetal", "final figure")
