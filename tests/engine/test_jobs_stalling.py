"""When a run that lives has stalled: the rule, and the worker's watch with a clock of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import CommandLine
from store_helpers import add_evaluation, add_run, prediction

from engine.jobs.liveness import shown_state, stalled_since
from engine.jobs.phases import Phase
from engine.jobs.process import process_start
from engine.jobs.stall_watch import StallWatch
from engine.jobs.stalling import OTHER_SECONDS, evaluation_stall, run_stall, what_to_do
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.types import ACTIVE, JobKind, Reference, State
from engine.workspace import Workspace

TRAINING = JobKind.TRAINING
STEPS = [0.5] * 10


@pytest.mark.parametrize(
    ("phase", "still", "steps", "stalled"),
    [
        (Phase.TRAINING, 59, STEPS, False),
        (Phase.TRAINING, 61, STEPS, True),  # 20 x 0.5 s is less than the shortest stall
        (Phase.TRAINING, 199, [10.0] * 10, False),
        (Phase.TRAINING, 201, [10.0] * 10, True),
        (Phase.TRAINING, 201, [10.0] * 9 + [1000.0], True),  # one slow step moves no median
        (Phase.TRAINING, 600, [0.5] * 4, False),  # it may still be compiling
        (Phase.TRAINING, OTHER_SECONDS + 1, [], True),
        (Phase.VALIDATION, 600, STEPS, False),
        (Phase.SAVING, OTHER_SECONDS + 1, STEPS, True),
        (None, 600, STEPS, False),
        (None, OTHER_SECONDS + 1, STEPS, True),
        (Phase.WAITING_FOR_DISK, 1e6, STEPS, False),
    ],
)
def test_a_run_has_stalled(phase: str | None, still: float, steps: list[float], stalled: bool) -> None:
    assert (run_stall(phase, 40, still, steps) is not None) == stalled


def test_the_words_give_figures_and_say_what_a_run_was_busy_with() -> None:
    found = run_stall(Phase.TRAINING, 40, 120.0, STEPS)
    assert found is not None
    assert found.words == "no step for 2 min 00 s after step 40, 240 times the median of 0.5 s"
    loading = run_stall(Phase.LOADING, 0, 3600.0, [])
    assert loading is not None
    assert loading.words == "busy with loading for 1 h 00 min"
    assert "kill -9 77" in what_to_do("3", 77)
    assert "kill" not in what_to_do("3", None)


@pytest.mark.parametrize(
    ("done", "planned", "still", "stalled"),
    [(40, 100, 59, False), (40, 100, 61, True), (0, 100, 600, False), (100, 100, 600, False), (0, 100, 1801, True)],
)
def test_an_evaluation_has_stalled(done: int, planned: int, still: float, stalled: bool) -> None:
    assert (evaluation_stall(done, planned, still, [1.0] * 8) is not None) == stalled


class Watched:
    """A run that is recorded as running, and a watch whose clock stands until it is moved."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.now, self.wall = workspace, 1000.0, 5000.0
        self.writer, self.reader = Writer.open(workspace, clock=lambda: self.wall), Reader(workspace)
        self.run_id = add_run(self.writer)
        self.begin()
        self.watch = StallWatch(lambda: self.now, lambda: self.wall)

    def begin(self) -> None:
        own = {"pid": os.getpid(), "process_start": process_start(os.getpid())}
        self.writer.transition(TRAINING, self.run_id, State.QUEUED, State.STARTING, "", **own)
        self.writer.transition(TRAINING, self.run_id, State.STARTING, State.RUNNING, "")
        self.writer.update(TRAINING, self.run_id, phase=Phase.TRAINING)

    def step(self, step: int, seconds: float = 0.5) -> None:
        self.writer.add_metrics(self.run_id, step, {"step_seconds": seconds})

    def pass_time(self, seconds: float, *, beats: bool = True, every: float = 5.0, wall: float | None = None) -> None:
        """Let the worker look every few seconds; `wall`: what the clock on the wall does meanwhile."""
        for _ in range(round(seconds / every)):
            self.now += every
            self.wall += every if wall is None else wall
            if beats:
                self.writer.heartbeat(TRAINING, self.run_id)
            self.watch.look(self.writer, self.reader, self.reader.jobs(ACTIVE))

    @property
    def run(self) -> RunRow:
        return self.reader.run(self.run_id)

    def events(self) -> list[tuple[str, str]]:
        wanted = ("stalled", "gets on")
        return [(each.kind, each.detail) for each in self.reader.events() if each.kind in wanted]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    workspace = Workspace(tmp_path)
    Writer.open(workspace).close()
    found = Watched(workspace)
    yield found
    found.reader.close()
    found.writer.close()


def test_a_stalled_run_is_marked_once_and_unmarked_by_its_next_step(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.pass_time(300)
    assert watched.run.stalled_at is not None
    assert watched.run.stalled_at < watched.wall - 200
    assert [kind for kind, _ in watched.events()] == ["stalled"]
    assert "after step 10" in watched.events()[0][1]
    assert shown_state(watched.run, watched.wall) == "stalled"
    watched.step(11)
    watched.pass_time(5)
    assert watched.run.stalled_at is None
    assert [kind for kind, _ in watched.events()] == ["stalled", "gets on"]
    assert shown_state(watched.run, watched.wall) == "running"


def test_a_clock_that_is_set_makes_no_stall_and_hides_none(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.pass_time(30, wall=36_000.0)
    assert watched.events() == []
    watched.pass_time(60, wall=-36_000.0)
    assert [kind for kind, _ in watched.events()] == ["stalled"]


def test_silence_and_a_worker_that_was_stopped_are_no_stall(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.pass_time(600, beats=False)
    watched.pass_time(40)
    assert watched.events() == []
    watched.pass_time(600, every=600)
    watched.pass_time(40)
    assert watched.events() == []
    watched.pass_time(40)
    assert [kind for kind, _ in watched.events()] == ["stalled"]


def test_other_phases_may_last_long_and_end_a_stall(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.writer.update(TRAINING, watched.run_id, phase=Phase.VALIDATION)
    watched.pass_time(1500, every=20)
    assert watched.events() == []
    watched.pass_time(400, every=20)
    assert "validation loss" in watched.events()[0][1]
    watched.writer.update(TRAINING, watched.run_id, phase=Phase.TRAINING)
    watched.pass_time(5)
    assert watched.run.stalled_at is None


def test_a_new_worker_knows_what_was_marked_and_takes_it_away(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.pass_time(100)
    watched.watch = StallWatch(lambda: watched.now, lambda: watched.wall)
    watched.pass_time(200)
    assert len(watched.events()) == 1
    watched.step(11)
    watched.pass_time(5)
    assert watched.run.stalled_at is None


def test_the_end_of_a_run_takes_the_mark_away_and_the_next_attempt_has_steps_of_its_own(watched: Watched) -> None:
    for step in range(1, 11):
        watched.step(step)
        watched.pass_time(5)
    watched.pass_time(100)
    watched.writer.transition(TRAINING, watched.run_id, State.RUNNING, State.INTERRUPTED, "")
    assert watched.run.stalled_at is None
    assert watched.run.phase == Phase.TRAINING
    assert stalled_since(watched.run) is None
    watched.writer.transition(TRAINING, watched.run_id, State.INTERRUPTED, State.QUEUED, "")
    assert watched.run.phase is None
    watched.begin()
    watched.pass_time(600)
    assert len(watched.events()) == 1  # its first step may take long: it compiles again


def test_the_command_line_says_what_it_does_and_what_to_do(watched: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    command = CommandLine(watched.workspace.root, capfd)
    watched.wall = time.time()
    watched.writer.update(TRAINING, watched.run_id, phase=Phase.VALIDATION)
    watched.writer.heartbeat(TRAINING, watched.run_id)
    assert "running: validation loss (" in command("show", "1").out
    watched.writer.update(TRAINING, watched.run_id, stalled_at=time.time() - 725)
    said = command("show", "1").out
    assert "stalled 12m0" in said
    assert f"py-spy dump --pid {os.getpid()}" in said
    assert "sonotune stop 1" in said
    assert "stalled 12m0" in command("runs").out
    assert command("runs", "--json").json[0]["shown_state"] == "stalled"
    assert "stalled" in command("queue").out


def test_an_evaluation_that_stalls_gets_events(watched: Watched) -> None:
    evaluation = add_evaluation(watched.writer, None, Reference.BASE)
    kind = JobKind.EVALUATION
    watched.writer.transition(kind, evaluation, State.QUEUED, State.STARTING, "", pid=1, process_start=1.0)
    watched.writer.transition(kind, evaluation, State.STARTING, State.RUNNING, "")
    watched.writer.update(kind, evaluation, n=100)

    def pass_time(seconds: int) -> None:
        for _ in range(seconds // 5):
            watched.writer.heartbeat(kind, evaluation)
            watched.pass_time(5)

    for batch in range(8):
        watched.writer.add_predictions(evaluation, [prediction(f"{batch}-{case}.png") for case in range(4)])
        pass_time(10)
    pass_time(400)
    assert [kind for kind, _ in watched.events()] == ["stalled"]
    assert "after 32 of 100" in watched.events()[0][1]
    watched.writer.add_predictions(evaluation, [prediction("last.png")])
    pass_time(10)
    assert [kind for kind, _ in watched.events()] == ["stalled", "gets on"]
