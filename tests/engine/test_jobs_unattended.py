"""A worker that is left alone: what goes wrong with one job or with the database keeps it from nothing else."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, raw, wait_until
from test_jobs_worker import JOB

from engine.jobs import auto_resume, dispatch, stall_watch, stalling, turns
from engine.jobs.auto_resume import EVENT, MOST_TRIES, AutoResume
from engine.jobs.devices import Device
from engine.jobs.dispatch import child_environment
from engine.jobs.lock import WorkerLock
from engine.jobs.reconcile import WITHOUT_A_WORD
from engine.jobs.trouble import Trouble, trouble_file, trouble_of
from engine.jobs.worker import run_worker, worker_status
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.types import Action, JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
CPU = Device("cpu", "a device", 1, "")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SONOTUNE_CONFIG", str(tmp_path / "none.toml"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "workspace")
    Writer.open(workspace).close()
    (tmp_path / "job.py").write_text(JOB)
    return workspace


def work(workspace: Workspace, **options: Any) -> None:
    job = workspace.root.parent / "job.py"

    def command(kind: JobKind, job_id: int, where: Workspace) -> list[str]:
        return [sys.executable, str(job), kind, str(job_id), str(where.root)]

    given = {"idle_exit_seconds": 0.3, "poll_seconds": 0.02, "job_command": command, "device_list": [CPU], **options}
    assert run_worker(workspace, **given)


def launch(workspace: Workspace, name: str = "quick", **others: Any) -> int:
    with Writer.open(workspace) as writer:
        return add_run(writer, name, **others)


def state(workspace: Workspace, run_id: int) -> State:
    with Reader(workspace) as reader:
        return reader.run(run_id).state


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE runs SET priority = 'very', queue_rank = NULL WHERE id = 1",
        'UPDATE runs SET recipe = \'{"training": {"devices": "two"}}\' WHERE id = 1',
        "UPDATE runs SET queue_rank = 'first' WHERE id = 1",
        "UPDATE evaluations SET split = 'tomorrow'",
        "UPDATE evaluations SET reference = 'nothing known'",
    ],
)
def test_a_row_that_cannot_be_read_does_not_keep_the_queue(
    workspace: Workspace, spoiled: str, caplog: pytest.LogCaptureFixture
) -> None:
    launch(workspace, "spoiled")
    with Writer.open(workspace) as writer:
        add_evaluation(writer, None, Reference.MAJORITY)
    raw(workspace).execute(spoiled)
    good = launch(workspace)
    work(workspace)
    assert state(workspace, good) == State.SUCCEEDED
    assert sum("cannot be read" in text for text in caplog.messages) == 1


def test_a_recipe_that_is_no_json_and_a_folder_that_cannot_be_made_fail_alone(workspace: Workspace) -> None:
    broken, folder, nul, good = (launch(workspace, name) for name in ("crash", "folder", "nul", "quick"))
    raw(workspace).execute("UPDATE runs SET recipe = '{' WHERE id = ?", (broken,))
    raw(workspace).execute("UPDATE runs SET directory = ? WHERE id = ?", ("outputs/" + "x" * 300, folder))
    raw(workspace).execute("UPDATE runs SET directory = ? WHERE id = ?", ("outputs/a\0b", nul))
    work(workspace)
    states = [state(workspace, run) for run in (broken, folder, nul, good)]
    assert states == [State.FAILED, State.FAILED, State.FAILED, State.SUCCEEDED]
    with Reader(workspace) as reader:
        assert reader.run(folder).error_title == "The process could not be started"
        assert reader.run(folder).error_next_step


def test_a_command_that_cannot_be_built_fails_its_job_alone(workspace: Workspace) -> None:
    bad, good = launch(workspace, "bad"), launch(workspace)
    job = str(workspace.root.parent / "job.py")

    def command(kind: JobKind, job_id: int, where: Workspace) -> list[str]:
        if job_id == bad:
            raise KeyError("nobody expected this")
        return [sys.executable, job, kind, str(job_id), str(where.root)]

    work(workspace, job_command=command)
    assert [state(workspace, run) for run in (bad, good)] == [State.FAILED, State.SUCCEEDED]


def test_a_full_disk_leaves_jobs_in_the_queue_until_there_is_room(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [launch(workspace, name) for name in ("one", "two")]
    monkeypatch.setattr(turns, "NO_ROOM_SECONDS", 0.05)
    real, left = dispatch.spawn_detached, [3]

    def spawn(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(dispatch, "spawn_detached", spawn)
    work(workspace)
    assert [state(workspace, run) for run in runs] == [State.SUCCEEDED] * 2


def test_no_log_no_claim(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = launch(workspace)
    monkeypatch.setattr(turns, "NO_ROOM_SECONDS", 0.05)
    real, left = Path.mkdir, [3]

    def mkdir(self: Path, *arguments: Any, **options: Any) -> None:
        if self.name.startswith("00001") and left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        real(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    work(workspace)
    with Reader(workspace) as reader:
        assert [event.kind for event in reader.events(run_id=run)] == ["queued", "starting", "running", "succeeded"]
    assert sum("No job can be started now" in text for text in caplog.messages) == 1


def test_nothing_unexpected_ends_a_worker(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = launch(workspace)
    left, tries = [2], []

    def adopt(self: turns.Worker, living: object) -> None:
        tries.append(time.monotonic())
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(turns.Worker, "_adopt", adopt)
    work(workspace, idle_exit_seconds=2.0)
    assert state(workspace, run) == State.SUCCEEDED
    assert sum("unforeseen" in text for text in caplog.messages) == 1
    assert tries[2] - tries[0] > 0.5 + 1.0  # each time it waits longer
    assert not trouble_file(workspace).exists()


def test_what_ends_is_told_before_the_worker_ends(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard, config = tmp_path / "heard", tmp_path / "config.toml"
    config.write_text(f"[notify]\ncommand = ['sh', '-c', 'sleep 0.5; echo \"$SONOTUNE_TEXT\" >> {heard}']\n")
    config.chmod(0o600)
    monkeypatch.setenv("SONOTUNE_CONFIG", str(config))
    launch(workspace, "crash")
    launch(workspace, "quick")
    work(workspace)
    lines = heard.read_text().splitlines()
    assert lines == [
        "run 1 (crash) has failed: The process ended with exit code 3",
        "run 2 (quick) has succeeded: done",
        "the queue is finished: 1 succeeded, 1 failed",
    ]


def test_a_real_job_that_does_nothing_is_marked_and_its_end_takes_the_mark_away(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (stall_watch, stalling):
        monkeypatch.setattr(module, "SHORTEST_STALL_SECONDS", 0.1)
    monkeypatch.setattr(stalling, "OTHER_SECONDS", 0.5)
    run = launch(workspace, "hold")
    worker = threading.Thread(target=work, args=(workspace,))
    worker.start()

    def row() -> RunRow:
        with Reader(workspace) as reader:
            return reader.run(run)

    try:
        wait_until(lambda: row().stalled_at, "it has stalled")
        assert row().state == State.RUNNING
    finally:
        (workspace.root / f"release-{run}").touch()
        worker.join(60)
    assert (row().state, row().stalled_at) == (State.SUCCEEDED, None)
    with Reader(workspace) as reader:
        assert sum(event.kind == "stalled" for event in reader.events(run_id=run)) == 1


def test_a_part_that_fails_keeps_no_other(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = launch(workspace)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken part")

    monkeypatch.setattr(turns.StallWatch, "look", fail)
    monkeypatch.setattr(turns.Notifier, "look", fail)
    work(workspace)
    assert state(workspace, run) == State.SUCCEEDED
    assert sum("broken part" in text for text in caplog.messages) == 2


def test_a_damaged_database_is_told_by_the_worker_and_found_well_again(workspace: Workspace) -> None:
    run = launch(workspace)
    worker = subprocess.Popen(
        [sys.executable, "-m", "engine.jobs", "--workspace", str(workspace.root), "--stay"],
        env={**child_environment(), "CUDA_VISIBLE_DEVICES": ""},
        stderr=Path("/dev/full").open("w"),  # noqa: SIM115 - a log that cannot be written ends nothing, either
    )
    try:
        with Writer.open(workspace) as writer:
            writer.set_setting("queue_paused", {"reason": "only the worker is looked at"})
        wait_until(lambda: worker_status(workspace).pid == worker.pid, "the worker is there")
        whole = workspace.database.read_bytes()
        for end in ("-wal", "-shm"):
            workspace.database.with_name("runs.db" + end).unlink(missing_ok=True)
        workspace.database.write_bytes(b"this is no database, " * 1000)
        wait_until(lambda: "no database" in worker_status(workspace).trouble, "it says so")
        workspace.database.write_bytes(whole)
        wait_until(lambda: not worker_status(workspace).trouble, "it is well again")
        worker.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.wait()
    assert state(workspace, run) == State.QUEUED


def test_a_worker_outstays_a_locked_database(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = launch(workspace)
    opened = Writer.open
    monkeypatch.setattr(turns.Writer, "open", lambda where, **more: opened(where, **more, busy_seconds=0.05))
    locked = threading.Event()

    def hold() -> None:
        holder = raw(workspace)
        holder.execute("BEGIN EXCLUSIVE")
        locked.set()
        time.sleep(1.5)
        holder.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    work(workspace, idle_exit_seconds=0.2)
    thread.join()
    assert state(workspace, run) == State.SUCCEEDED


def test_trouble_waits_longer_each_time_and_names_its_worker(workspace: Workspace) -> None:
    now = [0.0]
    trouble = Trouble(workspace, lambda: now[0])
    pauses = []
    for _ in range(6):
        trouble.meet(ValueError("x\x1b[2J"))
        begun = now[0]
        while trouble.waits:
            now[0] += 0.25
        pauses.append(now[0] - begun)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert "ValueError: x" in trouble_of(workspace, os.getpid())
    assert "\x1b" not in trouble_of(workspace, os.getpid())
    assert trouble_of(workspace, os.getpid() + 1) == ""
    assert trouble_file(workspace).stat().st_mode & 0o077 == 0
    trouble.over()
    assert trouble_of(workspace, os.getpid()) == ""
    trouble_file(workspace).write_text(json.dumps({"pid": 3}))
    assert trouble_of(workspace, 3) == ""


def test_a_worker_that_stays_waits_for_the_one_that_is_there(workspace: Workspace) -> None:
    lock = WorkerLock(workspace.worker_lock)
    assert lock.acquire()
    worker = subprocess.Popen(
        [sys.executable, "-m", "engine.jobs", "--workspace", str(workspace.root), "--stay", "--idle-exit", "0"],
        env=child_environment(),
        stderr=subprocess.PIPE,
    )
    try:
        assert worker.stderr is not None
        assert b"waiting until it ends" in worker.stderr.readline()
        lock.release()
        wait_until(lambda: worker_status(workspace).pid == worker.pid, "it has taken the place")
        time.sleep(0.5)
        assert worker.poll() is None  # nothing to do, and it stays
        worker.terminate()
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.communicate()


class Died:
    """Runs that have died, and the worker's part that queues them again."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.wall = workspace, time.time()
        self.writer, self.reader = Writer.open(workspace, clock=lambda: self.wall), Reader(workspace)
        self.part = AutoResume(workspace, lambda: self.wall)

    def die(
        self, job: int, kind: JobKind = TRAINING, reason: str = WITHOUT_A_WORD, to: State = State.INTERRUPTED
    ) -> None:
        for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING), (State.RUNNING, to)):
            assert self.writer.transition(kind, job, before, after, reason)

    def look(self) -> list[int]:
        return [job.id for job in self.part.look(self.writer, self.reader)]


@pytest.fixture
def died(workspace: Workspace) -> Iterator[Died]:
    found = Died(workspace)
    yield found
    found.reader.close()
    found.writer.close()


def test_what_died_without_a_word_is_queued_again_and_nothing_else(died: Died) -> None:
    dead, failed, stopped, old, cancelled = (add_run(died.writer, name) for name in "abcde")
    died.wall -= 2 * 86_400
    died.die(old)
    died.wall += 2 * 86_400
    died.die(dead)
    died.die(failed, to=State.FAILED)
    died.die(stopped, reason="stopped on request, after saving")
    died.die(cancelled, to=State.CANCELLED)
    assert died.look() == [dead]
    run = died.reader.run(dead)
    assert (run.state, run.resumes) == (State.QUEUED, 1)
    assert [event.kind for event in died.reader.events(run_id=dead)][-2:] == ["queued", EVENT]
    assert died.look() == []


def test_three_tries_without_a_new_checkpoint_and_three_more_with_one(died: Died) -> None:
    run = add_run(died.writer)
    for _ in range(MOST_TRIES):
        died.die(run)
        assert died.look() == [run]
    died.die(run)
    assert died.look() == []
    folder = died.workspace.root / died.reader.run(run).directory / "checkpoints" / "checkpoint-40"
    folder.mkdir(parents=True)
    died.part = AutoResume(died.workspace, lambda: died.wall)  # the next worker
    assert died.look() == [run]
    detail = died.reader.events(run_id=run)[-1].detail
    assert "try 1 of 3 from the same place (checkpoint of step 40)" in detail


def test_evaluations_likewise(died: Died) -> None:
    evaluation = add_evaluation(died.writer, None, Reference.MAJORITY)
    for _ in range(MOST_TRIES):
        died.die(evaluation, EVALUATION)
        assert died.look() == [evaluation]
    died.die(evaluation, EVALUATION)
    assert died.look() == []


def test_a_run_that_the_shutdown_of_the_machine_has_stopped_goes_on(
    died: Died, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_machine, by_user = add_run(died.writer, "a"), add_run(died.writer, "b")
    for run in (by_machine, by_user):
        died.writer.transition(TRAINING, run, State.QUEUED, State.STARTING, "")
        died.writer.transition(TRAINING, run, State.STARTING, State.RUNNING, "")
    died.writer.request(TRAINING, by_user, Action.STOP)
    for run in (by_machine, by_user):
        died.writer.transition(TRAINING, run, State.RUNNING, State.INTERRUPTED, "stopped on request, after saving")
    assert died.look() == []  # the machine has not started anew: somebody has sent SIGTERM
    monkeypatch.setattr(auto_resume, "_before_boot", lambda job: True)
    died.part = AutoResume(died.workspace, lambda: died.wall)
    assert died.look() == [by_machine]


def test_only_a_worker_that_was_asked_to_resumes(workspace: Workspace) -> None:
    run = launch(workspace)
    with Writer.open(workspace) as writer:
        for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.INTERRUPTED)):
            writer.transition(TRAINING, run, before, after, WITHOUT_A_WORD)
    work(workspace)
    assert state(workspace, run) == State.INTERRUPTED
    work(workspace, resume=True)
    assert state(workspace, run) == State.SUCCEEDED
