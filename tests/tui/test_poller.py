"""The one thread that reads for the screens: it tells what changed, and survives whatever happens to the records."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_run, wait_until, workspace_at

from engine import api
from engine.errors import JobError, SonotuneError, StoreError
from engine.store.writer import Writer
from engine.workspace import Workspace
from tui import poller as module
from tui.poller import Poller, as_told


class Screens:
    """The thread of the screens: callbacks wait until the test lets them run."""

    def __init__(self, workspace: Workspace) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.troubles: list[SonotuneError | None] = []
        self.notices: list[str] = []
        self.poller = Poller(workspace, self.posted.put, self.troubles.append, self.notices.append, poll=0.01)

    def run(self) -> None:
        """Run what has been posted so far."""
        while not self.posted.empty():
            self.posted.get()()

    def until(self, holds: Callable[[], object], what: str) -> None:
        def look() -> object:
            self.run()
            return holds()

        wait_until(look, what, 10)

    def ask(self, question: Callable[[Any], Any] = lambda _: 1) -> Any:
        """Ask once and wait for the answer: whatever was written before has been looked at after it."""
        answers: list[Any] = []
        self.poller.ask(question, answers.append, answers.append)
        self.until(lambda: answers, "an answer")
        return answers[0]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


@pytest.fixture
def screens(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screens]:
    monkeypatch.setattr(module, "ASK_AGAIN_SECONDS", 0.02)
    found = Screens(workspace)
    yield found
    found.poller.stop()


def names(live: api.Live) -> tuple[str, ...]:
    return tuple(run.name for run in live.run_list())


def add(workspace: Workspace, name: str) -> int:
    with Writer.open(workspace) as writer:
        return add_run(writer, name)


def test_answers_come_at_once_and_after_every_write(workspace: Workspace, screens: Screens) -> None:
    answers: list[tuple[str, ...]] = []
    screens.poller.watch(names, answers.append)
    screens.poller.start()
    screens.until(lambda: answers == [()], "the first answer, of nothing")
    add(workspace, "one")
    screens.until(lambda: answers[-1] == ("one",), "the run is told")
    add(workspace, "two")
    screens.until(lambda: answers[-1] == ("two", "one"), "the next one too")
    assert len(answers) == 3
    assert screens.troubles == []


def test_an_answer_that_is_the_same_is_not_told_again(workspace: Workspace, screens: Screens) -> None:
    answers: list[Any] = []
    asked: list[int] = []
    add(workspace, "one")
    screens.poller.watch(lambda live: asked.append(1) or names(live)[-1], answers.append)
    screens.poller.start()
    for number in range(3):
        count = len(asked)
        add(workspace, f"more {number}")
        screens.until(lambda count=count: len(asked) > count, "it is asked again")
    screens.run()
    assert answers == ["one"]


def test_nothing_is_asked_where_nothing_was_written(workspace: Workspace, screens: Screens) -> None:
    add(workspace, "one")
    quiet: list[int] = []
    timed: list[int] = []
    screens.poller.watch(lambda _: quiet.append(1), lambda _: None)
    screens.poller.watch(lambda _: timed.append(1), lambda _: None, every=0.0)
    screens.poller.start()
    screens.until(lambda: len(timed) > 5, "answers that depend on the time are asked for all the time")
    assert len(quiet) == 1


def test_a_cancelled_watch_is_told_nothing_more_not_even_what_is_on_its_way(
    workspace: Workspace, screens: Screens
) -> None:
    answers: list[Any] = []
    watch = screens.poller.watch(names, answers.append)
    screens.poller.start()
    wait_until(lambda: not screens.posted.empty(), "an answer is on its way", 10)
    watch.cancel()
    screens.run()
    add(workspace, "one")
    screens.ask()
    assert answers == []
    screens.poller.watch(names, answers.append)
    screens.until(lambda: answers == [("one",)], "another watch is told")
    assert watch not in screens.poller._watches


def test_a_watch_that_is_new_is_answered_without_a_write(workspace: Workspace, screens: Screens) -> None:
    add(workspace, "one")
    screens.poller.start()
    screens.ask()
    answers: list[Any] = []
    screens.poller.watch(names, answers.append)
    screens.until(lambda: answers == [("one",)], "told")


def test_a_question_can_be_asked_once(workspace: Workspace, screens: Screens) -> None:
    add(workspace, "one")
    screens.poller.start()
    assert screens.ask(names) == ("one",)
    error = screens.ask(lambda live: live.run_view(99))
    assert isinstance(error, JobError) and "99" in error.title
    fault = screens.ask(lambda _: 1 / 0)
    assert isinstance(fault, SonotuneError) and "ZeroDivisionError" in fault.reason
    assert screens.ask(names) == ("one",), "the thread lives on"
    assert screens.troubles == []


def test_a_question_that_fails_holds_up_no_other_and_recovers(workspace: Workspace, screens: Screens) -> None:
    run = add(workspace, "one")
    broken = threading.Event()
    broken.set()

    def question(live: api.Live) -> str:
        if broken.is_set():
            raise ValueError("[b]odd[/b]")
        return live.run_view(run).run.name

    first: list[Any] = []
    second: list[Any] = []
    screens.poller.watch(question, first.append)
    screens.poller.watch(names, second.append)
    screens.poller.start()
    screens.until(lambda: screens.troubles, "it is told")
    trouble = screens.troubles[0]
    assert trouble is not None and trouble.reason == "ValueError: [b]odd[/b]" and trouble.next_step
    add(workspace, "two")
    screens.until(lambda: second[-1:] == [("two", "one")], "the other one is answered")
    assert first == []
    broken.clear()
    screens.until(lambda: first == ["one"], "it is asked again by itself")
    screens.until(lambda: screens.troubles[-1] is None, "and the trouble is over")
    assert len(screens.troubles) == 2, "each is told once"


def test_records_that_cannot_be_read_are_told_once_and_again_read_when_they_can(
    workspace: Workspace, screens: Screens
) -> None:
    add(workspace, "one")
    good = workspace.database.read_bytes()
    answers: list[Any] = []
    screens.poller.watch(names, answers.append)
    screens.poller.start()
    screens.until(lambda: answers == [("one",)], "all is well")
    for leftover in workspace.root.glob("runs.db*"):
        leftover.unlink()
    workspace.database.write_bytes(b"no database at all" * 100)
    screens.until(lambda: screens.troubles, "told")
    assert isinstance(screens.troubles[0], StoreError)
    error = screens.ask(names)
    assert isinstance(error, StoreError)
    workspace.database.unlink()
    workspace.database.write_bytes(good)
    screens.until(lambda: screens.troubles[-1] is None, "well again")
    assert len(screens.troubles) == 2
    add(workspace, "two")
    screens.until(lambda: answers[-1] == ("two", "one"), "and followed as before")


def test_a_database_that_is_deleted_and_made_anew_is_followed(workspace: Workspace, screens: Screens) -> None:
    add(workspace, "one")
    answers: list[Any] = []
    screens.poller.watch(names, answers.append)
    screens.poller.start()
    screens.until(lambda: answers == [("one",)], "the first database")
    for file in workspace.root.glob("runs.db*"):
        file.unlink()
    screens.until(lambda: answers[-1] == (), "without one there are no runs")
    add(workspace, "other")
    screens.until(lambda: answers[-1] == ("other",), "the second database")
    assert screens.troubles == []


def test_settling_that_fails_is_told_and_reading_goes_on(
    workspace: Workspace, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    locked = threading.Event()
    locked.set()

    def settle(_live: api.Live) -> int:
        if locked.is_set():
            raise StoreError("runs.db is locked", "Somebody writes.", "Wait.")
        return 0

    monkeypatch.setattr(api.Live, "settle", settle)
    answers: list[Any] = []
    add(workspace, "one")
    screens.poller.watch(names, answers.append)
    screens.poller.start()
    screens.until(lambda: screens.troubles and answers == [("one",)], "told, and answered")
    locked.clear()
    screens.until(lambda: screens.troubles[-1] is None, "over")


def test_a_dead_job_is_noticed_where_no_worker_is_left(workspace: Workspace, screens: Screens) -> None:
    from engine.types import JobKind, State

    with Writer.open(workspace) as writer:
        run = add_run(writer)
        columns = {"pid": 2**22 + 1, "process_start": 1.0}
        writer.transition(JobKind.TRAINING, run, State.QUEUED, State.STARTING, "test", **columns)
    states: list[Any] = []
    screens.poller.watch(lambda live: live.run_view(run).run.state, states.append)
    screens.poller.start()
    screens.until(lambda: states[-1:] == [State.INTERRUPTED], "it is settled")


def test_it_ends_in_time_and_only_once(workspace: Workspace, screens: Screens) -> None:
    screens.poller.stop()  # before it has begun
    screens.poller.start()
    wait_until(lambda: not screens.poller.is_alive(), "it ends at once", 5)
    screens.poller.stop()


def test_waiting_screens_never_wait_long_for_its_end(screens: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.01)
    release, begun = threading.Event(), threading.Event()
    screens.poller.watch(lambda _: begun.set() or release.wait(10), lambda _: None)
    screens.poller.start()
    assert begun.wait(10)
    screens.poller.stop()
    assert screens.poller.is_alive(), "it hangs in a question, and nobody waits for it"
    release.set()
    screens.poller.join(10)
    assert not screens.poller.is_alive()


def test_a_fault_of_the_program_is_told_by_its_name() -> None:
    error = StoreError("title", "reason", "step")
    assert as_told(error) is error
    told = as_told(KeyError("x"))
    assert "KeyError: 'x'" in told.reason and told.next_step
