"""The queue as screens see it, and jobs that have gone silent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker, succeed
from store_helpers import Clock, add_evaluation, add_run, prediction

from engine import api
from engine.jobs import devices as devices_module
from engine.jobs.devices import Device, known_devices
from engine.jobs.heartbeat import BEAT_SECONDS
from engine.jobs.liveness import LOST_AFTER_SECONDS, is_lost, shown_state
from engine.jobs.process import process_start
from engine.jobs.worker import WorkerStatus
from engine.store.connection import BUSY_SECONDS
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import ACTIVE, ENDED, JobKind, Reference, Split, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
CARDS = (Device("cuda:0", "a card", 1, "GPU-0"), Device("cuda:1", "a card", 1, "GPU-1"))
NOBODY = WorkerStatus(False, None)
ALIVE = {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid())}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(tmp_path: Path, clock: Clock) -> Iterator[Writer]:
    with Writer.open(Workspace(tmp_path), clock=clock) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, tmp_path: Path) -> Iterator[Reader]:
    with Reader(Workspace(tmp_path)) as opened:
        yield opened


def move(writer: Writer, kind: JobKind, job_id: int, *states: State, **columns: Any) -> None:
    for before, after in pairwise((State.QUEUED, *states)):
        assert writer.transition(kind, job_id, before, after, "test", **columns)


def view(reader: Reader, now: float = 1000.0, cards: tuple[Device, ...] = CARDS) -> api.QueueView:
    return api.queue_view_from(reader, cards, NOBODY, now=now)


def test_queued_jobs_stand_in_their_order_with_what_keeps_them(writer: Writer, reader: Reader) -> None:
    first = add_run(writer, "first", planned_steps=7)
    waiting = add_evaluation(writer, first, split=Split.VALIDATION, after_run=True)
    reference = add_evaluation(writer, None, Reference.BASE)
    urgent = add_run(writer, "urgent", priority=3)
    items = view(reader).queued
    assert [(item.position, item.kind, item.id) for item in items] == [
        (1, TRAINING, urgent), (2, TRAINING, first), (3, EVALUATION, waiting), (4, EVALUATION, reference)
    ]  # fmt: skip
    assert [item.blocked for item in items] == ["", "", f"waits for run {first} (queued)", ""]
    run, of_run, of_base = items[1:]
    assert (run.name, run.question, run.split, run.run_id, run.planned_steps) == ("first", None, None, first, 7)
    assert (of_run.name, of_run.question, of_run.split, of_run.run_id) == ("first", "Q7", "validation", first)
    assert (of_base.name, of_base.reference, of_base.run_id) == ("untuned assets/base-model", "base", None)
    assert {item.dataset for item in items} == {"phantoms"}
    assert {item.model for item in items} == {"assets/base-model"}
    assert {item.priority for item in items} == {0, 3}
    assert all(item.state == State.QUEUED and item.queued_at == 1000.0 for item in items)


def test_every_device_has_its_job_and_its_progress(writer: Writer, reader: Reader) -> None:
    run_id, measured = add_run(writer, "at work", planned_steps=40), add_evaluation(writer, None, Reference.BASE)
    move(writer, TRAINING, run_id, State.STARTING, State.RUNNING, device="cuda:1", **ALIVE)
    move(writer, EVALUATION, measured, State.STARTING, State.RUNNING, device="cuda:0", n=12, **ALIVE)
    writer.add_metrics(run_id, 8, {"loss": 0.25})
    writer.add_predictions(measured, [prediction("a.png"), prediction("b.png")])
    zero, one = view(reader).devices
    assert (zero.device, one.device) == ("cuda:0", "cuda:1")
    assert one.running is not None
    assert zero.running is not None
    assert (one.running.id, one.running.step, one.running.planned_steps, one.running.loss) == (run_id, 8, 40, 0.25)
    assert (zero.running.id, zero.running.step, zero.running.planned_steps) == (measured, 2, 12)
    assert zero.running.loss is None
    assert (one.running.started_at, one.running.shown_state) == (1000.0, "running")
    assert [place.running for place in view(reader, cards=(Device("cpu", "CPU", 1, ""),)).devices[:1]] == [None]


def test_a_job_that_fits_no_device_is_shown_all_the_same(writer: Writer, reader: Reader) -> None:
    jobs = [add_run(writer, name) for name in ("first", "second", "elsewhere", "nowhere")]
    places = [
        {"device": "cuda:0"},
        {"device": "cuda:0"},
        {"device": "cuda:1", "host": "other.example"},
        {"device": None},
    ]
    for job, place in zip(jobs, places, strict=True):
        move(writer, TRAINING, job, State.STARTING, **{**ALIVE, **place})
    rows = [(place.device, place.name, place.running and place.running.id) for place in view(reader).devices]
    assert rows == [
        ("cuda:0", "a card", jobs[0]),
        ("cuda:1", "a card", None),
        ("cuda:0", "", jobs[1]),
        ("cuda:1", "on other.example", jobs[2]),
        ("", "", jobs[3]),
    ]


def test_what_ended_lately_comes_newest_first_with_its_error(writer: Writer, reader: Reader, clock: Clock) -> None:
    jobs = [add_run(writer, f"run {number}") for number in range(5)]
    measured = add_evaluation(writer, None, Reference.MAJORITY)
    succeed(writer, TRAINING, jobs[4])
    for seconds, (job, state) in enumerate([(jobs[1], State.FAILED), (jobs[0], State.INTERRUPTED)], start=1):
        clock.now = 1000.0 + seconds
        move(writer, TRAINING, job, State.STARTING)
        writer.transition(
            TRAINING, job, State.STARTING, state, "it broke", error_title="It broke", error_next_step="Mend it."
        )
    clock.now = 1010.0
    succeed(writer, EVALUATION, measured)
    move(writer, TRAINING, jobs[2], State.CANCELLED)
    clock.now = 1011.0
    recent = view(reader).recent
    assert {(job.kind, job.id) for job in recent[:2]} == {(EVALUATION, measured), (TRAINING, jobs[2])}
    assert [(job.kind, job.id) for job in recent[2:]] == [(TRAINING, jobs[0]), (TRAINING, jobs[1]), (TRAINING, jobs[4])]
    assert [job.can_resume for job in recent[2:]] == [True, True, False]
    assert (recent[3].error_title, recent[3].error_next_step, recent[3].ended_at) == ("It broke", "Mend it.", 1001.0)
    # Queued again, it is not over; and over again, it stands there once.
    writer.transition(TRAINING, jobs[1], State.FAILED, State.QUEUED, "resumed")
    assert (TRAINING, jobs[1]) not in {(job.kind, job.id) for job in view(reader).recent}
    succeed(writer, TRAINING, jobs[1])
    again = view(reader).recent
    assert [(job.id, job.error_title) for job in again if job.name == "run 1"] == [(jobs[1], None)]
    assert again[0].id == jobs[1]


def test_only_the_last_twenty_are_listed(writer: Writer, reader: Reader, clock: Clock) -> None:
    for number in range(25):
        clock.now = 1000.0 + number
        move(writer, TRAINING, add_run(writer, f"run {number}"), State.CANCELLED)
    assert [job.name for job in view(reader).recent] == [f"run {number}" for number in range(24, 4, -1)]
    assert len(api.queue_view_from(reader, CARDS, NOBODY, recent=3).recent) == 3


def test_a_pause_and_the_worker_stand_in_the_view(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with no_worker(workspace):
        api.pause_queue(workspace, "maintenance")
        found = api.queue_view(workspace)
        assert (found.paused, found.pause_reason) == (True, "maintenance")
        assert found.paused_since is not None
        assert found.worker == WorkerStatus(True, os.getpid())
        api.unpause_queue(workspace)
    found = api.queue_view(workspace)
    assert (found.paused, found.pause_reason, found.paused_since, found.worker) == (False, "", None, NOBODY)


def test_an_empty_workspace_has_free_devices_and_stays_empty(tmp_path: Path) -> None:
    found = api.queue_view(Workspace(tmp_path))
    assert [place.device for place in found.devices] == [device.id for device in known_devices()]
    assert (found.queued, found.recent, found.paused, found.worker) == ([], [], False, NOBODY)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_job_is_settled_where_no_worker_lives(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        run_id = add_run(writer)
        move(writer, TRAINING, run_id, State.STARTING, pid=2**22 + 1, process_start=1.0)
    found = api.queue_view(workspace)
    assert [place.running for place in found.devices] == [None] * len(found.devices)
    assert [(job.id, job.state) for job in found.recent] == [(run_id, State.INTERRUPTED)]


def test_devices_are_looked_for_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count() -> list[Device]:
        calls.append(1)
        return list(CARDS)

    known_devices.cache_clear()
    monkeypatch.setattr(devices_module, "devices", count)
    try:
        assert known_devices() is known_devices()
    finally:
        known_devices.cache_clear()
    assert calls == [1]


def test_importing_the_view_asks_no_driver_and_loads_nothing_for_it() -> None:
    program = (
        "import sys, engine.api.queueing; print([m for m in ('psutil', 'pynvml', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("state", State)
def test_only_an_active_job_can_be_lost(state: State) -> None:
    for heartbeat in (None, 1000.0):
        assert is_lost(state, heartbeat, 9999.0) is (state in ACTIVE)
    assert not is_lost(state, 1000.0, 1000.0 + LOST_AFTER_SECONDS)
    assert is_lost(state, 1000.0, 1000.1 + LOST_AFTER_SECONDS) is (state in ACTIVE)
    assert is_lost(state, 1000.0, 1003.0, after=2.0) is (state in ACTIVE)
    assert not is_lost(state, 1000.0, 990.0)  # a clock that was set back is no silence


def test_a_beat_that_waited_for_a_locked_database_is_no_silence() -> None:
    assert LOST_AFTER_SECONDS > BEAT_SECONDS + BUSY_SECONDS


def test_lost_is_shown_of_runs_evaluations_and_jobs_and_never_stored(
    writer: Writer, reader: Reader, clock: Clock
) -> None:
    run_id, measured = add_run(writer), add_evaluation(writer, None, Reference.BASE)
    for kind, job in ((TRAINING, run_id), (EVALUATION, measured)):
        move(writer, kind, job, State.STARTING, State.RUNNING, **ALIVE)
    rows = [reader.run(run_id), reader.evaluation(measured), *reader.jobs()]
    assert [shown_state(row, 1010.0) for row in rows] == ["running"] * 4
    assert [shown_state(row, 1020.0) for row in rows] == ["lost"] * 4
    assert {place.running.shown_state for place in view(reader, 1020.0).devices if place.running} == {"lost"}
    assert reader.run(run_id).state == State.RUNNING
    clock.now = 1019.0
    writer.heartbeat(TRAINING, run_id)
    assert shown_state(reader.run(run_id), 1020.0) == "running"
    assert [shown_state(replace(reader.run(run_id), state=state), 9999.0) for state in ENDED] == [*map(str, ENDED)]


def test_polling_through_an_open_reader_opens_nothing(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(writer)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it opened something")

    for name in ("open_or_none", "__init__"):
        monkeypatch.setattr(Reader, name, refuse)
    monkeypatch.setattr(devices_module, "devices", refuse)
    monkeypatch.setattr("engine.api.queueing.worker_status", refuse)
    assert len(view(reader).queued) == 1
