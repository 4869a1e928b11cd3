"""Real processes that die while runs.db cannot be told: what they recorded, and that they are gone, is found out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from store_helpers import add_run, raw, wait_until
from test_jobs_unattended import launch, state, work, workspace

from engine.errors import StoreError
from engine.jobs.dispatch import child_environment
from engine.jobs.keeping import stop_is_noted
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import ensure_worker, stop_worker, worker_status
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import State
from engine.workspace import Workspace

__all__ = ["workspace"]

DYING = """
import os, signal, sys
from pathlib import Path
from engine.jobs.session import JobSession
from engine.types import JobKind
from engine.workspace import Workspace

with JobSession(Workspace(Path(sys.argv[1])), JobKind.TRAINING, int(sys.argv[2])) as session:
    for step in (1, 2, 3):
        session.recording.metrics(step, {"loss": 1.0 / step})
    print("locked, please", flush=True)
    input()
    for step in range(4, 200):
        session.recording.metrics(step, {"loss": 1.0 / step})
    session.recording.event("checkpoint", "step 199")
    session.recording.update(final_loss=0.125)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_job_killed_under_a_locked_database_has_lost_nothing(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer)
    job = subprocess.Popen(
        [sys.executable, "-c", DYING, str(workspace.root), str(run_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    assert job.stdout is not None
    assert job.stdin is not None
    assert job.stdout.readline() == b"locked, please\n"
    lock = raw(workspace)
    lock.execute("BEGIN EXCLUSIVE")
    job.stdin.write(b"\n")
    job.stdin.close()
    assert job.wait(timeout=60) == -9
    job.stdout.close()
    lock.execute("ROLLBACK")
    assert [dead.id for dead in settle_dead_jobs(workspace)] == [run_id]
    with Reader(workspace) as reader:
        run, points = reader.run(run_id), reader.metrics(run_id, ["loss"])
        kinds = [event.kind for event in reader.events(run_id=run_id)]
    assert {point.step: point.value for point in points} == {step: 1.0 / step for step in range(1, 200)}
    assert (run.state, run.step, run.final_loss) == (State.INTERRUPTED, 199, 0.125)
    assert kinds.count("checkpoint") == 1
    assert raw(workspace).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("name", ["mute", "crash", "quick"])
def test_a_process_whose_row_could_not_name_it_is_found_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real, refusals = Writer.hand_over, [0]

    def refuse(*arguments: object) -> None:
        refusals[0] += 1
        if refusals[0] <= 3:
            raise StoreError("runs.db is locked by another program")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "hand_over", refuse)
    run_id = launch(workspace, name)
    work(workspace, idle_exit_seconds=3.0)
    assert refusals[0] > 3
    assert state(workspace, run_id) == (State.SUCCEEDED if name == "quick" else State.FAILED)


def test_a_worker_that_was_stopped_is_remembered_until_one_is_wanted_again(workspace: Workspace) -> None:
    assert ensure_worker(workspace, 30.0)
    assert not stop_is_noted(workspace)
    assert stop_worker(workspace, 30.0)
    assert stop_is_noted(workspace)
    assert ensure_worker(workspace, 30.0)
    wait_until(lambda: not stop_is_noted(workspace), "it is forgotten")
    stop_worker(workspace, 30.0)
    wait_until(lambda: not worker_status(workspace).running, "the worker has ended")


def test_settling_makes_no_database(tmp_path: Path) -> None:
    empty = Workspace(tmp_path)
    assert settle_dead_jobs(empty) == []
    assert not empty.database.exists()
