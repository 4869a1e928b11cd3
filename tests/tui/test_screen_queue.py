"""The queue screen: every key, what it says of each job, and how it takes what may happen to it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli_helpers import no_worker, succeed
from store_helpers import add_evaluation, add_run, prediction
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.jobs.process import process_start
from engine.jobs.queue import order, pause_of
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Action, JobKind, Reference, Split, State
from engine.workspace import Workspace
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.screens import queue_text
from tui.screens.help import help_text
from tui.screens.queue import QueueScreen, check_reason, start_worker
from tui.screens.queue_data import Heading, QueueData, QueueQuestion, measuring_seconds_left
from tui.screens.queue_parts import Details, PauseLine
from tui.screens.queue_table import QueueTable

pytestmark = pytest.mark.usefixtures("brisk")

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
ALIVE = {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid()), "device": "cpu"}
STARTED = (State.STARTING, State.RUNNING)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in which nothing is started."""
    found = Workspace(tmp_path)
    with no_worker(found):
        yield found


def move(writer: Writer, kind: JobKind, job_id: int, *states: State, **columns: Any) -> None:
    """Carry a queued job through some states; `columns` go with the last."""
    for before, after in pairwise((State.QUEUED, *states)):
        assert writer.transition(kind, job_id, before, after, "test", **(columns if after == states[-1] else {}))


def in_order(workspace: Workspace) -> list[tuple[JobKind, int]]:
    with Reader(workspace) as reader:
        return [(entry.job.kind, entry.job.id) for entry in order(reader.jobs())]


def state_of(workspace: Workspace, kind: JobKind, job_id: int) -> State:
    with Reader(workspace) as reader:
        return reader.job(kind, job_id).state


def requests_of(workspace: Workspace, **owner: int) -> list[Action]:
    with Reader(workspace) as reader:
        return [request.action for request in reader.requests(**owner)]


def shown(pilot: Pilot[Any]) -> list[object]:
    """Keys of the jobs that wait, from the top."""
    screen = queue_of(pilot)
    return [row.key for row in screen._model.data.rows if type(row).__name__ == "WaitingRow"]


def queue_of(pilot: Pilot[Any]) -> QueueScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, QueueScreen))


def table_of(pilot: Pilot[Any]) -> QueueTable:
    return queue_of(pilot).query_one(QueueTable)


def details_of(pilot: Pilot[Any]) -> str:
    return " ".join(widget_text(queue_of(pilot).query_one(Details)).replace("┃", " ").split())


def told(pilot: Pilot[Any]) -> str:
    """All toasts."""
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


async def opened(pilot: Pilot[Any], *, on: tuple[JobKind, int] | None = None) -> None:
    """Go to the queue, wait for its rows, put the cursor on a job."""
    await pilot.press("4")
    await until(pilot, lambda: isinstance(pilot.app.screen, QueueScreen), "the queue is on top")
    await until(pilot, lambda: queue_of(pilot)._model.data.rows, "the queue has been read")
    if on is not None:
        await until(pilot, lambda: table_of(pilot).move_to_key(on), f"{on} is listed")
        await pilot.pause()


def running(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> Any:
    """The app, with toasts that can be read."""
    return workbench(workspace).run_test(size=size, notifications=True)


# ----- order


@pytest.mark.parametrize(("key", "place"), [("K", 0), ("shift+up", 0), ("J", 2), ("shift+down", 2), ("T", 0), ("B", 3)])
async def test_a_key_moves_the_job_and_the_cursor_goes_with_it(workspace: Workspace, key: str, place: int) -> None:
    with Writer.open(workspace) as writer:
        jobs = [(TRAINING, add_run(writer, name)) for name in ("one", "two", "three")]
        jobs.append((EVALUATION, add_evaluation(writer, None, Reference.MAJORITY)))
    two = jobs.pop(1)
    wanted = [*jobs[:place], two, *jobs[place:]]
    async with running(workspace) as pilot:
        await opened(pilot, on=two)
        await pilot.press(key)
        await until(pilot, lambda: shown(pilot) == wanted, "the order on the screen is the new one")
        assert in_order(workspace) == wanted
        assert table_of(pilot).cursor_key() == two
        await until(pilot, lambda: f"Run 2 is number {place + 1} of 4" in details_of(pilot), "it says where it is now")
        await pilot.press("down" if place < 3 else "up")
        await until(pilot, lambda: "is number" not in details_of(pilot), "the answer belongs to the job")


async def test_quick_fingers_move_a_job_all_the_way(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        jobs = [(TRAINING, add_run(writer, f"run {n}")) for n in range(6)]
    async with running(workspace) as pilot:
        await opened(pilot, on=jobs[5])
        await pilot.press("T", "J", "J", "K", "J")
        wanted = [jobs[0], jobs[1], jobs[5], *jobs[2:5]]
        await until(pilot, lambda: shown(pilot) == wanted, "the moves were made in their order")
        assert in_order(workspace) == wanted


async def test_after_a_fault_of_the_program_jobs_can_be_moved_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writer.open(workspace) as writer:
        one, two = ((TRAINING, add_run(writer, name)) for name in ("one", "two"))
    async with running(workspace) as pilot:
        await opened(pilot, on=two)
        with monkeypatch.context() as fault:
            fault.setattr(api, "move_job", lambda *_: 1 / 0)
            await pilot.press("K")
            await until(pilot, lambda: "ZeroDivisionError" in told(pilot), "the fault is told")
        await pilot.press("K")
        await until(pilot, lambda: shown(pilot) == [two, one], "the next move is made")


async def test_a_moved_job_takes_the_priority_of_its_neighbour(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        urgent, plain = add_run(writer, "urgent", priority=7), add_run(writer, "plain")
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, plain))
        await pilot.press("K")
        await until(pilot, lambda: shown(pilot) == [(TRAINING, plain), (TRAINING, urgent)], "it is first")
        await until(pilot, lambda: "Its priority is 7 now" in details_of(pilot), "the new priority is told")
        await pilot.press("K")
        await until(pilot, lambda: "first in the queue already" in details_of(pilot), "there is no place above")


async def test_what_has_started_cannot_be_moved(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "at work")
        move(writer, TRAINING, run_id, *STARTED, **ALIVE)
        waiting = [add_run(writer, name) for name in ("a", "b")]
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await pilot.press("J", "J")
        await until(pilot, lambda: "cannot be moved any more" in told(pilot), "the reason is told")
        table_of(pilot).move_to_key((TRAINING, waiting[1]))
        await pilot.press("K")
        await until(pilot, lambda: shown(pilot)[0] == (TRAINING, waiting[1]), "other moves work after it")


async def test_the_cursor_passes_over_headings_and_shows_them(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        first = add_run(writer, "first")
        for number in range(30):
            add_run(writer, f"run {number}")
        gone = add_run(writer, "gone")
        move(writer, TRAINING, gone, State.CANCELLED)
    async with running(workspace) as pilot:
        await opened(pilot)
        table = table_of(pilot)
        assert table.cursor == 1  # a heading is above it
        await pilot.press("down")
        assert table.cursor_key() == (TRAINING, first)
        await pilot.press("up", "up", "up")
        assert table.cursor == 1
        await pilot.press("end")
        assert table.cursor_key() == (TRAINING, gone)
        await pilot.press("up", "home")
        assert table.cursor == 1
        assert table.visible_keys()[0] == ("heading", "by device")
        for _ in range(40):
            await pilot.press("down")
            assert not isinstance(queue_of(pilot)._row(), Heading)
        for _ in range(40):
            await pilot.press("up")
            assert not isinstance(queue_of(pilot)._row(), Heading)
        assert "by device" in screen_text(pilot.app)


# ----- pause, worker


async def test_pausing_asks_for_a_reason_and_is_loud(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "waits")
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await pilot.press("p")
        assert isinstance(pilot.app.screen, Prompt)
        await pilot.press("escape", "p")
        pilot.app.screen.query_one(Input).value = "x" * 201
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Prompt)
        pilot.app.screen.query_one(Input).value = "demo [b]now[/b]"
        await pilot.press("enter")
        await until(pilot, lambda: "QUEUE PAUSED" in screen_text(pilot.app), "the pause is loud")
        text = screen_text(pilot.app)
        assert "demo [b]now[/b]" in text
        assert "PAUSED · 0 running · 1 waiting" in text
        assert "the queue is paused: p" in text
        assert "The queue is paused (demo [b]now[/b])" in details_of(pilot)
        with Reader(workspace) as reader:
            pause = pause_of(reader)
        assert pause is not None
        assert pause.reason == "demo [b]now[/b]"
        await pilot.press("p")
        await until(pilot, lambda: not queue_of(pilot)._model.data.paused, "the queue goes on")
        assert not api.queue_paused(workspace)
        assert not queue_of(pilot).query_one(PauseLine).display
        assert "the queue is paused: p" not in screen_text(pilot.app)


async def test_a_pause_needs_no_reason(workspace: Workspace) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await pilot.press("p", "enter")
        await until(pilot, lambda: queue_of(pilot)._model.data.paused, "it is paused")
        with Reader(workspace) as reader:
            pause = pause_of(reader)
        assert pause is not None
        assert pause.reason == ""
        await until(pilot, lambda: "nothing new is started. p lets it go on." in told(pilot), "it is told")


def test_a_reason_is_measured_without_the_blanks_around_it() -> None:
    assert check_reason("x" * 200 + "  ") == ""
    assert "1 characters too many" in check_reason("x" * 201)


async def test_the_worker_key_says_that_one_runs(workspace: Workspace) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await pilot.press("W")
        await until(pilot, lambda: f"A worker runs already (process {os.getpid()})." in told(pilot), "it is told")


def test_the_worker_key_starts_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Workspace] = []
    monkeypatch.setattr(api, "ensure_worker", lambda workspace, wait_seconds: asked.append(workspace) or True)
    assert start_worker(Workspace(tmp_path)).startswith("A worker was started")
    assert asked == [Workspace(tmp_path)]


async def test_without_a_worker_the_queue_says_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "waits")
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await until(pilot, lambda: "NO WORKER" in screen_text(pilot.app), "the facts line says it")
        assert "no worker runs: W" in screen_text(pilot.app)
        assert "No worker runs: nothing is started. W starts one." in details_of(pilot)


async def test_the_palette_can_stop_the_worker(tmp_path: Path) -> None:
    async with running(Workspace(tmp_path)) as pilot:
        await opened(pilot)
        [(title, _, stop)] = queue_of(pilot).commands()
        assert title == "Stop the worker"
        stop()
        await until(pilot, lambda: "No worker runs." in told(pilot), "there was none")


# ----- retry, cancel, stop


@pytest.mark.parametrize("kind", JobKind)
@pytest.mark.parametrize("state", [State.FAILED, State.INTERRUPTED])
async def test_a_job_that_broke_is_queued_again(workspace: Workspace, kind: JobKind, state: State) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "another")
        job_id = add_run(writer, "broke") if kind == TRAINING else add_evaluation(writer, None, Reference.BASE)
        move(writer, kind, job_id, *STARTED, state)
    async with running(workspace) as pilot:
        await opened(pilot, on=(kind, job_id))
        assert "r queues it again" in details_of(pilot)
        await pilot.press("r")
        await until(pilot, lambda: (kind, job_id) in shown(pilot), "it waits again")
        assert state_of(workspace, kind, job_id) == State.QUEUED
        assert table_of(pilot).cursor_key() == (kind, job_id)
        await until(pilot, lambda: "is queued again" in told(pilot), "it is told")


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.CANCELLED])
async def test_what_is_over_cannot_be_retried(workspace: Workspace, state: State) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "over")
        move(writer, TRAINING, run_id, *STARTED, state)
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await pilot.press("r")
        await until(pilot, lambda: f"Run 1 is {state}: it cannot be resumed" in told(pilot), "the reason is told")
        await pilot.press("x")
        await until(pilot, lambda: f"Run 1 has ended already ({state})" in told(pilot), "nothing to cancel")
        assert not isinstance(pilot.app.screen, Confirm)


async def test_retry_on_an_evaluation_that_waits_for_a_failed_run_goes_on_with_the_run(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "broke")
        waiting = add_evaluation(writer, run_id, after_run=True)
        move(writer, TRAINING, run_id, *STARTED, State.FAILED)
    async with running(workspace) as pilot:
        await opened(pilot, on=(EVALUATION, waiting))
        assert f"Run {run_id} failed" in details_of(pilot)
        assert f"Here: r goes on with run {run_id}, x drops this evaluation." in details_of(pilot)
        await pilot.press("r")
        await until(pilot, lambda: (TRAINING, run_id) in shown(pilot), "the run waits again")
        await until(pilot, lambda: "Waits for run 1 (queued)." in details_of(pilot), "the evaluation waits for it")


async def test_cancelling_asks_first(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "[red]doubt")
        add_evaluation(writer, run_id, after_run=True)
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await pilot.press("x")
        assert isinstance(pilot.app.screen, Confirm)
        text = " ".join(screen_text(pilot.app).replace("│", " ").split())
        assert "Cancel run 1 ([red]doubt) for good?" in text
        assert "The evaluation that waits for it is dropped too." in text
        await pilot.press("enter", "n")
        assert state_of(workspace, TRAINING, run_id) == State.QUEUED
        await pilot.press("x", "y")
        await until(pilot, lambda: shown(pilot) == [], "both have left the queue")
        assert state_of(workspace, TRAINING, run_id) == State.CANCELLED
        assert state_of(workspace, EVALUATION, 1) == State.CANCELLED


@pytest.mark.parametrize("kind", JobKind)
async def test_stop_and_cancel_ask_a_running_job(workspace: Workspace, kind: JobKind) -> None:
    with Writer.open(workspace) as writer:
        job_id = add_run(writer, "at work") if kind == TRAINING else add_evaluation(writer, None, Reference.BASE)
        move(writer, kind, job_id, *STARTED, **ALIVE)
    owner = {"run_id" if kind == TRAINING else "evaluation_id": job_id}
    async with running(workspace) as pilot:
        await opened(pilot, on=(kind, job_id))
        await pilot.press("s")
        await until(pilot, lambda: "stop asked for" in screen_text(pilot.app), "the row says what was asked")
        assert requests_of(workspace, **owner) == [Action.STOP]
        assert "It saves and stops at its next step." in details_of(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "a question comes first")
        assert requests_of(workspace, **owner) == [Action.STOP]
        await pilot.press("y")
        await until(pilot, lambda: "cancel asked for" in screen_text(pilot.app), "and then this")
        assert requests_of(workspace, **owner) == [Action.STOP, Action.CANCEL]
        assert "It ends for good at its next step." in details_of(pilot)
        assert "It saves" not in details_of(pilot)


async def test_stop_on_a_waiting_job_says_why_not(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "waits")
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        await pilot.press("s")
        await until(pilot, lambda: "there is nothing to save" in told(pilot), "the reason is told")


# ----- open, evaluate


@pytest.fixture
def run_screens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs whose screen was opened; the screen itself is another test's."""
    found: list[int] = []

    class RunScreen(Screen[None]):
        def __init__(self, run_id: int, others: tuple[int, ...] = ()) -> None:
            super().__init__()
            assert others == ()
            found.append(run_id)

    module = ModuleType("tui.screens.run")
    module.__dict__["RunScreen"] = RunScreen
    monkeypatch.setitem(sys.modules, "tui.screens.run", module)
    return found


async def test_enter_opens_the_run_also_that_of_an_evaluation(workspace: Workspace, run_screens: list[int]) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "first")
        second = add_run(writer, "second")
        measured = add_evaluation(writer, second)
        reference = add_evaluation(writer, None, Reference.BASE)
    async with running(workspace) as pilot:
        for key in ((TRAINING, second), (EVALUATION, measured)):
            await opened(pilot, on=key)
            await pilot.press("enter")
            await until(pilot, lambda: type(pilot.app.screen).__name__ == "RunScreen", "the run is open")
            pilot.app.pop_screen()
        assert run_screens == [second, second]
        await opened(pilot, on=(EVALUATION, reference))
        await pilot.press("enter")
        await until(pilot, lambda: "A reference row measures no run" in told(pilot), "it is told")
        assert run_screens == [second, second]


async def test_evaluate_asks_about_the_run_under_the_cursor(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("tui.dialogs.evaluate.ask_for_evaluation", lambda workbench, run: asked.append(run))
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "one")
        measured = add_evaluation(writer, run_id)
        reference = add_evaluation(writer, None, Reference.MAJORITY)
    async with running(workspace) as pilot:
        for key in ((TRAINING, run_id), (EVALUATION, measured), (EVALUATION, reference)):
            await opened(pilot, on=key)
            await pilot.press("e")
        assert asked == [run_id, run_id]
        assert "A reference row measures no run" in told(pilot)


@pytest.mark.parametrize("key", ["K", "J", "T", "B", "r", "x", "s", "e", "enter"])
async def test_a_key_without_a_job_says_so(workspace: Workspace, key: str) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await pilot.press(key)
        await until(pilot, lambda: "No job runs on this device" in told(pilot), "it is told")
        assert isinstance(pilot.app.screen, QueueScreen)


# ----- what it shows


async def test_devices_show_what_runs_and_how_far_it_is(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "at work", planned_steps=40)
        move(writer, TRAINING, run_id, *STARTED, **ALIVE)
        for step in range(1, 9):
            writer.add_metrics(run_id, step, {"loss": 0.25, "step_seconds": 2.0})
        away = add_run(writer, "far away")
        move(writer, TRAINING, away, *STARTED, **{**ALIVE, "host": "other.example"})
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        row = next(line for line in screen_text(pilot.app).splitlines() if line.startswith("cpu "))
        assert "run 1" in row
        assert "8/40" in row
        assert "██" in row
        assert "1m04s" in row
        assert "Step 8 of 40, about 1 min 04 s left, loss 0.25." in details_of(pilot)
        assert "2 running · 0 waiting" in screen_text(pilot.app)
        assert "cpu@other" in screen_text(pilot.app)


async def test_an_evaluation_shows_its_cases_and_its_time_left(workspace: Workspace) -> None:
    now = time.time()
    with Writer.open(workspace) as writer:
        measured = add_evaluation(writer, None, Reference.BASE, split=Split.VALIDATION)
        move(writer, EVALUATION, measured, *STARTED, n=10, **ALIVE)
        writer.update(EVALUATION, measured, started_at=now - 30.0, heartbeat=now, load_seconds=10.0)
        writer.add_predictions(measured, [prediction("a.png"), prediction("b.png")])
    async with running(workspace) as pilot:
        await opened(pilot, on=(EVALUATION, measured))
        assert "evaluation 1 Q7 validation of untuned assets/base-model" in details_of(pilot)
        assert "Case 2 of 10, about 1 min 20 s left." in details_of(pilot)
        assert "a reference row" in details_of(pilot)


@pytest.mark.parametrize(
    ("step", "planned", "heartbeat", "left"),
    [(0, 10, 1040.0, None), (5, None, 1040.0, None), (5, 10, None, None), (5, 10, 1005.0, None), (12, 10, 1040.0, 0.0),
     (5, 10, 1040.0, 30.0)],
)  # fmt: skip
def test_time_left_of_an_evaluation(
    step: int, planned: int | None, heartbeat: float | None, left: float | None
) -> None:
    job = api.RunningJob(
        kind=EVALUATION, id=1, name="x", question="Q7", split=Split.TEST, dataset="d", model="m", reference=None,
        run_id=1, state=State.RUNNING, reason="", priority=0, queued_at=0.0, planned_steps=planned,
        shown_state="running", host=None, device="cpu", started_at=1000.0, heartbeat=heartbeat, step=step, loss=None,
    )  # fmt: skip
    assert measuring_seconds_left(job, load_seconds=10.0) == left


async def test_a_silent_run_is_lost_and_not_running(workspace: Workspace) -> None:
    with Writer.open(workspace, clock=lambda: time.time() - 100.0) as writer:
        run_id = add_run(writer, "silent", planned_steps=9)
        move(writer, TRAINING, run_id, *STARTED, **ALIVE)
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        text = screen_text(pilot.app)
        assert "? lost at 0/9" in text
        assert "0 running · 0 waiting · 1 lost" in text
        assert "No sign of life (the last was at" in details_of(pilot)
        assert "▶" not in text


async def test_what_ended_says_why_and_what_to_do(workspace: Workspace) -> None:
    trace = "\n".join(["Traceback", *(f"  line [b]{number}[/b]" for number in range(30)), "the last line"])
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "broke")
        move(writer, TRAINING, run_id, *STARTED, State.FAILED, error_title="Out of memory", error_detail=trace,
             error_next_step="Lower batch.")  # fmt: skip
        quiet = add_run(writer, "done")
        succeed(writer, TRAINING, quiet)
    async with running(workspace) as pilot:
        await opened(pilot, on=(TRAINING, run_id))
        assert "✗ failed" in screen_text(pilot.app)
        assert "Out of memory → Lower batch." in details_of(pilot)
        pages = []
        for _ in range(12):
            pages.append(details_of(pilot))
            await pilot.press("space")
            if "the last line" in pages[-1]:
                break
        assert "line [b]29[/b]" in " ".join(pages)
        assert "the last line" in pages[-1]
        await until(pilot, lambda: details_of(pilot) == pages[0], "after the last page the first comes again")
        await pilot.press("space", "up")
        await until(pilot, lambda: details_of(pilot).startswith("run 2 done"), "another row begins at its beginning")
        assert table_of(pilot).cursor_key() == (TRAINING, quiet)


async def test_a_blocked_evaluation_says_what_it_waits_for(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "first")
        waiting = add_evaluation(writer, run_id, after_run=True)
    async with running(workspace, (200, 50)) as pilot:
        await opened(pilot, on=(EVALUATION, waiting))
        assert "waits for run 1 (queued)" in screen_text(pilot.app)
        assert "Q7 test" in screen_text(pilot.app)
        assert "number 2 of 2, priority 0" in details_of(pilot)
        table_of(pilot).move_to_key((TRAINING, run_id))
        await until(pilot, lambda: "It waits for a free device" in details_of(pilot), "the run is only in line")


async def test_a_free_device_says_why_nothing_comes(workspace: Workspace) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Nothing waits." in details_of(pilot), "nothing is queued")
        with Writer.open(workspace) as writer:
            run_id = add_run(writer, "one")
            add_evaluation(writer, run_id, after_run=True)
        await until(pilot, lambda: "starts the next job here" in details_of(pilot), "a job has come")
        with Writer.open(workspace) as writer:
            move(writer, TRAINING, run_id, *STARTED, **{**ALIVE, "device": "cuda:9"})
        await until(pilot, lambda: "kept by another" in details_of(pilot), "what waits cannot start")
        api.pause_queue(workspace)
        await until(pilot, lambda: "The queue is paused: nothing new" in details_of(pilot), "it is paused")


async def test_the_cursor_stays_with_its_job_from_the_queue_to_the_end(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "other")
        run_id = add_run(writer, "mine")
        async with running(workspace) as pilot:
            await opened(pilot, on=(TRAINING, run_id))
            move(writer, TRAINING, run_id, *STARTED, **ALIVE)
            await until(pilot, lambda: "running on cpu" in details_of(pilot), "it runs")
            assert writer.transition(TRAINING, run_id, State.RUNNING, State.FAILED, "it broke")
            await until(pilot, lambda: "failed" in details_of(pilot), "it has ended")
            assert table_of(pilot).cursor_key() == (TRAINING, run_id)


async def test_hostile_text_is_shown_as_text(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, HOSTILE)
        move(writer, TRAINING, run_id, *STARTED, **{**ALIVE, "host": HOSTILE})
        broke = add_run(writer, HOSTILE + "2")
        waits = add_evaluation(writer, broke, after_run=True, question="[b]Q7")
        writer.transition(TRAINING, broke, State.QUEUED, State.STARTING, HOSTILE)
        writer.transition(TRAINING, broke, State.STARTING, State.FAILED, HOSTILE, error_title=HOSTILE,
                          error_next_step=HOSTILE, error_detail=HOSTILE)  # fmt: skip
    api.pause_queue(workspace, "[/b]\x1b[2J" + "\u202e" + "w" * 150)
    for size in ((80, 24), (40, 10), (200, 50)):
        async with running(workspace, size) as pilot:
            for key in ((TRAINING, run_id), (TRAINING, broke), (EVALUATION, waits)):
                await opened(pilot, on=key)
                text = screen_text(pilot.app)
                assert not {"\x1b", "\u202e", "\x07", "\r", "\x9b"} & set(text)
                await pilot.press("x")
                if key == (TRAINING, broke):
                    await until(pilot, lambda: "has ended already" in told(pilot), "there is nothing to cancel")
                    continue
                assert isinstance(pilot.app.screen, Confirm)
                assert not {"\x1b", "\u202e"} & set(screen_text(pilot.app))
                await pilot.press("escape")


async def test_a_tiny_window_and_back(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        jobs = [add_run(writer, f"run {n}") for n in range(12)]
    api.pause_queue(workspace, "why")
    async with running(workspace, (40, 10)) as pilot:
        await opened(pilot, on=(TRAINING, jobs[6]))
        await pilot.press("K", "left", "right", "pagedown", "pageup", "space", "J")
        for size in ((20, 4), (200, 50), (40, 10), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await until(pilot, lambda: "waiting" in screen_text(pilot.app), "the list at its last size")
        assert table_of(pilot).cursor_key() in {(TRAINING, job) for job in jobs}


async def test_an_empty_workspace_stays_empty(tmp_path: Path) -> None:
    async with running(Workspace(tmp_path)) as pilot:
        await opened(pilot)
        text = screen_text(pilot.app)
        assert "free" in text
        assert "none" in text
        assert "0 running · 0 waiting" in text
        assert list(tmp_path.iterdir()) == []


async def test_every_key_is_explained(workspace: Workspace) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        text = "\n".join("".join(piece for piece, _ in paragraph) for paragraph in help_text(pilot.app.screen))
        for binding in QueueScreen.BINDINGS:
            assert binding.id.startswith("queue.")
            if binding.action != "open_run":
                assert binding.tooltip in text
        last = screen_text(pilot.app).splitlines()[-1]
        assert [word for word in ("up", "down", "pause", "retry", "cancel", "stop", "help") if word not in last] == []


def test_equal_states_are_equal_answers(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run_id = add_run(writer, "broke")
        move(writer, TRAINING, run_id, *STARTED, State.FAILED, error_title="It broke", error_detail="why")
        live = api.Live(workspace)
        question = QueueQuestion(workspace)
        first = question(live)
        assert question(live) == first
        assert first.rows[-1].error_detail == "why"
        # It ends again, for another reason: what is remembered of the first end is not shown.
        assert writer.transition(TRAINING, run_id, State.FAILED, State.QUEUED, "again")
        move(writer, TRAINING, run_id, *STARTED, State.FAILED, error_title="It broke", error_detail="other")
        assert question(live).rows[-1].error_detail == "other"
        live.close()


def test_facts_put_first_what_keeps_everything() -> None:
    assert queue_text.facts(QueueData(waiting=2, worker=False)) == "NO WORKER · 0 running · 2 waiting"
    assert queue_text.facts(QueueData(worker=False)) == "0 running · 0 waiting"
    assert queue_text.facts(QueueData(waiting=2, paused=True, worker=False, lost=1)).startswith("PAUSED · 0 running")
