"""A paused queue: nothing new is started, everything else goes on. With real workers and real children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run, end_process, raw, wait_until
from test_jobs_worker import JOB, WORKER

from engine.errors import StoreError, UsageError
from engine.jobs import pausing
from engine.jobs.control import cancel
from engine.jobs.devices import Device
from engine.jobs.dispatch import child_environment
from engine.jobs.lock import WorkerLock
from engine.jobs.pausing import pause_notice, pause_queue, queue_paused, unpause_queue
from engine.jobs.queue import PAUSED, next_job, pause_of
from engine.jobs.worker import ensure_worker, run_worker
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import ENDED, JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "job.py").write_text(JOB)
    workspace = Workspace(tmp_path / "workspace")
    Writer.open(workspace).close()
    yield workspace
    with Reader(workspace) as reader:
        for job in reader.jobs(State):
            end_process(job.pid if job.pid != os.getpid() else None, job.process_start)


@pytest.fixture
def start_worker(workspace: Workspace, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    program = tmp_path / "worker.py"
    program.write_text(WORKER)
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, program, workspace.root, tmp_path / "job.py", "600", "cuda:0,cuda:1"]
        started.append(subprocess.Popen(command, env=child_environment(), stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()


def work_until_idle(workspace: Workspace) -> None:
    """Be a worker that ends as soon as there is nothing to do."""
    job = str(workspace.root.parent / "job.py")
    assert run_worker(
        workspace,
        idle_exit_seconds=0.0,
        poll_seconds=0.01,
        job_command=lambda kind, job_id, where: [sys.executable, job, kind, str(job_id), str(where.root)],
        device_list=[Device("cpu", "CPU", 1, "")],
    )


def launch(workspace: Workspace, name: str = "quick") -> int:
    with Writer.open(workspace) as writer:
        return add_run(writer, name)


def state(workspace: Workspace, run_id: int) -> State:
    with Reader(workspace) as reader:
        return reader.run(run_id).state


def wait_for(workspace: Workspace, run_id: int, *states: State) -> None:
    wait_until(lambda: state(workspace, run_id) in states, f"run {run_id} is {' or '.join(states)}")


def test_a_worker_starts_nothing_while_the_queue_is_paused_and_everything_after(workspace: Workspace) -> None:
    run_id = launch(workspace)
    pause_queue(workspace)
    work_until_idle(workspace)  # a paused queue is no work: the worker ends
    assert state(workspace, run_id) == State.QUEUED
    unpause_queue(workspace, start_worker=False)
    work_until_idle(workspace)
    assert state(workspace, run_id) == State.SUCCEEDED


def test_running_jobs_go_on_and_the_next_waits_for_the_end_of_the_pause(
    workspace: Workspace, start_worker: Callable[[], object]
) -> None:
    held = [launch(workspace, "hold-a"), launch(workspace, "hold-b")]
    start_worker()
    for run_id in held:
        wait_for(workspace, run_id, State.RUNNING)
    later = launch(workspace)
    assert "2 running jobs go on" in pause_queue(workspace)
    (workspace.root / f"release-{held[0]}").touch()
    wait_for(workspace, held[0], State.SUCCEEDED)
    # The second one can only be found dead by a worker that has looked since the first device is free.
    with Reader(workspace) as reader:
        job = reader.job(TRAINING, held[1])
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    wait_for(workspace, held[1], State.INTERRUPTED)
    assert state(workspace, later) == State.QUEUED
    unpause_queue(workspace)
    wait_for(workspace, later, State.SUCCEEDED)


def test_a_cancel_is_enforced_during_a_pause(workspace: Workspace, start_worker: Callable[[], object]) -> None:
    run_id = launch(workspace, "deaf")
    start_worker()
    wait_for(workspace, run_id, State.RUNNING)
    log = workspace.root / "outputs" / f"{run_id:05d}-deaf" / "log.txt"
    wait_until(lambda: "deaf now" in log.read_text(), "the job ignores SIGTERM")
    pause_queue(workspace)
    cancel(workspace, run_id, start_worker=False)
    wait_for(workspace, run_id, *ENDED)
    assert state(workspace, run_id) == State.CANCELLED


def test_a_worker_that_ends_while_the_pause_ends_looks_once_more(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrow moment: the pause ends after the worker's last look, while it still holds its lock."""
    run_id = launch(workspace)
    pause_queue(workspace)
    release, unpaused = WorkerLock.release, []

    def unpause_then_release(lock: WorkerLock) -> None:
        if not unpaused:
            unpaused.append(unpause_queue(workspace))
            assert not ensure_worker(workspace)
        release(lock)

    monkeypatch.setattr(WorkerLock, "release", unpause_then_release)
    work_until_idle(workspace)
    assert state(workspace, run_id) == State.SUCCEEDED


def test_an_evaluation_process_takes_no_further_one_during_a_pause(workspace: Workspace) -> None:
    from engine.evaluation.process import next_of_subject

    with Writer.open(workspace) as writer:
        first, second = (add_evaluation(writer, None, Reference.BASE) for _ in range(2))
        writer.transition(EVALUATION, first, State.QUEUED, State.STARTING, "test")
        writer.transition(EVALUATION, first, State.STARTING, State.RUNNING, "test")
        writer.transition(EVALUATION, first, State.RUNNING, State.SUCCEEDED, "test")
    pause_queue(workspace)
    assert next_of_subject(workspace, first) is None
    unpause_queue(workspace, start_worker=False)
    following = next_of_subject(workspace, first)
    assert following is not None
    assert following.id == second


def test_the_end_of_a_pause_sees_to_a_worker(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Workspace] = []
    monkeypatch.setattr(pausing, "ensure_worker", asked.append)
    pause_queue(workspace)
    assert asked == []
    unpause_queue(workspace, start_worker=False)
    assert asked == []
    assert unpause_queue(workspace) == "The queue goes on: queued jobs are started."
    assert asked == [workspace]


def test_a_pause_says_since_when_why_and_how_it_ends(workspace: Workspace) -> None:
    assert not queue_paused(workspace)
    assert pause_notice(workspace) == ""
    assert pause_queue(workspace, " the room\nis too hot ").startswith("The queue is paused: nothing new is started.")
    assert queue_paused(workspace)
    notice = pause_notice(workspace)
    assert "(the room is too hot)" in notice
    assert "`sonotune queue --unpause`" in notice
    with Reader(workspace) as reader:
        first = pause_of(reader)
    assert first is not None
    assert pause_queue(workspace) == notice  # paused already: nothing changes
    pause_queue(workspace, "maintenance")
    with Reader(workspace) as reader:
        second = pause_of(reader)
    assert second is not None
    assert (second.since, second.reason) == (first.since, "maintenance")


def test_a_reason_is_text_of_limited_length(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="201 characters"):
        pause_queue(workspace, "x" * 201)
    assert not queue_paused(workspace)
    pause_queue(workspace, "\x1b[2J[red]\ud800")
    assert "\x1b" not in pause_notice(workspace)
    assert "[red]" in pause_notice(workspace)


def test_an_empty_workspace_is_not_paused_and_stays_empty(tmp_path: Path) -> None:
    empty = Workspace(tmp_path / "empty")
    empty.root.mkdir()
    assert not queue_paused(empty)
    assert list(empty.root.iterdir()) == []


@pytest.mark.parametrize("value", ["true", '{"since": "yesterday"}', '{"since": 1e300, "reason": 7}', '"because"'])
def test_what_another_program_set_pauses_too(workspace: Workspace, value: str) -> None:
    launch(workspace)
    raw(workspace).execute("INSERT INTO settings (key, value) VALUES (?, ?)", (PAUSED, value))
    assert pause_notice(workspace).startswith("The queue is paused")
    with Reader(workspace) as reader:
        assert next_job(reader) is None


def test_a_setting_that_cannot_be_read_starts_nothing_and_can_be_replaced(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = launch(workspace)
    raw(workspace).execute("INSERT INTO settings (key, value) VALUES (?, 'not JSON')", (PAUSED,))
    with pytest.raises(StoreError, match=PAUSED):
        queue_paused(workspace)
    work_until_idle(workspace)  # it ends, after it has said so
    assert PAUSED in caplog.text
    assert state(workspace, run_id) == State.QUEUED
    unpause_queue(workspace, start_worker=False)
    work_until_idle(workspace)
    assert state(workspace, run_id) == State.SUCCEEDED
