"""`sonotune study` as a user meets it; no test here starts a training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, no_worker
from study_helpers import STUDY, finish_all, finish_evaluations, finish_run, launch, study_workspace, write_study

from engine import api
from engine.store.reader import Reader
from engine.types import State
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = study_workspace(tmp_path)
    with no_worker(made):
        yield made


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(workspace.root, capsys)


def test_the_board_lists_studies_by_priority_and_broken_files_with_their_fault(
    command: CommandLine, workspace: Workspace
) -> None:
    write_study(workspace, 'name = "broken"\ntitle = 3\n')
    done = command("study", "list")
    assert done.code == 0
    places = [done.out.index(name) for name in ("baseline-q7", "model-size", "layers", "augmentation", "rank")]
    assert places == sorted(places)
    assert "broken.toml" in done.err
    assert "title" in done.err
    listed = command("study", "list", "--json").json
    assert [each["name"] for each in listed][:2] == ["baseline-q7", "model-size"]
    assert listed[-1]["name"] == "broken"
    assert listed[-1]["state"] is None
    assert len(listed[-1]["problems"]) > 1


def test_a_dry_run_says_what_and_where_and_queues_nothing(command: CommandLine, workspace: Workspace) -> None:
    done = command("study", "launch", "rank", "--dry-run")
    assert done.code == 0
    assert all(word in done.out for word in ("small", "large", "train", "Q7 on validation", "transformers"))
    planned = command("study", "launch", "model-size", "--scale", "full", "--dry-run", "--json").json
    assert [cell["arm"] for cell in planned["cells"]] == ["2B", "4B", "8B"]
    fetal = [need for cell in planned["cells"] for need in cell["needs"] if "dataset named fetal" in need]
    assert fetal == [], "this workspace has a dataset of that name"
    assert "cannot be launched here" in command("study", "launch", "class-balance", "--scale", "full", "--dry-run").out
    assert command("runs", "--json").json == []


def test_a_launch_tells_what_is_queued_and_what_was_there(command: CommandLine, workspace: Workspace) -> None:
    done = command("study", "launch", "rank")
    assert done.code == 0
    assert "Rank at scale demo (" in done.err
    assert "Runs: 2 to train. Measurements queued: 4, reference rows: 4." in done.err
    again = command("study", "launch", "rank", "--json").json
    assert (again["queued"], again["waiting"]) == ([], [1, 2])
    finish_all(workspace)
    assert "Nothing is missing" in command("study", "launch", "rank").err
    extended = command("study", "launch", "rank", "--seeds", "2", "--arm", "large", "--priority", "3", "--json").json
    assert len(extended["queued"]) == 1


def test_a_look_at_the_test_split_is_announced(command: CommandLine, workspace: Workspace) -> None:
    write_study(workspace, STUDY.replace('split = "validation"', 'split = "test"'))
    assert "nobody has looked at before; its question goes into the ledger" in command("study", "launch", "rank").err
    assert "study rank: Does a larger rank help?" in command("data", "looks", "fetal").out


def test_show_has_question_rule_arms_and_what_is_missing(command: CommandLine, workspace: Workspace) -> None:
    shown = command("study", "show", "rank")
    assert shown.code == 0
    for words in ("Does a larger rank help?", "Rule: large against small", "lora.r=8", "missing", "0/1"):
        assert words in shown.out
    assert "study launch rank" in shown.err
    launch(workspace)
    finish_run(workspace, 1, State.FAILED)
    assert "run 1" in command("study", "show", "rank").out
    told = command("study", "show", "rank", "--json").json
    assert [cell["stage"] for cell in told["state"]["cells"]] == ["failed", "queued"]
    assert told["result"] is None


def test_show_of_an_unfinished_study_marks_its_answers(command: CommandLine, workspace: Workspace) -> None:
    launched = launch(workspace)
    finish_run(workspace, 1)
    finish_evaluations(workspace, launched.evaluations[:1])
    shown = command("study", "show", "rank")
    assert shown.code == 0
    assert "Unfinished" in shown.out
    lines = shown.out.splitlines()
    at = lines.index("Is large better than small?")
    assert lines[at + 1].startswith("  waiting for large"), "the question once, its answers below"
    assert all(word in command("study", "list").out for word in ("so far: large", "against small:", "waiting"))


def test_waiting_ends_with_code_1_and_the_way_on_where_something_failed(
    command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Iterator[api.StudyState]:
        yield api.study_state(workspace, "rank")
        finish_run(workspace, 1, State.FAILED)
        finish_run(workspace, 2)
        finish_evaluations(workspace, [3, 4])
        yield api.study_state(workspace, "rank")

    monkeypatch.setattr(api, "follow_study", failing)
    done = command("study", "launch", "rank", "--wait")
    assert done.code == 1
    assert "small, seed 42: failed, run 1" in done.err
    assert "sonotune study launch rank --scale demo --wait" in done.err
    assert "report.html" in done.err


def test_following_ends_when_nothing_moves_any_more(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(workspace)
    states = api.follow_study(workspace, "rank", "demo", poll_seconds=0.01)
    assert next(states).working
    finish_run(workspace, 1, State.FAILED)
    assert next(states).working, "the other arm goes on"
    finish_run(workspace, 2)
    finish_evaluations(workspace, [3, 4, 5, 6, 7, 8])
    assert not api.study_state(workspace, "rank").working, "what waits for the failed run is not waited for"
    last = list(states)[-1]
    assert [cell.arm for cell in last.failed] == ["small"]


def test_a_report_is_written_where_one_says(command: CommandLine, workspace: Workspace, tmp_path: Path) -> None:
    launch(workspace)
    finish_all(workspace)
    done = command("study", "report", "rank", "--output", str(tmp_path / "here"), "--json")
    assert done.code == 0
    assert Path(done.json["html"]) == tmp_path / "here" / "report.html"
    assert Path(done.json["html"]).is_file()
    assert done.json["note"] == "Research only, not for clinical use."


def test_a_report_that_somebody_has_edited_does_not_fail_the_study(
    command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(workspace)
    finish_all(workspace)
    monkeypatch.setattr(api, "follow_study", lambda *_: iter([api.study_state(workspace, "rank")]))
    first = command("study", "launch", "rank", "--wait")
    assert (first.code, "report.html" in first.err) == (0, True)
    edited = workspace.root / "reports" / "study-rank-demo" / "report.md"
    edited.write_text("# with my remarks")
    done = command("study", "launch", "rank", "--wait")
    assert done.code == 0, "the work is done, whatever became of its report"
    said = " ".join(done.err.split())
    assert "changed by somebody" in said and str(edited.parent) in said
    assert "sonotune study report rank --scale demo --output FOLDER" in said and "--replace" in said
    assert edited.read_text() == "# with my remarks"


@pytest.mark.parametrize(
    "words",
    [
        ("study", "show", "nothing"), ("study", "launch", "rank", "--scale", "huge"),
        ("study", "launch", "rank", "--arm", "x"), ("study", "report", "rank", "--scale", "x"),
        ("study", "launch", "rank", "--seeds", "0"), ("study", "launch", HOSTILE), ("study", "show", "."),
    ],
)  # fmt: skip
def test_mistakes_end_with_code_2_and_no_traceback(command: CommandLine, words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert not control_characters(done.err.replace("\n", ""))


def test_text_of_a_study_file_cannot_steer_the_terminal(command: CommandLine, workspace: Workspace) -> None:
    hostile = json.dumps(HOSTILE.replace("\r\b", "")).replace("\\u009b", "")
    write_study(workspace, STUDY.replace('title = "Rank"', f"title = {hostile}").replace(
        '[arms.large]', f"[arms.large]\nnote = {hostile}").replace(
        'question = "Does a larger rank help?"', f"question = {hostile}"))  # fmt: skip
    for words in (("study", "list"), ("study", "show", "rank"), ("study", "launch", "rank", "--dry-run"),
                  ("study", "launch", "rank")):  # fmt: skip
        done = command(*words)
        assert done.code == 0, done.err
        assert not control_characters(done.out + done.err)


@pytest.mark.parametrize("ended", [State.FAILED, State.CANCELLED])
@pytest.mark.parametrize("what", ["reference", "measurement"])
def test_waiting_ends_with_code_1_where_a_row_of_a_decision_is_missing(
    command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, ended: State, what: str
) -> None:
    write_study(workspace, STUDY.replace('than = "small"', 'than = "untuned"'))
    launched = launch(workspace)
    for run in launched.queued:
        finish_run(workspace, run)
    with Reader(workspace) as reader:
        base = next(row.id for row in reader.evaluations() if row.reference == "base")
    row = base if what == "reference" else launched.evaluations[0]
    finish_evaluations(workspace, [row], ended)
    finish_evaluations(workspace)
    monkeypatch.setattr(api, "launch_study", lambda *_, **__: launched)
    monkeypatch.setattr(api, "follow_study", lambda *_: iter([api.study_state(workspace, "rank")]))
    done = command("study", "launch", "rank", "--wait")
    assert done.code == 1
    assert ("missing: untuned beside large" if what == "reference" else "missing: small, seed 42") in done.err


def test_waiting_for_a_part_of_a_study_ends_well_where_that_part_is_done(
    command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(workspace, arms=["small"])
    finish_all(workspace)
    monkeypatch.setattr(api, "follow_study", lambda *_: iter([api.study_state(workspace, "rank")]))
    assert command("study", "launch", "rank", "--arm", "small", "--wait").code == 0
