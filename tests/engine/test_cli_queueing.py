"""Queue, annotations and clones on the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, no_worker, popen, small_dataset, succeed
from store_helpers import add_evaluation, add_run, raw, wait_until

from engine import api
from engine.jobs.process import process_start
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
BOTH = "evaluation.splits=['validation','test']"
PURPOSE = ("--test-purpose", "tests")
LAUNCH = ("launch", "demo", "--set", "data.dataset=fetal", "--set", BOTH, "--no-references", *PURPOSE)
UNPAUSE = "`sonotune queue --unpause`"


@pytest.fixture
def workspace(tmp_path: Any) -> Iterator[Workspace]:
    """A small dataset, and no worker: what is queued stays queued."""
    made = small_dataset(tmp_path)
    with no_worker(made):
        yield made


@pytest.fixture
def command(workspace: Workspace, capfd: Any) -> CommandLine:
    return CommandLine(workspace.root, capfd)


def add(workspace: Workspace, *names: str) -> list[int]:
    with Writer.open(workspace) as writer:
        return [add_run(writer, name) for name in names]


def start(workspace: Workspace, run_id: int, silent_since: float | None = None) -> None:
    """Make a run look as if this process worked on it."""
    own = {"pid": os.getpid(), "process_start": process_start(os.getpid()), "device": "cpu"}
    with Writer.open(workspace) as writer:
        assert writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "test", **own)
        assert writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "process at work")
    if silent_since is not None:
        raw(workspace).execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (silent_since, run_id))


# ----- queue


def test_the_queue_lists_devices_places_and_what_is_in_the_way(command: CommandLine, workspace: Workspace) -> None:
    assert command("queue").out.splitlines()[-1].strip() == "Nothing is queued."
    first, _, failed = add(workspace, "at work", "next", "broke")
    start(workspace, first)
    with Writer.open(workspace) as writer:
        add_evaluation(writer, first, after_run=True)
        writer.transition(TRAINING, failed, State.QUEUED, State.STARTING, "test")
        errors = {"error_title": "It broke", "error_next_step": "Mend it."}
        writer.transition(TRAINING, failed, State.STARTING, State.FAILED, "test", **errors)
    out = command("queue").out
    assert "run 1, at work, running, 0 of ?" in out
    assert "evaluation 1: waits for run 1 (running)" in out
    assert "run 3, broke: failed, It broke, Mend it." in out
    found = command("queue", "--json").json
    assert [(item["kind"], item["id"], item["position"]) for item in found["queued"]] == [
        ("training", 2, 1), ("evaluation", 1, 2)
    ]  # fmt: skip
    running = [place["running"] for place in found["devices"] if place["running"]]
    assert [(job["id"], job["shown_state"]) for job in running] == [(1, "running")]
    assert found["recent"][0]["can_resume"] is True
    assert found["queued"][1]["blocked"] == "waits for run 1 (running)"
    assert (found["paused"], found["worker"]["running"]) == (False, True)


def test_pause_and_unpause_are_told_by_everything_that_looks(command: CommandLine) -> None:
    assert command("queue", "--pause", "--reason", "too hot").out.startswith("The queue is paused: nothing new")
    for words in ([], ["queue"], ["worker", "--status"]):
        out = " ".join(command(*words).out.split())
        assert "(too hot)" in out, words
        assert UNPAUSE in out, words
    assert command("worker", "--status", "--json").json["queue_paused"] is True
    assert command("queue", "--json").json["pause_reason"] == "too hot"
    assert UNPAUSE in command(*LAUNCH).err
    assert UNPAUSE in command(*LAUNCH, "--json").err
    assert UNPAUSE in command("evaluate", "1", "--split", "test", "--question", "Q6", "--test-purpose", "tests").err
    assert command("queue", "--unpause").out == "The queue goes on: queued jobs are started.\n"
    for words in ([], ["queue"], ["worker", "--status"], LAUNCH):
        done = command(*words)
        assert "paused" not in done.out + done.err, words


def test_a_resumed_job_of_a_paused_queue_is_told_to_wait(command: CommandLine, workspace: Workspace) -> None:
    (run_id,) = add(workspace, "a")
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "test")
        writer.transition(TRAINING, run_id, State.STARTING, State.FAILED, "test")
    command("queue", "--pause")
    done = command("resume", "1")
    assert done.out == "Run 1 is queued again.\n"
    assert UNPAUSE in done.err


def test_words_of_the_queue_that_do_not_fit_are_2(command: CommandLine) -> None:
    for words in (["--pause", "--unpause"], ["--reason", "x"], ["--unpause", "--reason", "x"]):
        assert command("queue", *words).code == 2, words
    assert command("queue", "--json").json["paused"] is False
    assert command("queue", "--pause", "--json").json["paused"] is True


def test_waiting_says_once_that_the_queue_is_paused(workspace: Workspace) -> None:
    api.pause_queue(workspace, "maintenance")
    waiting = popen(workspace.root, *LAUNCH, "--wait")
    try:
        wait_until(lambda: len(evaluations(workspace)) == 4, "the queue is filled")
        assert waiting.stderr is not None
        lines = []
        while "maintenance" not in "".join(lines):
            lines.append(waiting.stderr.readline())
            assert waiting.poll() is None
        assert UNPAUSE in lines[-1]
        api.unpause_queue(workspace)
        with Writer.open(workspace) as writer:
            succeed(writer, TRAINING, 1)
            for job in (1, 2, 3, 4):
                succeed(writer, EVALUATION, job)
        _, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 0
    assert "maintenance" not in err


def test_a_pause_that_comes_while_somebody_waits_is_told(workspace: Workspace) -> None:
    waiting = popen(workspace.root, *LAUNCH, "--set", "evaluation.splits=[]", "--wait")
    try:
        assert waiting.stderr is not None
        while "demo: queued" not in waiting.stderr.readline():
            assert waiting.poll() is None
        api.pause_queue(workspace, "lunch")
        while "lunch" not in waiting.stderr.readline():
            assert waiting.poll() is None
        api.cancel(workspace, 1)
        waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 1


def evaluations(workspace: Workspace) -> list[int]:
    if not workspace.database.exists():
        return []
    with Reader(workspace) as reader:
        return [row.id for row in reader.evaluations()]


# ----- move


def test_jobs_are_moved_by_number_by_name_and_as_evaluations(command: CommandLine, workspace: Workspace) -> None:
    add(workspace, "a", "b")
    with Writer.open(workspace) as writer:
        measured = add_evaluation(writer, None, Reference.BASE)
    assert command("move", "b", "up").out == "Run 2 is number 1 of 3 in the queue now.\n"
    assert command("move", "1", "bottom").out == "Run 1 is number 3 of 3 in the queue now.\n"
    said = f"Evaluation {measured} is number 1 of 3 in the queue now.\n"
    assert command("move", "top", "--evaluation", str(measured)).out == said
    found = command("queue", "--json").json["queued"]
    assert [(item["kind"], item["id"]) for item in found] == [
        ("evaluation", measured), ("training", 2), ("training", 1)
    ]  # fmt: skip


def test_a_move_that_makes_no_sense_says_what_would(command: CommandLine, workspace: Workspace) -> None:
    (run_id,) = add(workspace, "a")
    for words in (["1", "sideways"], ["1"], ["up"], ["1", "up", "--evaluation", "1"], []):
        assert command("move", *words).code == 2, words
    assert "Choose: up, down, top, bottom." in command("move", "1", "left").err
    assert command("move", "9", "up").code == 1
    start(workspace, run_id)
    done = command("move", "1", "up")
    assert done.code == 1
    assert "has been started" in done.err


# ----- rename, tag, note, clone


def test_a_run_gets_another_name(command: CommandLine, workspace: Workspace) -> None:
    add(workspace, "a", "b")
    assert command("rename", "a", "better").out == "Run 1 is named better now; it was a. Its folder keeps its name.\n"
    assert command("show", "better", "--json").json["run"]["id"] == 1
    taken = command("rename", "b", "better")
    assert (taken.code, taken.err.splitlines()[0]) == (1, "Run 1 has the name better already")
    assert command("rename", "b", "").code == 2


def test_tags_and_notes_are_written_listed_and_shown(command: CommandLine, workspace: Workspace) -> None:
    add(workspace, "a")
    assert "no tags" in command("tag", "a").err
    assert command("tag", "a", "paper", "seed 7").out == "paper, seed 7\n"
    assert command("tag", "a", "new", "--remove", "paper", "--json").json == ["new", "seed 7"]
    assert command("tag", "a").out == "new, seed 7\n"
    wrong = command("tag", "a", "x,y", "--remove", "nope")
    assert wrong.code == 2
    assert "comma" in wrong.err
    assert "no such tag" in wrong.err
    assert "no notes" in command("note", "a").err
    assert command("note", "a", "first\nsecond line").out == "Noted; the run has 1 note now.\n"
    assert "first\n      second line" in command("note", "a").out
    assert [note["text"] for note in command("note", "a", "--json").json] == ["first\nsecond line"]
    assert command("note", "a", "").code == 2
    out = command("show", "a").out
    assert "new, seed 7" in out
    assert "second line" in out
    shown = command("show", "a", "--json").json
    assert (shown["tags"], len(shown["notes"])) == (["new", "seed 7"], 1)


def test_a_clone_is_planned_or_queued_with_its_parent(command: CommandLine) -> None:
    assert command(*LAUNCH, "--set", "training.seed=7").code == 0
    plan = command("clone", "1", "--set", "training.batch=2", "--dry-run", "--json").json
    assert plan["name"] == "demo-2"
    assert "seed = 7" in plan["recipe"]
    assert "batch = 2" in plan["recipe"]
    assert len(command("runs", "--json").json) == 1
    assert command("clone", "demo", "--no-references", *PURPOSE, "--json").json["run_id"] == 2
    row = command("show", "demo-2", "--json").json["run"]
    assert (row["parent_run_id"], row["seed"]) == (1, 7)
    assert command("clone", "demo-2", "--no-references", *PURPOSE).code == 0
    assert [row["name"] for row in command("runs", "--json").json] == ["demo-3", "demo-2", "demo"]
    wrong = command("clone", "1", "--set", "lora.r=0")
    assert wrong.code == 2
    assert "recipe of run 1" in wrong.err


# ----- lost runs


def test_a_silent_run_is_shown_as_lost_and_never_as_running(command: CommandLine, workspace: Workspace) -> None:
    beating, silent = add(workspace, "beating", "silent")
    start(workspace, beating)
    start(workspace, silent, silent_since=1000.0)
    for words in (["runs"], []):
        states = {line.split()[1]: line.split()[2] for line in command(*words).out.splitlines() if "–" in line}
        assert states == {"beating": "running", "silent": "lost"}, words
    assert "silent, lost" in command("queue").out
    out = command("show", "silent").out
    assert "lost: no sign of life for" in out
    rows = {row["name"]: (row["state"], row["shown_state"]) for row in command("runs", "--json").json}
    assert rows == {"beating": ("running", "running"), "silent": ("running", "lost")}
    assert command("show", "silent", "--json").json["run"]["shown_state"] == "lost"


# ----- hostile text


def test_hostile_texts_are_printed_harmlessly(command: CommandLine, workspace: Workspace) -> None:
    first, second, third = add(workspace, HOSTILE, "b", HOSTILE)
    start(workspace, first)
    with Writer.open(workspace) as writer:
        add_evaluation(writer, first, after_run=True)
        writer.set_tags(second, [HOSTILE])
        writer.add_note(second, HOSTILE)
        writer.transition(TRAINING, third, State.QUEUED, State.STARTING, HOSTILE)
        writer.transition(TRAINING, third, State.STARTING, State.FAILED, HOSTILE, error_title=HOSTILE)
        writer.set_setting("queue_paused", {"since": 1.0, "reason": HOSTILE})
    commands = (
        ["queue"], ["queue", "--json"], [], ["worker", "--status"], ["tag", "2"], ["note", "2"], ["show", "2"],
        ["tag", "2", "--json"], ["note", "2", "--json"], ["tag", "2", HOSTILE], ["rename", "2", HOSTILE],
        ["rename", "1", "good"], ["note", "2", HOSTILE], ["move", HOSTILE, "up"], ["move", "2", HOSTILE],
    )  # fmt: skip
    for words in commands:
        done = command(*words)
        assert not control_characters(done.out + done.err), words
        assert "Traceback" not in done.err, words
    assert json.loads(command("queue", "--json").out)["pause_reason"] == HOSTILE
