from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_helpers import add_evaluation, add_run

from engine.jobs.queue import next_job, queue
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Split, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
Place = tuple[JobKind, int]


class Ticks:
    """Every look at the clock is a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer.open(Workspace(tmp_path), clock=Ticks()) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, tmp_path: Path) -> Iterator[Reader]:
    with Reader(Workspace(tmp_path)) as opened:
        yield opened


def move(writer: Writer, kind: JobKind, job_id: int, *states: State) -> None:
    current = State.QUEUED
    for state in states:
        assert writer.transition(kind, job_id, current, state, "test")
        current = state


def places(reader: Reader) -> list[Place]:
    return [(entry.job.kind, entry.job.id) for entry in queue(reader)]


def blocked(reader: Reader) -> dict[Place, str]:
    return {(entry.job.kind, entry.job.id): entry.blocked for entry in queue(reader) if entry.blocked}


def following(reader: Reader, *loaded: str) -> Place | None:
    job = next_job(reader, loaded)
    return None if job is None else (job.kind, job.id)


def test_higher_priority_goes_first_then_who_came_first(writer: Writer, reader: Reader) -> None:
    first, second = add_run(writer, "a"), add_run(writer, "b")
    reference = add_evaluation(writer, None, Reference.BASE)
    urgent = add_run(writer, "c", priority=5)
    assert places(reader) == [(TRAINING, urgent), (TRAINING, first), (TRAINING, second), (EVALUATION, reference)]
    assert following(reader) == (TRAINING, urgent)
    move(writer, TRAINING, urgent, State.STARTING)
    assert following(reader) == (TRAINING, first)


def test_nothing_queued_is_nothing_to_start(writer: Writer, reader: Reader) -> None:
    move(writer, TRAINING, add_run(writer), State.STARTING, State.RUNNING)
    assert queue(reader) == []
    assert following(reader) is None


def test_jobs_queued_in_the_same_instant_keep_validation_before_test(tmp_path: Path) -> None:
    with Writer.open(Workspace(tmp_path), clock=lambda: 5.0) as writer, Reader(Workspace(tmp_path)) as reader:
        test = add_evaluation(writer, None, Reference.BASE, split=Split.TEST)
        validation = add_evaluation(writer, None, Reference.BASE, split=Split.VALIDATION)
        assert places(reader) == [(EVALUATION, validation), (EVALUATION, test)]


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ((), "waits for run 1 (queued)"),
        ((State.STARTING, State.RUNNING), "waits for run 1 (running)"),
        ((State.STARTING, State.FAILED), "run 1 failed: `sonotune resume 1`"),
        ((State.STARTING, State.INTERRUPTED), "run 1 was interrupted: `sonotune resume 1`"),
    ],
)
def test_an_evaluation_stays_queued_with_its_reason_until_its_run_succeeded(
    writer: Writer, reader: Reader, states: tuple[State, ...], says: str
) -> None:
    run_id = add_run(writer)
    evaluation_id = add_evaluation(writer, run_id, after_run=True)
    move(writer, TRAINING, run_id, *states)
    assert blocked(reader)[(EVALUATION, evaluation_id)].startswith(says)
    assert following(reader) == (None if states else (TRAINING, run_id))
    assert reader.evaluation(evaluation_id).state == State.QUEUED


def test_an_evaluation_starts_when_its_run_has_succeeded(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    evaluation_id = add_evaluation(writer, run_id, after_run=True)
    move(writer, TRAINING, run_id, State.STARTING, State.RUNNING, State.SUCCEEDED)
    assert following(reader) == (EVALUATION, evaluation_id)


def test_an_adapter_that_was_stopped_early_can_be_evaluated_as_it_is(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    evaluation_id = add_evaluation(writer, run_id, after_run=False)
    move(writer, TRAINING, run_id, State.STARTING, State.RUNNING, State.INTERRUPTED)
    assert following(reader) == (EVALUATION, evaluation_id)


def test_a_subject_is_served_by_one_process(writer: Writer, reader: Reader) -> None:
    first = add_evaluation(writer, None, Reference.BASE, split=Split.VALIDATION)
    second = add_evaluation(writer, None, Reference.BASE)
    other = add_evaluation(writer, None, Reference.MAJORITY)
    assert following(reader) == (EVALUATION, first)
    move(writer, EVALUATION, first, State.STARTING, State.RUNNING)
    assert following(reader) == (EVALUATION, other)
    assert f"evaluation {first} has the same model loaded" in blocked(reader)[(EVALUATION, second)]
    writer.transition(EVALUATION, first, State.RUNNING, State.SUCCEEDED, "done")
    assert following(reader) == (EVALUATION, second)
    subject = reader.job(EVALUATION, second).subject
    assert following(reader, subject) == (EVALUATION, other)


def test_evaluations_of_different_runs_do_not_wait_for_each_other(writer: Writer, reader: Reader) -> None:
    runs = [add_run(writer, name) for name in "ab"]
    first, second = (add_evaluation(writer, run_id) for run_id in runs)
    for run_id in runs:
        move(writer, TRAINING, run_id, State.STARTING, State.RUNNING, State.SUCCEEDED)
    move(writer, EVALUATION, first, State.STARTING)
    assert following(reader) == (EVALUATION, second)


def test_a_cancelled_run_takes_its_waiting_evaluations_along(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    waiting = add_evaluation(writer, run_id, after_run=True)
    other = add_evaluation(writer, add_run(writer), after_run=True)
    move(writer, TRAINING, run_id, State.CANCELLED)
    assert reader.evaluation(waiting).state == State.CANCELLED
    assert reader.evaluation(waiting).reason == f"run {run_id} was cancelled"
    assert reader.events(evaluation_id=waiting)[-1].kind == State.CANCELLED
    assert reader.evaluation(other).state == State.QUEUED
