"""Moving queued jobs: any sequence of moves gives the order that a list would have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import add_evaluation, add_run

from engine.errors import JobError, UsageError
from engine.jobs.control import resume
from engine.jobs.moving import Move, move_job, places
from engine.jobs.queue import order, queue
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Split, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
Key = tuple[JobKind, int]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    Writer.open(Workspace(tmp_path)).close()
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> JobRow:
    """Any queued run, to be varied."""
    workspace = Workspace(tmp_path_factory.mktemp("row"))
    with Writer.open(workspace) as writer:
        add_run(writer)
    with Reader(workspace) as reader:
        return reader.job(TRAINING, 1)


def seconds(start: float = 1_700_000_000.0) -> Iterator[float]:
    """A clock that goes on by a second at each look."""
    return count(start)  # type: ignore[return-value]


def launch(workspace: Workspace, *names: str, priority: int = 0, now: float | None = None) -> list[int]:
    ticks = seconds()
    clock = (lambda: next(ticks)) if now is None else (lambda: now)
    with Writer.open(workspace, clock=clock) as writer:
        return [add_run(writer, name, priority=priority) for name in names]


def keys(workspace: Workspace) -> list[Key]:
    with Reader(workspace) as reader:
        return [(entry.job.kind, entry.job.id) for entry in queue(reader)]


def runs(workspace: Workspace) -> list[int]:
    return [job_id for kind, job_id in keys(workspace) if kind == TRAINING]


def moved(items: Sequence[Key], item: Key, where: Move) -> list[Key]:
    """What a move means, in the words of lists."""
    place, last = items.index(item), len(items) - 1
    target = {
        Move.UP: max(place - 1, 0), Move.DOWN: min(place + 1, last), Move.TOP: 0, Move.BOTTOM: last
    }[where]  # fmt: skip
    others = [each for each in items if each != item]
    return [*others[:target], item, *others[target:]]


def test_a_job_goes_up_and_down_and_to_both_ends(workspace: Workspace) -> None:
    a, b, c, d = launch(workspace, "a", "b", "c", "d")
    assert move_job(workspace, TRAINING, "c", "up") == f"Run {c} is number 2 of 4 in the queue now."
    assert runs(workspace) == [a, c, b, d]
    move_job(workspace, TRAINING, a, "down")
    assert runs(workspace) == [c, a, b, d]
    move_job(workspace, TRAINING, d, Move.TOP)
    assert runs(workspace) == [d, c, a, b]
    move_job(workspace, TRAINING, str(c), "bottom")
    assert runs(workspace) == [d, a, b, c]


def test_at_an_end_a_job_stays_and_is_told_so(workspace: Workspace) -> None:
    a, b = launch(workspace, "a", "b")
    for where in ("up", "top"):
        assert move_job(workspace, TRAINING, a, where) == f"Run {a} is first in the queue already."
    for where in ("down", "bottom"):
        assert move_job(workspace, TRAINING, b, where) == f"Run {b} is last in the queue already."
    with Reader(workspace) as reader:
        assert [reader.run(each).queue_rank for each in (a, b)] == [None, None]


def test_a_job_takes_the_priority_of_the_one_that_it_passed(workspace: Workspace) -> None:
    (low,), (high, higher) = launch(workspace, "low"), launch(workspace, "high", "higher", priority=5)
    assert runs(workspace) == [high, higher, low]
    said = move_job(workspace, TRAINING, low, "up")
    assert said == f"Run {low} is number 2 of 3 in the queue now. Its priority is 5 now, like that of its neighbour."
    assert runs(workspace) == [high, low, higher]
    (lowest,) = launch(workspace, "lowest", priority=-3)
    move_job(workspace, TRAINING, high, "bottom")
    assert runs(workspace) == [low, higher, lowest, high]
    with Reader(workspace) as reader:
        assert [reader.run(each).priority for each in (low, higher, lowest, high)] == [5, 5, -3, -3]


def test_what_is_queued_later_comes_after_what_was_moved_to_the_bottom(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        a, b = add_run(writer, "a"), add_run(writer, "b")
    for job in (a, b, a):
        move_job(workspace, TRAINING, job, "bottom")
    with Writer.open(workspace) as writer:
        later = add_run(writer, "later")
    assert runs(workspace) == [b, a, later]


def test_jobs_queued_in_the_same_instant_are_renumbered_and_stay_before_later_ones(workspace: Workspace) -> None:
    now = 1_700_000_000.0
    a, b, c = launch(workspace, "a", "b", "c", now=now)
    move_job(workspace, TRAINING, c, "up")
    assert runs(workspace) == [a, c, b]
    (later,) = launch(workspace, "later", now=math.nextafter(now, math.inf))
    assert runs(workspace) == [a, c, b, later]


def test_runs_and_evaluations_are_moved_among_each_other(workspace: Workspace) -> None:
    (run_id,) = launch(workspace, "a")
    with Writer.open(workspace) as writer:
        waiting = add_evaluation(writer, run_id, after_run=True)
        reference = add_evaluation(writer, None, Reference.BASE)
    assert move_job(workspace, EVALUATION, waiting, "top") == f"Evaluation {waiting} is number 1 of 3 in the queue now."
    with Reader(workspace) as reader:
        entries = queue(reader)
    assert [(entry.job.kind, entry.job.id) for entry in entries] == [
        (EVALUATION, waiting), (TRAINING, run_id), (EVALUATION, reference)
    ]  # fmt: skip
    assert entries[0].blocked == f"waits for run {run_id} (queued)"


def test_resuming_puts_a_moved_job_back_in_line(workspace: Workspace) -> None:
    a, b = launch(workspace, "a", "b")
    move_job(workspace, TRAINING, b, "top")
    with Writer.open(workspace) as writer:
        writer.transition(TRAINING, b, State.QUEUED, State.STARTING, "test")
        writer.transition(TRAINING, b, State.STARTING, State.FAILED, "test")
    resume(workspace, b, start_worker=False)
    assert runs(workspace) == [a, b]


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ((State.STARTING,), "has been started: it cannot be moved any more"),
        ((State.STARTING, State.RUNNING), "has been started"),
        ((State.CANCELLED,), "is cancelled: it is not in the queue"),
        ((State.STARTING, State.FAILED), "is failed: it is not in the queue"),
    ],
)
def test_only_queued_jobs_can_be_moved(workspace: Workspace, states: tuple[State, ...], says: str) -> None:
    a, b = launch(workspace, "a", "b")
    with Writer.open(workspace) as writer:
        for before, after in pairwise((State.QUEUED, *states)):
            writer.transition(TRAINING, b, before, after, "test")
    with pytest.raises(JobError, match=f"Run {b} {says}") as caught:
        move_job(workspace, TRAINING, b, "top")
    assert caught.value.next_step
    with Reader(workspace) as reader:
        assert [reader.run(each).queue_rank for each in (a, b)] == [None, None]


def test_a_job_that_starts_between_look_and_move_is_not_moved(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrow moment: the job was found queued, and a worker claims it before the move has the write lock."""
    _, b = launch(workspace, "a", "b")
    arrange_queue = Writer.arrange_queue

    def claim_then_arrange(writer: Writer, arrange: object) -> None:
        with Writer.open(workspace) as worker:
            assert worker.transition(TRAINING, b, State.QUEUED, State.STARTING, "a worker was faster")
        arrange_queue(writer, arrange)  # type: ignore[arg-type]

    monkeypatch.setattr(Writer, "arrange_queue", claim_then_arrange)
    with pytest.raises(JobError, match="has been started") as caught:
        move_job(workspace, TRAINING, b, "top")
    assert caught.value.reason == "It was queued a moment ago."


def test_words_and_numbers_that_do_not_exist_are_refused(workspace: Workspace) -> None:
    launch(workspace, "a")
    with pytest.raises(UsageError, match="cannot be moved sideways") as caught:
        move_job(workspace, TRAINING, 1, "sideways")
    assert caught.value.next_step == "Choose: up, down, top, bottom."
    with pytest.raises(JobError, match="no run 99"):
        move_job(workspace, TRAINING, 99, "up")
    with pytest.raises(JobError, match="no evaluation job 7"):
        move_job(workspace, EVALUATION, 7, "up")


def test_movers_at_the_same_time_lose_no_move(workspace: Workspace) -> None:
    """Each brings its own job to the top: whoever is last is first, and no job gets lost or doubled."""
    jobs = launch(workspace, *"abcdef")
    threads = [Thread(target=move_job, args=(workspace, TRAINING, job, "top")) for job in jobs[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = runs(workspace)
    assert set(found[:3]) == set(jobs[3:])
    assert found[3:] == jobs[:3]


MOVES = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(Move)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    jobs=st.lists(
        st.tuples(st.sampled_from([TRAINING, EVALUATION]), st.sampled_from([0, 0, 5])), min_size=2, max_size=7
    ),
    same_instant=st.booleans(),
    moves=MOVES,
)
def test_any_sequence_of_moves_is_that_of_a_list(
    tmp_path_factory: pytest.TempPathFactory,
    jobs: list[tuple[JobKind, int]],
    same_instant: bool,
    moves: list[tuple[int, Move]],
) -> None:
    workspace, ticks = Workspace(tmp_path_factory.mktemp("moves")), seconds()
    with Writer.open(workspace, clock=lambda: 5.0 if same_instant else next(ticks)) as writer:
        for kind, priority in jobs:
            if kind == TRAINING:
                add_run(writer, "run", priority=priority)
            else:
                add_evaluation(writer, None, Reference.BASE, split=Split.VALIDATION, priority=priority)
    expected = keys(workspace)
    for number, where in moves:
        job = expected[number % len(expected)]
        expected = moved(expected, job, where)
        move_job(workspace, *job, where)
        assert keys(workspace) == expected


CLOSE = [1_700_000_000.0, math.nextafter(1_700_000_000.0, math.inf), 1_700_000_000.5, 1_700_000_001.0, -5.0, 0.0]


@settings(max_examples=300, deadline=None)
@given(
    places_=st.lists(st.tuples(st.sampled_from([-1, 0, 3]), st.sampled_from(CLOSE)), min_size=2, max_size=8),
    moves=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40),
)
def test_ranks_that_are_too_close_never_spoil_the_order(
    row: JobRow, places_: list[tuple[int, float]], moves: list[tuple[int, int]]
) -> None:
    now = 1_700_000_002.0
    rows = [replace(row, id=n, priority=p, queue_rank=rank) for n, (p, rank) in enumerate(places_, start=1)]
    for one, other in moves:
        queued = [entry.job for entry in order(rows)]
        place, target = one % len(queued), other % len(queued)
        expected = [job.id for job in queued]
        expected.insert(target, expected.pop(place))
        changes = {job_id: (priority, rank) for _, job_id, priority, rank in places(queued, place, target, now)}
        rows = [
            replace(job, priority=changes[job.id][0], queue_rank=changes[job.id][1]) if job.id in changes else job
            for job in rows
        ]
        assert [entry.job.id for entry in order(rows)] == expected
        # Nobody is pushed behind what will be queued a moment later.
        assert max(job.queue_rank for job in rows) < now + 1e-3


def test_a_move_changes_one_row_unless_ranks_have_run_out(row: JobRow) -> None:
    rows = [replace(row, id=n, queue_rank=float(n)) for n in range(1, 6)]
    assert places(rows, 4, 1, 100.0) == [(TRAINING, 5, 0, 1.5)]
    assert places(rows, 4, 0, 100.0) == [(TRAINING, 5, 0, 0.0)]
    assert places(rows, 0, 4, 100.0) == [(TRAINING, 1, 0, 100.0)]
    assert places(rows, 2, 2, 100.0) == []
    same = [replace(each, queue_rank=9.0) for each in rows]
    assert [(job_id, rank) for _, job_id, _, rank in places(same, 4, 1, 100.0)] == [
        (1, 5.0), (5, 6.0), (2, 7.0), (3, 8.0), (4, 9.0)
    ]  # fmt: skip
