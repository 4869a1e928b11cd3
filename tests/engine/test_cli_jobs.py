from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_helpers import ENVIRONMENT, CommandLine, no_worker, popen, small_dataset, succeed
from store_helpers import wait_until

from engine import api
from engine.jobs.process import process_start
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

REFERENCES = ("majority", "majority_by_view", "shuffled", "base")
SUBJECTS = (*REFERENCES, "run 1", "run 1")  # each run with its blank-image control
BOTH = "evaluation.splits=['validation','test']"
LAUNCH = ("launch", "demo", "--set", "data.dataset=fetal", "--set", BOTH, "--test-purpose", "tests")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A small dataset, and no worker: what is queued stays queued."""
    made = small_dataset(tmp_path)
    with no_worker(made):
        yield made


@pytest.fixture
def command(workspace: Workspace, capfd: Any) -> CommandLine:
    return CommandLine(workspace.root, capfd)


def evaluations(workspace: Workspace) -> list[tuple[str, str, str]]:
    """(subject, split, state) of every evaluation."""
    with Reader(workspace) as reader:
        return [(row.reference or f"run {row.run_id}", row.split, row.state) for row in reader.evaluations()]


def move(workspace: Workspace, run: int, *states: State, **columns: Any) -> None:
    with Writer.open(workspace) as writer:
        for before, after in pairwise(states):
            assert writer.transition(JobKind.TRAINING, run, before, after, "test", **columns)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file; SQLite's own shared memory is no record."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix not in (".db-shm", ".db-wal")]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def test_a_dry_run_says_what_would_happen_and_writes_nothing(command: CommandLine, workspace: Workspace) -> None:
    before = snapshot(workspace.root)
    plan = command(*LAUNCH, "--set", "data.limit=8", "--dry-run", "--json").json
    assert plan["training samples"] == 8
    assert plan["evaluations"] == ["Q7 on validation", "Q7 on test"]
    assert sum(plan["images"].values()) == 40
    assert "training samples" in command(*LAUNCH, "--dry-run").out
    assert snapshot(workspace.root) == before
    assert command("runs", "--json").json == []


def test_a_dry_run_names_what_is_missing(command: CommandLine) -> None:
    done = command(*LAUNCH, "--set", "model.id=assets/no-such-model", "--dry-run")
    assert done.code == 1
    assert "assets/no-such-model" in done.err
    assert command("launch", "demo", "--dry-run").code == 1  # no phantoms here


def test_all_faults_of_a_recipe_file_are_listed_with_their_keys(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text('name = "x"\ncolour = 1\n[training]\nlerning_rate = 1\nbatch = 0\n[lora]\nrank = 4\n')
    done = command("launch", str(file))
    assert done.code == 2
    assert f"{file}: 4 problems" in done.err.replace("\n", " ")
    for key in ("colour", "training.lerning_rate: unknown key; did you mean learning_rate?", "training.batch", "rank"):
        assert key in done.err
    assert not (command.folder / "outputs").exists()


def test_a_launch_queues_the_run_its_measurements_and_the_reference_rows(
    command: CommandLine, workspace: Workspace
) -> None:
    launched = command(*LAUNCH, "--json").json
    assert launched["run_id"] == 1
    assert Counter(evaluations(workspace)) == Counter(
        (subject, split, "queued") for subject in SUBJECTS for split in ("validation", "test")
    )
    assert len(launched["references"]) == 8
    assert len(launched["evaluations"]) == 4


def test_reference_rows_are_queued_once(command: CommandLine, workspace: Workspace) -> None:
    assert command(*LAUNCH).code == 0
    second = command(*LAUNCH, "--set", "training.seed=7", "--json").json
    assert second["references"] == []
    assert Counter(subject for subject, _, _ in evaluations(workspace)) == {
        **dict.fromkeys(REFERENCES, 2), "run 1": 4, "run 2": 4
    }  # fmt: skip
    # Another image size is another measurement of the untuned model.
    assert len(command(*LAUNCH, "--set", "data.image_size=128", "--json").json["references"]) == 8
    assert command(*LAUNCH, "--no-references", "--set", "data.image_size=192", "--json").json["references"] == []


def test_reference_rows_that_failed_are_queued_again(command: CommandLine, workspace: Workspace) -> None:
    first = command(*LAUNCH, "--json").json["references"]
    with Writer.open(workspace) as writer:
        for state, following in ((State.QUEUED, State.STARTING), (State.STARTING, State.FAILED)):
            assert writer.transition(JobKind.EVALUATION, first[0], state, following, "test")
    assert len(command(*LAUNCH, "--json").json["references"]) == 1


def test_test_brings_the_validation_that_its_threshold_comes_from(command: CommandLine, workspace: Workspace) -> None:
    only_training = ("--set", "evaluation.splits=[]", "--no-references")
    assert command(*LAUNCH, *only_training).code == 0
    assert evaluations(workspace) == []
    assert (
        len(command("evaluate", "1", "--split", "test", "--test-purpose", "tests", "--json").json["evaluations"]) == 12
    )
    assert {split for subject, split, _ in evaluations(workspace) if subject == "run 1"} == {"validation", "test"}
    again = command(
        "evaluate", "demo", "--split", "test", "--split", "validation", "--test-purpose", "tests", "--json"
    ).json
    assert again == {"run_id": 1, "evaluations": []}


def test_only_validation_and_test_are_measured(command: CommandLine) -> None:
    assert command(*LAUNCH).code == 0
    for words in (["--split", "train"], ["--split", "all"], ["--question", "Q9"]):
        done = command("evaluate", "1", *words)
        assert done.code == 2, words
        assert "Choose:" in done.err


def test_a_queued_run_is_cancelled_at_once_and_for_good(command: CommandLine, workspace: Workspace) -> None:
    assert command(*LAUNCH).code == 0
    done = command("stop", "1")
    assert done.code == 1
    assert "`sonotune cancel 1`" in done.err
    done = command("cancel", "demo")
    assert (done.code, done.out) == (0, "Run 1 was taken out of the queue.\n")
    for word, reason in (("resume", "cancelled"), ("stop", "ended already"), ("cancel", "ended already")):
        done = command(word, "1")
        assert done.code == 1, word
        assert reason in done.err
    assert command("runs", "--json").json[0]["state"] == "cancelled"


def test_one_evaluation_can_be_cancelled(command: CommandLine, workspace: Workspace) -> None:
    job = command(*LAUNCH, "--json").json["evaluations"][0]
    assert command("cancel", "--evaluation", str(job)).out == f"Evaluation {job} was taken out of the queue.\n"
    assert ("run 1", "validation", "cancelled") in evaluations(workspace)
    assert command("runs", "--json").json[0]["state"] == "queued"


def test_an_active_run_is_asked_to_stop_and_an_interrupted_one_resumes(
    command: CommandLine, workspace: Workspace
) -> None:
    assert command(*LAUNCH).code == 0
    own = {"pid": os.getpid(), "process_start": process_start(os.getpid())}
    move(workspace, 1, State.QUEUED, State.STARTING, State.RUNNING, **own)
    assert "next step" in command("stop", "1").out
    with Reader(workspace) as reader:
        assert [request.action for request in reader.requests(run_id=1)] == [Action.STOP]
    done = command("resume", "1")
    assert done.code == 1
    assert "It has not ended." in done.err
    move(workspace, 1, State.RUNNING, State.INTERRUPTED)
    assert "interrupted" in command("stop", "1").err
    assert command("resume", "1").out == "Run 1 is queued again.\n"
    row = command("show", "1", "--json").json["run"]
    assert (row["state"], row["resumes"]) == ("queued", 1)


def test_a_succeeded_run_has_nothing_to_resume(command: CommandLine, workspace: Workspace) -> None:
    assert command(*LAUNCH).code == 0
    with Writer.open(workspace) as writer:
        succeed(writer, JobKind.TRAINING, 1)
    done = command("resume", "1")
    assert done.code == 1
    assert "It is complete." in done.err


def test_a_job_without_a_log_says_how_to_wait_for_it(command: CommandLine) -> None:
    job = command(*LAUNCH, "--json").json["evaluations"][0]
    for words in (["1"], ["--evaluation", str(job)]):
        done = command("log", *words)
        assert done.code == 1, words
        assert "has no log yet" in done.err
        assert "--follow" in done.err
    assert command("log").code == 2


def fail(workspace: Workspace) -> None:
    errors = {"error_title": "It broke", "error_detail": "Because.", "error_next_step": "Mend it."}
    move(workspace, 1, State.QUEUED, State.STARTING)
    move(workspace, 1, State.STARTING, State.FAILED, **errors)


def cancel(workspace: Workspace) -> None:
    api.cancel(workspace, 1, start_worker=False)


@pytest.mark.parametrize(("end", "said"), [(fail, "It broke\nBecause.\nMend it.\n"), (cancel, "cancelled")])
@pytest.mark.parametrize(
    "words", [[*LAUNCH, "--wait"], ["evaluate", "1", "--split", "test", "--test-purpose", "tests", "--wait"]]
)
def test_waiting_ends_with_1_when_the_run_does_not_succeed(
    workspace: Workspace, words: list[str], end: Callable[[Workspace], None], said: str
) -> None:
    waits_for_its_own = words[0] == "launch"
    if not waits_for_its_own:
        recipe = api.load_recipe(
            api.find_recipe("demo", workspace.root), ["data.dataset=fetal", "evaluation.splits=[]"]
        )
        api.launch(workspace, recipe, start_worker=False, test_purpose="tests")
    waiting = popen(workspace.root, *words)
    try:
        wait_until(lambda: workspace.database.exists() and len(rows_of_run(workspace)) == 4, "the queue is filled")
        end(workspace)
        _, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 1
    assert said in err
    assert "Traceback" not in err


def rows_of_run(workspace: Workspace) -> list[str]:
    return [subject for subject, _, _ in evaluations(workspace) if subject == "run 1"]


def test_waiting_ends_with_0_when_all_succeeded(workspace: Workspace) -> None:
    waiting = popen(workspace.root, *LAUNCH, "--wait", "--json")
    try:
        wait_until(lambda: len(evaluations(workspace)) == 12, "the queue is filled")
        with Writer.open(workspace) as writer:
            succeed(writer, JobKind.TRAINING, 1)
            for job in range(1, 13):
                succeed(writer, JobKind.EVALUATION, job)
        out, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 0
    assert json.loads(out)["run_id"] == 1
    assert "demo: succeeded" in err


def test_ctrl_c_while_waiting_leaves_the_run_alone(workspace: Workspace) -> None:
    waiting = popen(workspace.root, *LAUNCH, "--wait")
    try:
        wait_until(lambda: len(evaluations(workspace)) == 12, "the queue is filled")
        assert waiting.stderr is not None
        while "demo: queued" not in waiting.stderr.readline():
            assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert waiting.returncode == 1
    assert err.splitlines()[-1] == "Interrupted. Runs that were queued or started go on: `sonotune runs`."
    assert "Traceback" not in err
    with Reader(workspace) as reader:
        assert reader.run(1).state == State.QUEUED


def test_following_a_log_ends_with_the_run(workspace: Workspace) -> None:
    api.launch(
        workspace,
        api.load_recipe(api.find_recipe("demo", workspace.root), ["data.dataset=fetal"]),
        start_worker=False,
        test_purpose="tests",
    )
    with Reader(workspace) as reader:
        log = workspace.root / reader.run(1).directory / "log.txt"
    following = popen(workspace.root, "log", "1", "--follow")
    got: list[str] = []
    assert following.stdout is not None
    reader_thread = threading.Thread(target=lambda: got.extend(following.stdout or ()))
    reader_thread.start()
    try:
        log.parent.mkdir(parents=True)
        log.write_bytes("erste Zeile, \x1b[2Jgrün".encode()[:-2])  # a character is cut in two
        wait_until(lambda: following.poll() is None, "it goes on")
        with log.open("ab") as stream:
            stream.write("ün\nlast words\n".encode()[1:])
        cancel(workspace)
        assert following.wait(30) == 0
        reader_thread.join(30)
    finally:
        following.kill()
    assert "".join(got) == "erste Zeile, �[2Jgrün\nlast words\n"


def test_a_worker_starts_is_named_and_ends(tmp_path: Path, capfd: Any) -> None:
    command = CommandLine(tmp_path, capfd)
    found = command("worker", "--status", "--json").json
    assert found.pop("unit")["installed"] is False
    assert found == {"running": False, "pid": None, "queue_paused": False, "trouble": ""}
    assert command("worker", "--stop").out == "No worker ran here.\n"
    assert command("worker", "--detach").out == "The worker has started.\n"
    found = command("worker", "--status", "--json").json
    try:
        assert found["running"] is True
        worker = psutil.Process(found["pid"])
        assert "engine.jobs" in worker.cmdline()
        assert command("worker", "--status").out == f"The worker is process {found['pid']}.\n"
        assert command("worker", "--detach").out == "A worker runs already.\n"
        done = command("worker")
        assert done.code == 2
        assert "A worker runs in this workspace already" in done.err
    finally:
        done = command("worker", "--stop")
    assert done.out == "The worker has ended; running jobs go on.\n"
    assert command("worker", "--status", "--json").json["running"] is False
    # Its lock goes a moment before it does; a child of this process stays a zombie until it is collected.
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker is gone")


def test_the_doctor_ends_with_1_where_something_is_missing(tmp_path: Path, capfd: Any) -> None:
    command = CommandLine(tmp_path, capfd)
    assert command("doctor").code == 0
    (tmp_path / "runs.db").write_bytes(b"no database" * 500)
    done = command("doctor", "--json")
    assert done.code == 1
    assert {finding["name"] for finding in done.json if not finding["good"]} == {"runs.db"}
    assert all(finding["mend"] for finding in done.json if not finding["good"])
    text = command("doctor")
    assert text.code == 1
    assert "missing" in text.out


def test_the_workspace_may_be_named_by_the_environment(workspace: Workspace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "data", "show", "--json"],
        env={**ENVIRONMENT, "SONOTUNE_WORKSPACE": str(workspace.root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [record["name"] for record in json.loads(done.stdout)] == ["fetal"]
