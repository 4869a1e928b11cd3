from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, prediction, raw, wait_until

from engine.errors import StoreError
from engine.jobs import catching_up as catching_up_module
from engine.jobs import claiming as claiming_module
from engine.jobs import heartbeat as heartbeat_module
from engine.jobs import outage as outage_module
from engine.jobs import recording as recording_module
from engine.jobs import session as session_module
from engine.jobs.database_file import DatabaseFile, Place, put_back
from engine.jobs.heartbeat import Heartbeat
from engine.jobs.journal import FILE_NAME, Attempt, Ending, lines_of
from engine.jobs.process import process_start
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.recording import Recording
from engine.jobs.session import JobSession
from engine.store.migrations import LATEST
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(catching_up_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(recording_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(recording_module, "DIRECT_BUSY_SECONDS", 0.02)
    monkeypatch.setattr(catching_up_module, "CATCH_UP_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(outage_module, "TELL_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(heartbeat_module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(heartbeat_module, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(session_module, "END_PATIENCE_SECONDS", 20.0)
    return Workspace(tmp_path)


@pytest.fixture
def run_id(workspace: Workspace) -> int:
    with Writer.open(workspace) as writer:
        return add_run(writer)


@pytest.fixture
def session(workspace: Workspace, run_id: int) -> Iterator[JobSession]:
    with JobSession(workspace, TRAINING, run_id) as entered:
        yield entered


def row(workspace: Workspace, run_id: int) -> RunRow:
    with Reader(workspace) as reader:
        return reader.run(run_id)


def losses(workspace: Workspace, run_id: int) -> dict[int, float]:
    with Reader(workspace) as reader:
        return {point.step: point.value for point in reader.metrics(run_id, ["loss"])}


def events(workspace: Workspace, run_id: int, kind: str) -> list[str]:
    with Reader(workspace) as reader:
        return [event.detail for event in reader.events(run_id=run_id) if event.kind == kind]


def journal(workspace: Workspace, run_id: int) -> Path:
    return workspace.root / row(workspace, run_id).directory / FILE_NAME


def wrote(recording: Recording, first: int, count: int) -> dict[int, float]:
    """Record so many steps; what must be found afterwards."""
    steps = range(first, first + count)
    for step in steps:
        recording.metrics(step, {"loss": 1.0 / step, "learning_rate": 0.1})
    return {step: 1.0 / step for step in steps}


def caught_up(recording: Recording) -> None:
    assert recording.drain(20.0)
    assert recording.behind == 0


def die(workspace: Workspace, run_id: int) -> None:
    """Let the row look as after the death of its process; the journal names that process too."""
    path, gone = journal(workspace, run_id), 2**22 + 1
    text = path.read_text().replace(f'{{"attempt":{os.getpid()},', f'{{"attempt":{gone},')
    path.write_text(text)
    raw(workspace).execute("UPDATE runs SET pid = ? WHERE id = ?", (gone, run_id))


def test_an_entry_is_in_the_database_when_its_method_returns(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    expected = wrote(session.recording, 1, 5)
    session.recording.update(final_loss=0.25)
    session.recording.event("checkpoint", "step 5")
    found = row(workspace, run_id)
    assert losses(workspace, run_id) == expected
    assert (found.step, found.final_loss) == (5, 0.25)
    assert events(workspace, run_id, "checkpoint") == ["step 5"]
    assert session.recording.behind == 0


def test_the_journal_is_the_owners_alone_and_begins_with_the_attempt(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    wrote(session.recording, 1, 2)
    path = journal(workspace, run_id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith(f'{{"attempt":{os.getpid()},')
    assert len(lines_of(path, os.getpid(), process_start(os.getpid()))) == 2


def test_a_locked_database_holds_up_no_step_and_loses_none(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    expected = wrote(session.recording, 1, 3)
    lock = raw(workspace)
    lock.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    expected |= wrote(session.recording, 4, 200)
    session.recording.event("checkpoint", "step 203")
    assert time.monotonic() - started < 5.0
    assert losses(workspace, run_id) == {step: 1.0 / step for step in (1, 2, 3)}
    wait_until(lambda: session.recording._outage.told, "it lasts long enough to be told")
    lock.execute("ROLLBACK")
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected
    assert row(workspace, run_id).step == 203
    told = events(workspace, run_id, "database")
    assert len(told) == 2
    assert "is locked by another program: what is measured is kept in journal.jsonl" in told[0]
    assert "written again" in told[1]
    assert "entries had been kept meanwhile" in told[1]
    expected |= wrote(session.recording, 300, 1)
    assert losses(workspace, run_id) == expected


def test_a_short_lock_is_no_event(workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "TELL_SECONDS", 60.0)
    with JobSession(workspace, TRAINING, run_id) as session:
        lock = raw(workspace)
        lock.execute("BEGIN EXCLUSIVE")
        expected = wrote(session.recording, 1, 2)
        lock.execute("ROLLBACK")
        caught_up(session.recording)
    assert losses(workspace, run_id) == expected
    assert events(workspace, run_id, "database") == []


def test_a_full_database_loses_nothing(workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = Writer.open, threading.Event()

    def limited(*arguments: Any, **options: Any) -> Writer:
        writer = real(*arguments, **options)
        if full.is_set():
            pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
            writer._connection.execute(f"PRAGMA max_page_count = {pages}")
        return writer

    monkeypatch.setattr(Writer, "open", limited)
    full.set()
    with JobSession(workspace, TRAINING, run_id) as session:
        expected = wrote(session.recording, 1, 2000)
        wait_until(lambda: session.recording._outage.told, "the database is full")
        assert session.recording.trouble == "The disk is full"
        assert len(losses(workspace, run_id)) < len(expected)
        full.clear()
        caught_up(session.recording)
    assert losses(workspace, run_id) == expected
    assert row(workspace, run_id).state == State.SUCCEEDED


def test_ten_thousand_entries_go_in_fast(workspace: Workspace, session: JobSession, run_id: int) -> None:
    lock = raw(workspace)
    lock.execute("BEGIN EXCLUSIVE")
    expected = wrote(session.recording, 1, 10_000)
    lock.execute("ROLLBACK")
    started = time.monotonic()
    caught_up(session.recording)
    assert time.monotonic() - started < 10.0
    assert losses(workspace, run_id) == expected


def test_a_damaged_database_is_left_alone_and_caught_up_with_once_it_is_well(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    expected = wrote(session.recording, 1, 3)
    raw(workspace).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with workspace.database.open("r+b") as file:
        header = file.read(100)
        file.seek(0)
        file.write(b"garbage!" * 12 + b"....")
    expected |= wrote(session.recording, 4, 20)
    wait_until(lambda: session.recording.behind, "the entries are kept")
    with workspace.database.open("r+b") as file:
        file.write(header)
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected
    assert raw(workspace).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_deleted_database_is_put_back_with_all_its_rows(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    expected = wrote(session.recording, 1, 50)
    workspace.database.unlink()
    expected |= wrote(session.recording, 51, 50)
    wait_until(workspace.database.exists, "it is put back")
    expected |= wrote(session.recording, 101, 5)
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected
    assert workspace.database.stat().st_mode & 0o777 == 0o600
    assert raw(workspace).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert raw(workspace).execute("PRAGMA user_version").fetchone() == (LATEST,)
    wait_until(lambda: any("put back" in text for text in events(workspace, run_id, "database")), "it is told")
    assert not [path.name for path in workspace.root.iterdir() if path.name.endswith(".restored")]
    beaten = row(workspace, run_id).heartbeat or 0.0
    wait_until(lambda: (row(workspace, run_id).heartbeat or 0.0) > beaten, "it beats in the new file")
    assert session.check() is None


def test_a_database_deleted_in_the_first_moment_is_put_back(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Heartbeat._run
    monkeypatch.setattr(Heartbeat, "_run", lambda self: time.sleep(0.2) or real(self))
    with JobSession(workspace, TRAINING, run_id) as session:
        workspace.database.unlink()
        expected = wrote(session.recording, 1, 5)
        wait_until(workspace.database.exists, "it is put back")
        caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_a_database_deleted_with_its_log_files_is_put_back_too(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    expected = wrote(session.recording, 1, 50)
    for path in workspace.root.glob("runs.db*"):
        path.unlink()
    wait_until(workspace.database.exists, "it is put back")
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_a_database_of_others_that_comes_to_the_place_is_not_touched(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "END_PATIENCE_SECONDS", 0.3)
    aside = workspace.root / "aside.db"
    with JobSession(workspace, TRAINING, run_id) as session:
        expected = wrote(session.recording, 1, 3)
        workspace.database.rename(aside)
        for ending in ("-wal", "-shm"):
            workspace.database.with_name("runs.db" + ending).rename(aside.with_name(aside.name + ending))
        with Writer.open(workspace) as other:
            add_run(other, "somebody else's")
        expected |= wrote(session.recording, 4, 3)
        wait_until(lambda: "Another runs.db" in session.recording.trouble, "it is noticed")
        assert session.check() is None
        path = workspace.root / "outputs" / f"{run_id:05d}-baseline" / FILE_NAME
        kept = lines_of(path, os.getpid(), process_start(os.getpid()))
    assert losses(workspace, run_id) == {}
    assert row(workspace, run_id).state == State.QUEUED
    assert {entry.step for entry in kept if hasattr(entry, "step")} == set(expected)
    # The user brings the first one back: what was measured, and how it ended, stands in the journal.
    for ending in ("", "-wal", "-shm"):
        workspace.database.with_name("runs.db" + ending).unlink(missing_ok=True)
        if (there := aside.with_name(aside.name + ending)).exists():
            there.rename(workspace.database.with_name("runs.db" + ending))
    die(workspace, run_id)
    settle_dead_jobs(workspace)
    assert losses(workspace, run_id) == expected
    assert row(workspace, run_id).state == State.SUCCEEDED


def test_a_copy_that_replaces_the_database_gets_the_whole_attempt(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    wrote(session.recording, 1, 2)
    copy = workspace.root / "copy.db"
    raw(workspace).execute("VACUUM INTO ?", (str(copy),))
    expected = wrote(session.recording, 1, 10)
    for ending in ("-wal", "-shm"):
        workspace.database.with_name("runs.db" + ending).unlink(missing_ok=True)
    copy.rename(workspace.database)
    expected |= wrote(session.recording, 11, 2)
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_a_database_of_a_newer_version_is_not_written(
    workspace: Workspace, session: JobSession, run_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    expected = wrote(session.recording, 1, 2)
    raw(workspace).execute(f"PRAGMA user_version = {LATEST + 1}")
    expected |= wrote(session.recording, 3, 4)
    assert session.recording.behind >= 4
    assert "newer sonotune" in session.recording.trouble
    points = raw(workspace).execute("SELECT COUNT(*) FROM metrics WHERE key = 'loss'").fetchone()[0]
    assert points == 2
    wait_until(lambda: "heartbeat: " in caplog.text, "the heartbeat has noticed it too")
    beaten = raw(workspace).execute("SELECT heartbeat FROM runs").fetchone()
    time.sleep(0.3)
    assert raw(workspace).execute("SELECT heartbeat FROM runs").fetchone() == beaten
    raw(workspace).execute(f"PRAGMA user_version = {LATEST}")
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_what_the_database_refuses_for_good_is_the_callers_fault(session: JobSession) -> None:
    with pytest.raises(StoreError, match="no column"):
        session.recording.update(colour="red")
    with pytest.raises(StoreError, match="refused"):
        session.recording.update(versions=None)
    assert session.recording.behind == 0


def test_an_entry_that_can_never_go_in_holds_up_no_other(
    workspace: Workspace, session: JobSession, run_id: int
) -> None:
    lock = raw(workspace)
    lock.execute("BEGIN EXCLUSIVE")
    expected = wrote(session.recording, 1, 2)
    session.recording.update(versions=None)
    expected |= wrote(session.recording, 3, 2)
    lock.execute("ROLLBACK")
    caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_other_threads_may_record(workspace: Workspace, session: JobSession, run_id: int) -> None:
    thread = threading.Thread(target=session.recording.event, args=("low disk", "3 GB left"))
    thread.start()
    thread.join()
    caught_up(session.recording)
    assert events(workspace, run_id, "low disk") == ["3 GB left"]


def test_a_row_that_was_settled_by_others_gets_nothing_more(workspace: Workspace, run_id: int) -> None:
    with JobSession(workspace, TRAINING, run_id) as session:
        expected = wrote(session.recording, 1, 1)
        with Writer.open(workspace) as writer:
            writer.transition(TRAINING, run_id, State.RUNNING, State.INTERRUPTED, "found dead")
        wrote(session.recording, 2, 3)
        assert session.recording.lost
    assert losses(workspace, run_id) == expected
    assert row(workspace, run_id).reason == "found dead"


def test_a_damaged_database_that_reads_as_if_the_row_were_gone_ends_no_job(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = threading.Event()
    real = Writer._belongs
    monkeypatch.setattr(Writer, "_belongs", lambda *given: not damaged.is_set() and real(*given))
    with JobSession(workspace, TRAINING, run_id) as session:
        expected = wrote(session.recording, 1, 1)
        with raw(workspace) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'settings'").fetchone()
        connection.close()
        with workspace.database.open("r+b") as file:
            file.seek((root - 1) * 4096)
            whole = file.read(4096)
            file.seek((root - 1) * 4096)
            file.write(b"\x77" * 4096)
        damaged.set()
        expected |= wrote(session.recording, 2, 3)
        wait_until(lambda: "damaged" in session.recording.trouble, "the trouble is seen")
        assert session.check() is None and not session.recording.lost
        with workspace.database.open("r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(whole)
        damaged.clear()
        caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def test_a_row_that_is_gone_ends_no_job(workspace: Workspace, run_id: int) -> None:
    with JobSession(workspace, TRAINING, run_id) as session:
        expected = wrote(session.recording, 1, 1)
        wait_until(lambda: row(workspace, run_id).heartbeat, "it has beaten")
        moved(workspace, run_id, 99)
        expected |= wrote(session.recording, 2, 3)
        wait_until(lambda: "damaged" in session.recording.trouble, "the trouble is seen")
        time.sleep(0.1)  # some beats
        assert session.check() is None and not session.recording.lost
        moved(workspace, 99, run_id)
        caught_up(session.recording)
    assert losses(workspace, run_id) == expected


def moved(workspace: Workspace, before: int, after: int) -> None:
    """Give a run another id, in one statement."""
    with raw(workspace) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE runs SET id = ? WHERE id = ?", (after, before))
    connection.close()


def test_predictions_of_an_evaluation(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        number = add_evaluation(writer, None, Reference.BASE)
    said = [prediction(f"{case}.png", correct=None, p_abnormal=None) for case in range(3)]
    with JobSession(workspace, EVALUATION, number) as session:
        session.recording.predictions(said[:1])
        lock = raw(workspace)
        lock.execute("BEGIN EXCLUSIVE")
        session.recording.predictions(said[1:])
        path = workspace.root / "outputs" / "evaluations" / str(number) / FILE_NAME
        [first, second] = lines_of(path, os.getpid(), process_start(os.getpid()))
        lock.execute("ROLLBACK")
        caught_up(session.recording)
        with Reader(workspace) as reader:
            assert sorted(reader.predictions(number), key=lambda each: each.path) == said
    assert [*first.predictions, *second.predictions] == said  # type: ignore[union-attr]
    assert not path.exists()


def test_patience_waits_for_the_lock_to_end(workspace: Workspace, session: JobSession) -> None:
    lock = sqlite3.connect(workspace.database, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, lock.execute, ("ROLLBACK",))
    release.start()
    assert session.patiently(lambda writer: writer.add_event(TRAINING, session.job_id, "mark", "x")) > 0
    release.join()


def test_the_end_of_a_job_waits_for_a_locked_database(workspace: Workspace, run_id: int) -> None:
    lock = sqlite3.connect(workspace.database, isolation_level=None, check_same_thread=False)
    release = threading.Timer(0.7, lock.execute, ("ROLLBACK",))
    with JobSession(workspace, TRAINING, run_id) as session:
        lock.execute("BEGIN EXCLUSIVE")
        expected = wrote(session.recording, 1, 3)
        release.start()
    release.join()
    assert row(workspace, run_id).state == State.SUCCEEDED
    assert losses(workspace, run_id) == expected


def test_the_end_that_the_database_could_not_be_told_is_taken_from_the_journal(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "END_PATIENCE_SECONDS", 0.2)
    lock = raw(workspace)
    with JobSession(workspace, TRAINING, run_id) as session:
        lock.execute("BEGIN EXCLUSIVE")
        expected = wrote(session.recording, 1, 3)
        session.finish(State.INTERRUPTED, "stopped after step 3; saved")
    lock.execute("ROLLBACK")
    assert row(workspace, run_id).state == State.RUNNING
    die(workspace, run_id)
    assert [job.id for job in settle_dead_jobs(workspace)] == [run_id]
    ended = row(workspace, run_id)
    assert (ended.state, ended.reason, ended.error_title) == (State.INTERRUPTED, "stopped after step 3; saved", None)
    assert (ended.peak_rss_bytes or 0) > 2**20
    assert losses(workspace, run_id) == expected


def test_a_killed_job_has_what_its_journal_holds(workspace: Workspace, run_id: int) -> None:
    folder = workspace.root / row(workspace, run_id).directory
    gone = Attempt(2**22 + 1, 5.0, "")
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "x", pid=gone.pid, process_start=5.0)
        writer.transition(TRAINING, run_id, State.STARTING, State.RUNNING, "x")
    recording = Recording(workspace, TRAINING, run_id, folder, gone)
    recording.begin(gone)
    lock = raw(workspace)
    expected = wrote(recording, 1, 2)
    lock.execute("BEGIN EXCLUSIVE")
    expected |= wrote(recording, 3, 5)
    recording.event("checkpoint", "step 7")
    recording.close()
    lock.execute("ROLLBACK")
    with (folder / FILE_NAME).open("a") as file:
        file.write('{"m":{"loss":0.5},"s":8,"t":17')  # torn: the process died in the middle of it
    before = {point.id for point in Reader(workspace).metrics(run_id, ["loss"])}
    assert settle_dead_jobs(workspace)
    assert losses(workspace, run_id) == expected
    found = row(workspace, run_id)
    assert (found.state, found.step) == (State.INTERRUPTED, 7)
    assert events(workspace, run_id, "checkpoint") == ["step 7"]
    # What was there already has kept its id: who follows the curve gets nothing twice.
    assert before <= {point.id for point in Reader(workspace).metrics(run_id, ["loss"])}


def test_a_journal_of_another_attempt_says_nothing_of_this_one(workspace: Workspace, run_id: int) -> None:
    folder = workspace.root / row(workspace, run_id).directory
    earlier = Attempt(77, 1.0, "")
    recording = Recording(workspace, TRAINING, run_id, folder, None)
    recording.begin(earlier)
    recording.end(Ending(State.SUCCEEDED, "done", {}))
    recording.close()
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "x", pid=2**22 + 1, process_start=5.0)
    assert settle_dead_jobs(workspace)
    assert row(workspace, run_id).state == State.INTERRUPTED


def test_a_job_that_cannot_begin_says_why_in_its_journal(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_module, "CLAIM_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(claiming_module, "RETRY_SECONDS", 0.02)
    lock = raw(workspace)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"), JobSession(workspace, TRAINING, run_id):
        raise AssertionError("the block must not run")
    lock.execute("ROLLBACK")
    assert row(workspace, run_id).state == State.QUEUED
    with Writer.open(workspace) as writer:
        start = process_start(os.getpid())
        writer.transition(TRAINING, run_id, State.QUEUED, State.STARTING, "x", pid=os.getpid(), process_start=start)
    die(workspace, run_id)
    settle_dead_jobs(workspace)
    assert (row(workspace, run_id).state, row(workspace, run_id).reason) == (
        State.FAILED,
        "runs.db is locked by another program",
    )


def test_a_job_waits_with_its_claim_for_a_locked_database(
    workspace: Workspace, run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_module, "RETRY_SECONDS", 0.02)
    lock = sqlite3.connect(workspace.database, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, lock.execute, ("ROLLBACK",))
    release.start()
    with JobSession(workspace, TRAINING, run_id):
        assert row(workspace, run_id).state == State.RUNNING
    release.join()


def test_a_heartbeat_makes_no_database(workspace: Workspace, run_id: int) -> None:
    workspace.database.rename(workspace.root / "aside.db")
    with Heartbeat(workspace, TRAINING, run_id, beat_seconds=0.01, poll_seconds=0.01):
        time.sleep(0.2)
    assert not workspace.database.exists()


def test_where_the_file_is(workspace: Workspace, run_id: int) -> None:
    file = DatabaseFile(workspace)
    assert file.place() is Place.SAME
    aside = workspace.root / "aside.db"
    workspace.database.rename(aside)
    assert file.place() is Place.MOVED
    workspace.database.touch()
    assert file.place() is Place.OTHER
    workspace.database.unlink()
    aside.unlink()
    assert file.place() is Place.DELETED
    file.close()


def test_two_that_put_it_back_do_not_overwrite_each_other(workspace: Workspace, run_id: int) -> None:
    with Writer.open(workspace) as first, Writer.open(workspace) as second:
        workspace.database.unlink()
        assert put_back(workspace, first)
        with Writer.open(workspace) as new:
            later = add_run(new, "later")
        assert not put_back(workspace, second)
    assert row(workspace, later).name == "later"
    assert row(workspace, run_id).name == "baseline"
