from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, raw, wait_until

from engine.errors import DataError, JobError, StoreError
from engine.jobs import heartbeat as heartbeat_module
from engine.jobs import session as session_module
from engine.jobs import worker as worker_module
from engine.jobs.heartbeat import Heartbeat
from engine.jobs.journal import FILE_NAME, Ending, lines_of
from engine.jobs.keeping import forget_stop, keep_worker, note_stop
from engine.jobs.lock import WorkerLock
from engine.jobs.phases import Phase
from engine.jobs.process import process_start
from engine.jobs.session import DEVICE_VARIABLE, JobSession, claim
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.telemetry import GpuSample, peak_rss_bytes, sample_gpu, sample_host
from engine.types import Action, JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(heartbeat_module, "POLL_SECONDS", 0.01)
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    return Workspace(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


def row(workspace: Workspace, run_id: int) -> RunRow:
    with Reader(workspace) as reader:
        return reader.run(run_id)


def history(workspace: Workspace, run_id: int) -> list[str]:
    with Reader(workspace) as reader:
        return [event.kind for event in reader.events(run_id=run_id)]


def heartbeat_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heartbeat-")]


def wait_for(session: JobSession, action: Action) -> None:
    wait_until(lambda: session.check() is action, f"the session sees {action}")


def test_a_job_owns_its_row_from_claim_to_success(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        running = row(workspace, run_id)
        assert (running.state, running.pid, running.host) == (State.RUNNING, os.getpid(), socket.gethostname())
        assert running.process_start == process_start(os.getpid())
        assert session.check() is None
        session.update(final_loss=0.5)
        session.event("backend", "transformers: no GPU")
    ended = row(workspace, run_id)
    assert (ended.state, ended.reason, ended.final_loss) == (State.SUCCEEDED, "done", 0.5)
    assert ended.peak_rss_bytes is not None
    assert ended.peak_rss_bytes > 2**20
    assert ended.ended_at is not None
    assert history(workspace, run_id) == ["queued", "starting", "running", "backend", "succeeded"]


def test_a_dispatched_job_keeps_the_device_that_the_worker_gave_it(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "dispatched", pid=1, device="cuda:1")
    with JobSession(workspace, TRAINING, run_id):
        running = row(workspace, run_id)
    assert (running.device, running.pid) == ("cuda:1", os.getpid())


def test_a_job_started_by_hand_takes_the_device_of_its_environment(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
    evaluation_id = add_evaluation(writer, None, Reference.BASE)
    with JobSession(workspace, EVALUATION, evaluation_id), Reader(workspace) as reader:
        assert reader.evaluation(evaluation_id).device == "cpu"
    with Reader(workspace) as reader:
        assert reader.evaluation(evaluation_id).state == State.SUCCEEDED


@pytest.mark.parametrize(
    "states", [(State.STARTING, State.RUNNING), (State.STARTING, State.FAILED), (State.CANCELLED,)]
)
def test_a_job_that_is_not_to_be_had_is_refused_and_left_alone(
    workspace: Workspace, writer: Writer, states: tuple[State, ...]
) -> None:
    run_id = add_run(writer)
    current = State.QUEUED
    for state in states:
        writer.transition(TRAINING, run_id, current, state, "elsewhere")
        current = state
    before, handler = row(workspace, run_id), signal.getsignal(signal.SIGTERM)
    with pytest.raises(JobError, match="cannot take it"), JobSession(workspace, TRAINING, run_id):
        raise AssertionError("the block must not run")
    assert row(workspace, run_id) == before
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_job_can_be_claimed_once(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    assert claim(writer, TRAINING, run_id)
    assert not claim(writer, TRAINING, run_id)


def test_an_error_for_the_user_is_stored_with_its_three_parts(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with pytest.raises(DataError), JobSession(workspace, TRAINING, run_id):
        raise DataError("The dataset is gone", "No such folder.", "Import it again.")
    failed = row(workspace, run_id)
    assert (failed.state, failed.reason) == (State.FAILED, "The dataset is gone")
    assert (failed.error_title, failed.error_detail, failed.error_next_step) == (
        "The dataset is gone",
        "No such folder.",
        f"Import it again. Then `sonotune resume {run_id}` tries again.",
    )


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "title", "advice"),
    [
        (ValueError("bad shape\nsecond line"), "ValueError: bad shape", "Read its log"),
        (OutOfMemoryError("CUDA out of memory"), "The GPU ran out of memory", "smaller micro-batch"),
        (AssertionError(), "AssertionError", "Read its log"),
        (SystemExit(3), "SystemExit: 3", "Read its log"),
    ],
)
def test_any_other_error_is_stored_with_its_traceback(
    workspace: Workspace, writer: Writer, error: BaseException, title: str, advice: str
) -> None:
    run_id = add_run(writer)
    with pytest.raises(type(error)), JobSession(workspace, TRAINING, run_id):
        raise error
    failed = row(workspace, run_id)
    assert (failed.state, failed.error_title) == (State.FAILED, title)
    assert "test_jobs_session.py" in (failed.error_detail or "")
    assert advice in (failed.error_next_step or "")


def test_a_keyboard_interrupt_leaves_a_run_that_can_be_resumed(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with pytest.raises(KeyboardInterrupt), JobSession(workspace, TRAINING, run_id):
        raise KeyboardInterrupt
    assert row(workspace, run_id).state == State.INTERRUPTED


@pytest.mark.parametrize(("action", "state"), [(Action.STOP, State.INTERRUPTED), (Action.CANCEL, State.CANCELLED)])
def test_a_request_reaches_the_job_and_decides_how_it_ends(
    workspace: Workspace, writer: Writer, action: Action, state: State
) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        writer.request(TRAINING, run_id, action)
        wait_for(session, action)
    assert row(workspace, run_id).state == state
    assert writer.pending_requests(TRAINING, run_id) == []


def test_cancel_goes_before_stop(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        writer.request(TRAINING, run_id, Action.STOP)
        wait_for(session, Action.STOP)
        writer.request(TRAINING, run_id, Action.CANCEL)
        wait_for(session, Action.CANCEL)
    assert row(workspace, run_id).state == State.CANCELLED


def test_a_cancel_that_comes_while_the_job_saves_for_a_stop_is_granted(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        writer.request(TRAINING, run_id, Action.CANCEL)
        session.finish(State.INTERRUPTED, "stopped after step 7; saved")
    assert row(workspace, run_id).state == State.CANCELLED


def test_a_sigterm_that_overtakes_its_cancel_request_is_no_stop(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat_module, "POLL_SECONDS", 600.0)
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session, Reader(workspace) as reader:
        wait_until(lambda: reader.samples(run_id=run_id), "the only poll is over")
        writer.request(TRAINING, run_id, Action.CANCEL)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until(session.check, "the session sees the signal")
        assert session.check() is Action.CANCEL


def test_a_request_that_the_job_never_saw_does_not_change_its_success(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id):
        writer.request(TRAINING, run_id, Action.STOP)
    assert row(workspace, run_id).state == State.SUCCEEDED
    with Reader(workspace) as reader:
        assert [asked.outcome for asked in reader.requests(run_id=run_id)] == ["the job ended: succeeded"]


def test_a_job_may_say_itself_how_it_ends(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        session.finish(State.INTERRUPTED, "stopped after step 7; saved")
    ended = row(workspace, run_id)
    assert (ended.state, ended.reason) == (State.INTERRUPTED, "stopped after step 7; saved")


def test_sigterm_is_a_request_to_stop(workspace: Workspace, writer: Writer) -> None:
    run_id, handler = add_run(writer), signal.getsignal(signal.SIGTERM)
    with JobSession(workspace, TRAINING, run_id) as session:
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(session, Action.STOP)
    assert row(workspace, run_id).state == State.INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_row_that_was_taken_away_is_never_written_again(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with (
        pytest.raises(JobError, match="no longer belongs"),
        JobSession(workspace, TRAINING, run_id) as session,
    ):
        writer.transition(TRAINING, run_id, State.RUNNING, State.INTERRUPTED, "found dead")
        wait_until(lambda: session.check() and False, "check raises", seconds=30.0)
    assert row(workspace, run_id).reason == "found dead"
    assert not heartbeat_threads()


def test_the_heartbeat_has_a_thread_of_its_own(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed", pid=os.getpid())
    raw(workspace).execute("UPDATE runs SET heartbeat = 1.0")
    with Heartbeat(workspace, TRAINING, run_id, beat_seconds=0.01, poll_seconds=0.01), Reader(workspace) as reader:
        wait_until(lambda: len(reader.samples(run_id=run_id)) >= 3, "three beats while the main thread waits")
        assert (reader.run(run_id).heartbeat or 0.0) > 1.0
        sample = reader.samples(run_id=run_id)[-1]
    assert sample.rss_bytes is not None
    assert 2**20 < sample.rss_bytes < (sample.ram_total_bytes or 0)
    assert sample.gpu_index is None


def test_the_heartbeat_keeps_the_peak_of_the_card(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter([5, 9, 7])
    last = GpuSample(1, 50.0, 7, 100, 300.0, 60.0)

    def sample(index: int) -> GpuSample:
        return GpuSample(index, 50.0, next(used, last.memory_used_bytes), 100, 300.0, 60.0)

    monkeypatch.setattr(heartbeat_module, "sample_gpu", sample)
    run_id = add_run(writer)
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "dispatched", device="cuda:1", pid=os.getpid())
    monkeypatch.setattr(heartbeat_module, "BEAT_SECONDS", 0.01)
    with JobSession(workspace, TRAINING, run_id), Reader(workspace) as reader:
        wait_until(lambda: len(reader.samples(run_id=run_id)) >= 4, "four beats")
        assert reader.samples(run_id=run_id)[-1].gpu_index == 1
    assert row(workspace, run_id).peak_vram_device_bytes == 9


def test_the_heartbeat_survives_a_database_that_is_locked_for_a_while(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = add_run(writer)
    writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "claimed", pid=os.getpid())
    real_open, refused = Writer.open, threading.Event()

    def open_later(target: Workspace, **options: Any) -> Writer:
        if not refused.is_set():
            refused.set()
            raise StoreError("runs.db is locked by another program")
        return real_open(target, **options)

    monkeypatch.setattr(heartbeat_module.Writer, "open", open_later)
    with Heartbeat(workspace, TRAINING, run_id, beat_seconds=0.01, poll_seconds=0.01), Reader(workspace) as reader:
        wait_until(lambda: reader.samples(run_id=run_id), "a beat after the refusal")
    assert "locked by another program" in caplog.text


def test_an_end_that_cannot_be_written_stands_in_the_log_and_in_the_journal(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:

        def refuse(*_: object, **__: object) -> bool:
            raise StoreError("The disk is full")

        monkeypatch.setattr(session.writer, "transition", refuse)
    found = row(workspace, run_id)
    assert found.state == State.RUNNING
    assert "ended as succeeded, which runs.db could not be told: The disk is full" in caplog.text
    last = lines_of(workspace.root / found.directory / FILE_NAME, found.pid, found.process_start)[-1]
    assert isinstance(last, Ending)
    assert (last.state, last.reason) == (State.SUCCEEDED, "done")
    assert not heartbeat_threads()


def test_sigterm_ends_a_job_that_still_loads_where_it_stands(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with pytest.raises(SystemExit) as ended, JobSession(workspace, TRAINING, run_id) as session:
        session.update(phase=Phase.LOADING)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(30.0)
        raise AssertionError("the wait was not cut short")
    assert ended.value.code == 0
    found = row(workspace, run_id)
    assert (found.state, found.reason) == (State.INTERRUPTED, "stopped on request before its first step")
    assert found.error_title is None


def test_sigterm_that_came_before_the_loading_ends_it_at_once(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with pytest.raises(SystemExit), JobSession(workspace, TRAINING, run_id) as session:
        os.kill(os.getpid(), signal.SIGTERM)
        session.update(phase=Phase.LOADING)
        raise AssertionError("it went on loading")
    assert row(workspace, run_id).state == State.INTERRUPTED


def test_sigterm_cuts_no_step_and_no_save_short(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id) as session:
        for phase in (Phase.LOADING, Phase.TRAINING, Phase.SAVING):
            session.update(phase=phase)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(0.1)
        session.update(phase=Phase.TRAINING)
        assert session.check() is Action.STOP
        session.finish(State.INTERRUPTED, "stopped after step 7; saved")
    assert row(workspace, run_id).reason == "stopped after step 7; saved"


def test_the_end_of_a_terminal_touches_no_job(workspace: Workspace, writer: Writer) -> None:
    run_id, handler = add_run(writer), signal.getsignal(signal.SIGHUP)
    with JobSession(workspace, TRAINING, run_id) as session:
        os.kill(os.getpid(), signal.SIGHUP)
        threading.Event().wait(0.1)
        assert session.check() is None
    assert row(workspace, run_id).state == State.SUCCEEDED
    assert signal.getsignal(signal.SIGHUP) is handler


def test_a_job_starts_a_worker_where_there_is_none(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(worker_module, "ensure_worker", lambda where: started.append(where.root) or True)
    run_id = add_run(writer)
    with JobSession(workspace, TRAINING, run_id, keep_worker=True):
        wait_until(lambda: started, "a worker is started")
    assert set(started) == {workspace.root}  # looked for again at the end


def test_no_worker_is_started_where_one_is_or_where_the_user_has_stopped_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ensure_worker", lambda where: True)
    lock = WorkerLock(workspace.worker_lock)
    assert lock.acquire()
    assert not keep_worker(workspace)
    lock.release()
    assert keep_worker(workspace)
    note_stop(workspace)
    assert not keep_worker(workspace)
    forget_stop(workspace)
    assert keep_worker(workspace)


def test_telemetry_reads_this_machine() -> None:
    host = sample_host()
    assert 0.0 <= host.cpu_percent <= 100.0
    assert 0 < host.rss_bytes < host.ram_total_bytes
    assert 0 < host.ram_used_bytes <= host.ram_total_bytes
    assert host.rss_bytes <= peak_rss_bytes() * 1.05
    assert sample_gpu(4096) is None


def test_the_signal_handler_is_left_alone_in_other_threads(workspace: Workspace, writer: Writer) -> None:
    run_id = add_run(writer)
    ended: list[State] = []

    def work() -> None:
        with JobSession(workspace, TRAINING, run_id):
            pass
        ended.append(row(workspace, run_id).state)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [State.SUCCEEDED]
    assert session_module.DEVICE_VARIABLE not in os.environ
