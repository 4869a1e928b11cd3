"""The worker as a real process, with real children that are really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run, end_process, raw, wait_until

from engine.errors import JobError
from engine.jobs import silence
from engine.jobs.control import cancel, resume, stop
from engine.jobs.devices import Device
from engine.jobs.dispatch import child_environment, job_command
from engine.jobs.lock import WorkerLock
from engine.jobs.process import is_alive, process_start
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import ensure_worker, run_worker, stop_worker, worker_status
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.store.writer import Writer
from engine.types import ENDED, JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION

JOB = """
import os, signal, sys, time
from pathlib import Path
from engine.jobs.session import JobSession
from engine.store.reader import Reader
from engine.types import JobKind
from engine.workspace import Workspace

kind, job_id, workspace = JobKind(sys.argv[1]), int(sys.argv[2]), Workspace(Path(sys.argv[3]))
with Reader(workspace) as reader:
    behaviour = reader.job(kind, job_id).name.split("-")[0] if kind == "training" else "quick"
print(f"{behaviour} sees {os.environ['CUDA_VISIBLE_DEVICES']!r} on {os.environ['SONOTUNE_DEVICE']}", flush=True)
if behaviour == "crash":
    print("Traceback: \\x1b[31mthe last words", flush=True)
    sys.exit(3)
if behaviour == "segfault":
    os.kill(os.getpid(), signal.SIGSEGV)
if behaviour == "mute":
    sys.exit(0)
with JobSession(workspace, kind, job_id) as session:
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf now", flush=True)
        while True:
            time.sleep(0.01)
    while behaviour == "hold" and not (workspace.root / f"release-{job_id}").exists():
        if session.check():
            break
        time.sleep(0.01)
"""

WORKER = """
import logging, sys
from pathlib import Path
from engine.jobs.devices import Device
from engine.jobs.worker import run_worker
from engine.workspace import Workspace

root, job, idle, names = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4].split(",")
logging.basicConfig(level=logging.INFO)
run_worker(
    Workspace(root),
    idle_exit_seconds=idle,
    poll_seconds=0.02,
    cancel_grace_seconds=0.2,
    job_command=lambda kind, job_id, workspace: [sys.executable, job, kind, str(job_id), str(workspace.root)],
    device_list=[Device(name, "a device", 1, f"GPU-{name}") for name in names],
)
"""

StartWorker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path / "workspace")
    Writer.open(workspace).close()
    yield workspace
    if workspace.database.exists():
        with Reader(workspace) as reader:
            for job in reader.jobs(State):
                end_process(job.pid if job.pid != os.getpid() else None, job.process_start)


@pytest.fixture
def start_worker(workspace: Workspace, tmp_path: Path) -> Iterator[StartWorker]:
    job, program = tmp_path / "job.py", tmp_path / "worker.py"
    job.write_text(JOB)
    program.write_text(WORKER)
    started: list[subprocess.Popen[bytes]] = []

    def start(idle: float = 600.0, devices: str = "cpu") -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, program, workspace.root, job, str(idle), devices],
            env=child_environment(),
            stderr=subprocess.DEVNULL,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()


def launch(workspace: Workspace, name: str) -> int:
    with Writer.open(workspace) as writer:
        return add_run(writer, name)


def run(workspace: Workspace, run_id: int) -> RunRow:
    with Reader(workspace) as reader:
        return reader.run(run_id)


def evaluation(workspace: Workspace, evaluation_id: int) -> EvaluationRow:
    with Reader(workspace) as reader:
        return reader.evaluation(evaluation_id)


def wait_for(workspace: Workspace, run_id: int, *states: State) -> RunRow:
    wait_until(lambda: run(workspace, run_id).state in states, f"run {run_id} is {' or '.join(states)}")
    return run(workspace, run_id)


def kill(row: RunRow) -> None:
    assert row.pid is not None
    assert is_alive(row.pid, row.process_start)
    os.kill(row.pid, signal.SIGKILL)


def log(workspace: Workspace, run_id: int) -> str:
    return (workspace.root / run(workspace, run_id).directory / "log.txt").read_text()


def test_jobs_run_one_after_the_other_on_one_device(workspace: Workspace, start_worker: StartWorker) -> None:
    first, second = launch(workspace, "hold-a"), launch(workspace, "hold-b")
    start_worker()
    row = wait_for(workspace, first, State.RUNNING)
    assert (row.device, row.pid != os.getpid()) == ("cpu", True)
    assert run(workspace, second).state == State.QUEUED
    (workspace.root / f"release-{first}").touch()
    wait_for(workspace, second, State.RUNNING)
    assert run(workspace, first).state == State.SUCCEEDED
    (workspace.root / f"release-{second}").touch()
    wait_for(workspace, second, State.SUCCEEDED)
    assert log(workspace, first) == "hold sees 'GPU-cpu' on cpu\n"


def test_every_device_has_a_job_of_its_own_and_sees_itself_alone(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    jobs = [launch(workspace, f"hold-{letter}") for letter in "abc"]
    start_worker(devices="cuda:0,cuda:1")
    rows = [wait_for(workspace, job, State.RUNNING) for job in jobs[:2]]
    assert [row.device for row in rows] == ["cuda:0", "cuda:1"]
    assert run(workspace, jobs[2]).state == State.QUEUED
    assert log(workspace, jobs[1]) == "hold sees 'GPU-cuda:1' on cuda:1\n"
    (workspace.root / f"release-{jobs[1]}").touch()
    assert wait_for(workspace, jobs[2], State.RUNNING).device == "cuda:1"
    assert run(workspace, jobs[0]).state == State.RUNNING


def test_an_evaluation_follows_its_run(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "hold-a")
    with Writer.open(workspace) as writer:
        after = add_evaluation(writer, run_id, after_run=True)
        reference = add_evaluation(writer, None, Reference.MAJORITY)
    start_worker(devices="cuda:0,cuda:1")
    wait_until(lambda: evaluation(workspace, reference).state == State.SUCCEEDED, "the reference row is measured")
    assert evaluation(workspace, after).state == State.QUEUED
    (workspace.root / f"release-{run_id}").touch()
    wait_until(lambda: evaluation(workspace, after).state == State.SUCCEEDED, "the run is measured")
    started, ended = evaluation(workspace, after).started_at, run(workspace, run_id).ended_at
    assert started is not None
    assert ended is not None
    assert started >= ended
    assert (workspace.root / "outputs" / "evaluations" / str(after) / "log.txt").exists()


def test_a_killed_job_is_interrupted_and_says_how_to_go_on(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id, other = launch(workspace, "hold-a"), launch(workspace, "quick")
    start_worker()
    kill(wait_for(workspace, run_id, State.RUNNING))
    row = wait_for(workspace, run_id, *ENDED)
    assert (row.state, row.reason) == (State.INTERRUPTED, "the process ended without a word: killed?")
    assert row.error_next_step == f"`sonotune resume {run_id}` goes on from its last checkpoint."
    assert "SIGKILL" in (row.error_detail or "")
    with Reader(workspace) as reader:
        assert reader.events(run_id=run_id)[-1].detail == row.reason
    wait_for(workspace, other, State.SUCCEEDED)


@pytest.mark.parametrize(
    ("behaviour", "title"),
    [
        ("crash", "The process ended with exit code 3"),
        ("segfault", "The process crashed (SIGSEGV)"),
        ("mute", "The process ended without reporting a result"),
    ],
)
def test_a_job_that_ends_without_settling_its_row_has_failed(
    workspace: Workspace, start_worker: StartWorker, behaviour: str, title: str
) -> None:
    run_id = launch(workspace, behaviour)
    start_worker()
    row = wait_for(workspace, run_id, *ENDED)
    assert (row.state, row.error_title, row.reason) == (State.FAILED, title, title)
    assert (row.error_detail or "").splitlines() == log(workspace, run_id).splitlines()
    assert f"sonotune resume {run_id}" in (row.error_next_step or "")


def test_a_job_outlives_its_worker_and_the_next_worker_adopts_it(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    held, waiting = launch(workspace, "hold-a"), launch(workspace, "quick")
    first = start_worker()
    before = wait_for(workspace, held, State.RUNNING)
    first.kill()
    first.wait()
    start_worker()
    wait_until(lambda: worker_status(workspace).pid not in (None, first.pid), "the second worker is there")
    assert is_alive(before.pid, before.process_start)
    assert run(workspace, waiting).state == State.QUEUED
    (workspace.root / f"release-{held}").touch()
    wait_for(workspace, waiting, State.SUCCEEDED)
    after = run(workspace, held)
    assert (after.state, after.pid, after.started_at) == (State.SUCCEEDED, before.pid, before.started_at)


def test_an_adopted_job_that_is_killed_is_noticed(workspace: Workspace, start_worker: StartWorker) -> None:
    held = launch(workspace, "hold-a")
    first = start_worker()
    row = wait_for(workspace, held, State.RUNNING)
    first.kill()
    first.wait()
    second = start_worker()
    wait_until(lambda: worker_status(workspace).pid == second.pid, "the second worker is there")
    kill(row)
    assert wait_for(workspace, held, *ENDED).state == State.INTERRUPTED


def test_a_job_that_died_while_no_worker_lived_is_settled_by_the_next(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    held = launch(workspace, "hold-a")
    first = start_worker()
    row = wait_for(workspace, held, State.RUNNING)
    first.kill()
    first.wait()
    kill(row)
    start_worker()
    assert wait_for(workspace, held, *ENDED).state == State.INTERRUPTED


def test_a_row_whose_pid_now_belongs_to_another_process_is_settled(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    run_id = launch(workspace, "hold-a")
    own = os.getpid()
    with Writer.open(workspace) as writer:
        wrong = (process_start(own) or 0.0) - 50.0
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "then", pid=own, process_start=wrong)
        writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "then")
    start_worker()
    assert wait_for(workspace, run_id, *ENDED).state == State.INTERRUPTED


def test_a_claim_whose_worker_died_before_the_process_started_is_settled(
    workspace: Workspace, start_worker: StartWorker
) -> None:
    run_id = launch(workspace, "hold-a")
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with Writer.open(workspace) as writer:
        start = process_start(gone.pid)
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed", pid=gone.pid, process_start=start)
    assert settle_dead_jobs(workspace) == []
    gone.kill()
    gone.wait()
    start_worker()
    assert wait_for(workspace, run_id, *ENDED).state == State.INTERRUPTED


def test_a_silent_job_is_only_silent(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id, later = launch(workspace, "hold-a"), launch(workspace, "quick")
    start_worker(devices="cuda:0,cuda:1")
    row = wait_for(workspace, run_id, State.RUNNING)
    assert row.pid is not None
    os.kill(row.pid, signal.SIGSTOP)
    raw(workspace).execute("UPDATE runs SET heartbeat = 1.0 WHERE id = ?", (run_id,))
    wait_for(workspace, later, State.SUCCEEDED)
    assert run(workspace, run_id).state == State.RUNNING
    os.kill(row.pid, signal.SIGCONT)
    (workspace.root / f"release-{run_id}").touch()
    wait_for(workspace, run_id, State.SUCCEEDED)


def test_stop_saves_and_resume_goes_on(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "hold-a")
    start_worker()
    first = wait_for(workspace, run_id, State.RUNNING)
    assert "saves and stops" in stop(workspace, "hold-a", start_worker=False)
    row = wait_for(workspace, run_id, *ENDED)
    assert (row.state, row.reason) == (State.INTERRUPTED, "stopped on request, after saving")
    assert "queued again" in resume(workspace, run_id, start_worker=False)
    again = wait_for(workspace, run_id, State.RUNNING)
    assert again.pid != first.pid
    assert again.resumes == 1
    (workspace.root / f"release-{run_id}").touch()
    wait_for(workspace, run_id, State.SUCCEEDED)


def test_cancel_takes_a_queued_job_out_at_once(workspace: Workspace) -> None:
    run_id = launch(workspace, "hold-a")
    assert "out of the queue" in cancel(workspace, run_id)
    assert run(workspace, run_id).state == State.CANCELLED
    assert not worker_status(workspace).running


def test_cancel_ends_a_job_that_answers(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "hold-a")
    start_worker()
    wait_for(workspace, run_id, State.RUNNING)
    cancel(workspace, run_id, start_worker=False)
    row = wait_for(workspace, run_id, *ENDED)
    assert (row.state, row.reason, row.error_title) == (State.CANCELLED, "cancelled on request", None)


def test_cancel_kills_a_job_that_does_not_answer(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id, other = launch(workspace, "deaf"), launch(workspace, "quick")
    start_worker()
    wait_for(workspace, run_id, State.RUNNING)
    wait_until(lambda: "deaf now" in log(workspace, run_id), "the job ignores SIGTERM")
    cancel(workspace, run_id, start_worker=False)
    row = wait_for(workspace, run_id, *ENDED)
    assert (row.state, row.reason) == (State.CANCELLED, "cancelled on request; its process was ended from outside")
    wait_for(workspace, other, State.SUCCEEDED)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED, State.CANCELLED])
def test_requests_that_do_not_fit_the_state_are_refused_with_the_way_out(workspace: Workspace, state: State) -> None:
    run_id = launch(workspace, "x")
    own = os.getpid()
    with Writer.open(workspace) as writer:
        if state == State.CANCELLED:
            writer.transition(TRAINING, run_id, State.QUEUED, State.CANCELLED, "test")
        elif state != State.QUEUED:
            start = process_start(own)
            writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "test", pid=own, process_start=start)
            writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "test")
        if state == State.SUCCEEDED:
            writer.transition(TRAINING, run_id, State.RUNNING, State.SUCCEEDED, "test")
    with pytest.raises(JobError, match="cannot be resumed") as caught:
        resume(workspace, run_id)
    assert caught.value.next_step
    if state == State.QUEUED:
        with pytest.raises(JobError, match="has not started"):
            stop(workspace, run_id)
    elif state != State.RUNNING:
        for ask in (stop, cancel):
            with pytest.raises(JobError, match="ended already"):
                ask(workspace, run_id)
    assert run(workspace, run_id).state == state
    with pytest.raises(JobError, match="no run 99"):
        stop(workspace, 99)


def test_resume_finds_a_dead_job_without_a_worker(workspace: Workspace) -> None:
    run_id = launch(workspace, "x")
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "test", pid=2**22 + 1, process_start=1.0)
        writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "test")
    resume(workspace, run_id, start_worker=False)
    with Reader(workspace) as reader:
        kinds = [event.kind for event in reader.events(run_id=run_id)]
    assert kinds == ["queued", "starting", "running", "interrupted", "queued"]


def test_dead_jobs_are_left_to_a_worker_that_lives(workspace: Workspace) -> None:
    run_id = launch(workspace, "x")
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "test", pid=2**22 + 1, process_start=1.0)
    lock = WorkerLock(workspace.worker_lock)
    assert lock.acquire()
    assert settle_dead_jobs(workspace) == []
    assert run(workspace, run_id).state == State.STARTING
    lock.release()
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    assert run(workspace, run_id).state == State.INTERRUPTED


def test_a_job_of_another_host_is_dead_only_after_a_long_silence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "CONFIRM_SECONDS", 0.1)
    run_id = launch(workspace, "x")
    with Writer.open(workspace) as writer:
        writer.transition(
            TRAINING, run_id, State.QUEUED, State.STARTING, "test", pid=1, process_start=0.5, host="elsewhere.example"
        )
    assert settle_dead_jobs(workspace) == []
    raw(workspace).execute("UPDATE runs SET heartbeat = heartbeat - 3600")
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]


def test_only_one_worker_serves_a_workspace(workspace: Workspace, start_worker: StartWorker) -> None:
    first = start_worker()
    wait_until(lambda: worker_status(workspace).pid == first.pid, "the first worker is there")
    second = start_worker()
    assert second.wait(timeout=60) == 0
    assert worker_status(workspace).pid == first.pid
    assert not ensure_worker(workspace)


def test_stopping_the_worker_leaves_its_jobs_alone(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "hold-a")
    child = start_worker()
    row = wait_for(workspace, run_id, State.RUNNING)
    assert stop_worker(workspace, wait_seconds=60.0)
    assert child.wait(timeout=60) == 0
    assert not worker_status(workspace).running
    assert not stop_worker(workspace)
    assert is_alive(row.pid, row.process_start)
    (workspace.root / f"release-{run_id}").touch()
    wait_for(workspace, run_id, State.SUCCEEDED)


def test_an_idle_worker_ends_but_not_while_a_job_runs(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "hold-a")
    child = start_worker(idle=0.05)
    wait_for(workspace, run_id, State.RUNNING)
    with Reader(workspace) as reader:
        wait_until(lambda: reader.samples(run_id=run_id), "a beat: longer than the worker may idle")
    assert child.poll() is None
    (workspace.root / f"release-{run_id}").touch()
    wait_for(workspace, run_id, State.SUCCEEDED)
    assert child.wait(timeout=60) == 0


def test_blocked_evaluations_do_not_keep_a_worker(workspace: Workspace, start_worker: StartWorker) -> None:
    run_id = launch(workspace, "crash")
    with Writer.open(workspace) as writer:
        waiting = add_evaluation(writer, run_id, after_run=True)
    child = start_worker(idle=0.05)
    assert child.wait(timeout=60) == 0
    assert run(workspace, run_id).state == State.FAILED
    assert evaluation(workspace, waiting).state == State.QUEUED


def test_a_job_queued_while_the_worker_ends_is_not_forgotten(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The narrow moment: the job is queued after the last look, while the lock is still held."""
    (tmp_path / "job.py").write_text(JOB)
    release = WorkerLock.release
    queued: list[int] = []

    def queue_then_release(lock: WorkerLock) -> None:
        if not queued:
            queued.append(launch(workspace, "quick"))
            assert not ensure_worker(workspace)
        release(lock)

    monkeypatch.setattr(WorkerLock, "release", queue_then_release)
    assert run_worker(
        workspace,
        idle_exit_seconds=0.0,
        poll_seconds=0.01,
        job_command=lambda kind, job_id, where: [
            sys.executable, str(tmp_path / "job.py"), kind, str(job_id), str(where.root)
        ],
        device_list=[Device("cpu", "CPU", 1, "")],
    )  # fmt: skip
    assert run(workspace, queued[0]).state == State.SUCCEEDED


def test_a_database_that_was_removed_and_made_again_is_noticed(workspace: Workspace, start_worker: StartWorker) -> None:
    first = launch(workspace, "quick")
    start_worker()
    wait_for(workspace, first, State.SUCCEEDED)
    for file in workspace.root.glob("runs.db*"):
        file.unlink()
    second = launch(workspace, "quick")
    wait_for(workspace, second, State.SUCCEEDED)


def test_a_process_that_cannot_be_started_is_a_failed_job(workspace: Workspace) -> None:
    run_id = launch(workspace, "x")
    assert run_worker(
        workspace,
        idle_exit_seconds=0.0,
        poll_seconds=0.01,
        job_command=lambda *_: ["/nowhere/to/be/found"],
        device_list=[Device("cpu", "CPU", 1, "")],
    )
    row = run(workspace, run_id)
    assert (row.state, row.error_title) == (State.FAILED, "The process could not be started")
    assert "/nowhere/to/be/found" in (row.error_detail or "")


def test_ensure_worker_starts_a_detached_one_that_dispatches_real_modules(workspace: Workspace) -> None:
    assert ensure_worker(workspace, wait_seconds=60.0)
    try:
        pid = worker_status(workspace).pid
        assert pid is not None
        assert os.getsid(pid) == pid
        assert not ensure_worker(workspace)
    finally:
        stop_worker(workspace, wait_seconds=60.0)
    assert not worker_status(workspace).running
    assert "worker" in workspace.worker_log.read_text()


def test_job_processes_are_the_modules_of_the_engine_and_shadowed_by_nothing(workspace: Workspace) -> None:
    assert job_command(EVALUATION, 7, workspace) == [
        sys.executable, "-P", "-m", "engine.evaluation", "7", "--workspace", str(workspace.root)
    ]  # fmt: skip
    (workspace.root / "engine.py").write_text("raise SystemExit('shadowed')")
    command = [*job_command(TRAINING, 1, workspace)[:-4], "engine.jobs", "--help"]
    subprocess.run(command, cwd=workspace.root, env=child_environment(), check=True, stdout=subprocess.DEVNULL)
