from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from store_helpers import Clock, add_run, raw

from engine.jobs import journal_lines, reconcile, silence
from engine.jobs.journal import FILE_NAME, Attempt, Journal, boot_id
from engine.jobs.process import process_start
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.silence import CONFIRM_SECONDS, SILENT_SECONDS, Silences
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

TRAINING = JobKind.TRAINING


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def running(workspace: Workspace, host: str | None = None) -> int:
    """A run that this process seems to carry out."""
    with Writer.open(workspace) as writer:
        run_id = add_run(writer)
        more = {} if host is None else {"host": host}
        start = process_start(os.getpid())
        writer.transition(
            TRAINING, run_id, State.QUEUED, State.STARTING, "x", pid=os.getpid(), process_start=start, **more
        )
        writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "x")
    return run_id


def state(workspace: Workspace, run_id: int) -> State:
    with Reader(workspace) as reader:
        return reader.run(run_id).state


def begin(workspace: Workspace, run_id: int, attempt: Attempt) -> Path:
    with Reader(workspace) as reader:
        folder = workspace.root / reader.run(run_id).directory
    journal = Journal(folder)
    journal.append(attempt)
    journal.close()
    return folder / FILE_NAME


def test_a_process_of_an_earlier_boot_is_dead_though_pid_and_start_are_the_same(workspace: Workspace) -> None:
    run_id = running(workspace)
    begin(workspace, run_id, Attempt(os.getpid(), process_start(os.getpid()), "another boot"))
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    assert state(workspace, run_id) == State.INTERRUPTED


@pytest.mark.parametrize("boot", [boot_id(), ""])
def test_a_process_of_this_boot_lives(workspace: Workspace, boot: str) -> None:
    run_id = running(workspace)
    begin(workspace, run_id, Attempt(os.getpid(), process_start(os.getpid()), boot))
    assert settle_dead_jobs(workspace) == []
    assert state(workspace, run_id) == State.RUNNING


def test_a_process_that_has_not_begun_its_journal_lives(workspace: Workspace) -> None:
    run_id = running(workspace)
    begin(workspace, run_id, Attempt(1, 0.5, "another boot"))
    assert settle_dead_jobs(workspace) == []


def claimed_by_a_dead_worker(workspace: Workspace) -> int:
    """A run that a worker has claimed, and that waits behind another one by its time of queueing."""
    with Writer.open(workspace) as writer:
        run_id = add_run(writer)
        gone = {"pid": 2**22 + 1, "process_start": 1.0, "started_at": None}
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "dispatched", queued_at=5.0, **gone)
    return run_id


def test_a_job_whose_worker_died_before_it_was_started_waits_at_its_place_again(workspace: Workspace) -> None:
    run_id = claimed_by_a_dead_worker(workspace)
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    with Reader(workspace) as reader:
        row = reader.run(run_id)
        (job,) = reader.jobs((State.QUEUED,))
    assert (row.state, row.pid, row.error_title) == (State.QUEUED, None, None)
    assert (job.queued_at, job.queue_rank) == (5.0, 5.0)


def test_a_job_that_was_started_and_died_before_it_said_a_word_does_not_wait_again(workspace: Workspace) -> None:
    run_id = claimed_by_a_dead_worker(workspace)
    with Writer.open(workspace) as writer:
        writer.hand_over(TRAINING, run_id, 2**22 + 1, 2**22 + 2, 1.0)
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    assert state(workspace, run_id) == State.INTERRUPTED


def test_a_job_that_shall_be_cancelled_does_not_wait_again(workspace: Workspace) -> None:
    run_id = claimed_by_a_dead_worker(workspace)
    with Writer.open(workspace) as writer:
        writer.request(TRAINING, run_id, Action.CANCEL)
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    assert state(workspace, run_id) == State.CANCELLED


def test_a_journal_is_looked_into_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, looks = running(workspace), []
    begin(workspace, run_id, Attempt.of_this_process())
    real = reconcile.attempts
    monkeypatch.setattr(reconcile, "attempts", lambda path: looks.append(path) or real(path))
    for _ in range(3):
        assert settle_dead_jobs(workspace) == []
    assert len(looks) == 1


def test_silence_counts_where_it_was_watched() -> None:
    clock = Clock()
    silences = Silences(clock)
    assert not silences.is_dead("job", 0.0, 0.0, now=SILENT_SECONDS + 1)
    assert silences.is_doubtful("job", 0.0, 0.0, now=SILENT_SECONDS + 1)
    clock.now += CONFIRM_SECONDS
    assert silences.is_dead("job", 0.0, 0.0, now=SILENT_SECONDS + 1)


def test_a_clock_that_jumps_ahead_kills_no_job_that_beats() -> None:
    clock, wall = Clock(), 50_000.0
    silences = Silences(clock)
    for _ in range(20):
        assert not silences.is_dead("job", wall, wall, now=wall)
        clock.now, wall = clock.now + 2.0, wall + 2.0
    jumped = wall + 7200.0  # the job's last beat is two hours ago, says the clock
    assert not silences.is_dead("job", wall, wall, now=jumped)
    clock.now += 2.0
    assert not silences.is_dead("job", jumped + 2.0, wall, now=jumped + 2.0)


def test_a_heartbeat_in_the_future_keeps_no_dead_job_alive() -> None:
    clock = Clock()
    silences = Silences(clock)
    assert not silences.is_dead("job", 90_000.0, 0.0, now=1000.0)
    clock.now += SILENT_SECONDS
    assert silences.is_dead("job", 90_000.0, 0.0, now=1000.0 + SILENT_SECONDS)


def test_a_job_elsewhere_that_beats_is_left_alone(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = running(workspace, host="elsewhere.example")
    raw(workspace).execute("UPDATE runs SET heartbeat = heartbeat - 3600")
    monkeypatch.setattr(silence, "CONFIRM_SECONDS", 0.1)
    real = silence.time.sleep

    def beat(seconds: float) -> None:
        real(seconds)
        raw(workspace).execute("UPDATE runs SET heartbeat = heartbeat + 2")

    monkeypatch.setattr(reconcile.time, "sleep", beat)
    assert settle_dead_jobs(workspace) == []
    assert state(workspace, run_id) == State.RUNNING


def test_a_journal_never_says_who_a_job_is(workspace: Workspace) -> None:
    run_id = running(workspace)
    gone = Attempt(2**22 + 1, 5.0, "")
    raw(workspace).execute("UPDATE runs SET pid = ?, process_start = 5.0", (gone.pid,))
    path = begin(workspace, run_id, gone)
    lines = [
        {"c": {"name": "other", "recipe": "{}", "pid": 1, "final_loss": 0.5, "no_column": 1}},
        {"m": {"loss": "high"}, "s": 1, "t": 1.0},
        {"e": "checkpoint", "d": "step 1", "t": None},
        {"end": "running", "reason": "x", "c": {}},
        ["no", "line"],
    ]
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.write('not json\n{"end": "failed", "reason": "broken", "c": {"name": "x", "error_title": "broken"}}\n')
    assert settle_dead_jobs(workspace)
    with Reader(workspace) as reader:
        found = reader.run(run_id)
        assert reader.metric_keys(run_id) == []
    assert (found.name, found.recipe, found.pid, found.final_loss) == ("baseline", '{"name": "x"}', gone.pid, 0.5)
    assert (found.state, found.reason, found.error_title) == (State.FAILED, "broken", "broken")


def test_a_journal_of_a_later_format_is_left_alone(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = running(workspace)
    gone = Attempt(2**22 + 1, 5.0, "")
    raw(workspace).execute("UPDATE runs SET pid = ?, process_start = 5.0", (gone.pid,))
    monkeypatch.setattr(journal_lines, "FORMAT", 2)
    path = begin(workspace, run_id, gone)
    monkeypatch.setattr(journal_lines, "FORMAT", 1)
    with path.open("a") as file:
        file.write('{"end": "succeeded", "reason": "done", "c": {}}\n')
    assert settle_dead_jobs(workspace)
    assert state(workspace, run_id) == State.INTERRUPTED
