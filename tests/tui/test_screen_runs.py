"""The list of runs: what it says of each, its filter, its marks, its keys, with none and with ten thousand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker
from run_helpers import TRAINING, end, every_state, start, train
from seeding import seed_board
from store_helpers import add_run, workspace_at
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input, OptionList
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.text import plain
from engine.types import Action, State
from engine.workspace import Workspace
from tui.dialogs.confirm import Confirm
from tui.screens.help import HelpScreen, help_text
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.widgets.filterbar import FilterBar
from tui.widgets.footer import Footer
from tui.widgets.header import Header
from tui.widgets.table import Table

pytestmark = pytest.mark.usefixtures("brisk")
SIZES = [(80, 24), (200, 50), (40, 10)]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in which nothing is started."""
    found = workspace_at(tmp_path)
    with no_worker(found):
        yield found


@asynccontextmanager
async def opened(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """The list with its first rows."""
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: runs_of(pilot)._model.data.rows, "the runs are read")
        yield pilot


def runs_of(pilot: Pilot[Any]) -> RunsScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, RunsScreen))


def rows_of(pilot: Pilot[Any]) -> list[str]:
    return widget_text(runs_of(pilot).query_one(Table)).split("\n")[1:]


def row_of(pilot: Pilot[Any], name: str) -> str:
    return next((row for row in rows_of(pilot) if name in row), "")


def toasts(pilot: Pilot[Any]) -> list[str]:
    return [notification.message for notification in pilot.app._notifications]


def second_line(pilot: Pilot[Any]) -> str:
    return widget_text(pilot.app.screen.query_one(Header)).split("\n")[1]


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """As a terminal sends text that is pasted: one after the other without a pause."""
    pilot.app.screen.query_one(Input).insert_text_at_cursor(text)
    await pilot.pause()


def some_runs(workspace: Workspace, count: int) -> None:
    with Writer.open(workspace) as writer:
        for number in range(1, count + 1):
            add_run(writer, f"run-{number}")


# ----- what is shown


async def test_every_state_has_its_word_and_its_sign(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        every_state(writer)
    async with opened(workspace) as pilot:
        signs = {"succeeded": "✓", "failed": "✗", "interrupted": "‖", "cancelled": "-", "running": "▶"}
        signs |= {"lost": "?", "starting": "▷", "queued": "…"}
        for state, sign in signs.items():
            assert f"{sign} {state} " in row_of(pilot, f"run-{state}"), state
        assert [row.split()[1] for row in rows_of(pilot)[:2]] == ["run-queued", "run-starting"], "the newest on top"
        assert "8 runs · 2 running · 1 lost" in second_line(pilot)
        await until(pilot, lambda: "2 running · 1 lost" in screen_text(pilot.app).split("\n")[0], "the status")


async def test_a_row_says_how_far_it_is_how_long_it_takes_and_how_well_it_goes(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        every_state(writer)
    async with opened(workspace, (200, 24)) as pilot:
        await until(pilot, lambda: "▁" in row_of(pilot, "run-running"), "the course is drawn")
        running = row_of(pilot, "run-running")
        assert "50%" in running and " 10s " in running and " 0.2 " in running
        lost = row_of(pilot, "run-lost")
        assert "60%" in lost and "8s" not in lost, "how long a silent run will take, nobody knows"
        assert "4/10" in row_of(pilot, "run-failed") and " 0.25 " in row_of(pilot, "run-failed"), "its last loss"
        succeeded = row_of(pilot, "run-succeeded")
        assert "4/10" in succeeded and " 0.5 " in succeeded and "3m20s" in succeeded
        assert "phantoms" in running


async def test_a_run_that_falls_silent_becomes_lost_without_a_write(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui import clock
    from tui.screens import runs as module

    monkeypatch.setattr(module, "TIME_SECONDS", 0.0)
    with Writer.open(workspace) as writer:
        start(writer, add_run(writer, "mine", planned_steps=10), 2)
    async with opened(workspace) as pilot:
        await until(pilot, lambda: "▶ running" in row_of(pilot, "mine"), "it runs")
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + 60)
        await until(pilot, lambda: "? lost" in row_of(pilot, "mine"), "and is lost")
        assert "0 running · 1 lost" in second_line(pilot)
        with Writer.open(workspace) as writer:
            writer.update(TRAINING, 1, heartbeat=now + 60)
        await until(pilot, lambda: "▶ running" in row_of(pilot, "mine"), "and found again")


async def test_progress_and_end_of_a_run_are_followed(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run = start(writer, add_run(writer, "mine", planned_steps=10), 2)
        async with opened(workspace) as pilot:
            await until(pilot, lambda: "20%" in row_of(pilot, "mine"), "20 %")
            train(writer, run, 3, 5)
            await until(pilot, lambda: "50%" in row_of(pilot, "mine"), "50 %")
            end(writer, run, State.FAILED, "out of memory")
            await until(pilot, lambda: "✗ failed" in row_of(pilot, "mine"), "failed")
            add_run(writer, "another")
            await until(pilot, lambda: row_of(pilot, "another"), "a new run")
            assert runs_of(pilot).chosen_run() == run, "the cursor stays on its run"


async def test_before_the_first_answer_nothing_is_claimed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = workbench(workspace)
    monkeypatch.setattr(app.poller, "start", lambda: None)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "progress" in screen_text(app), "the table is drawn")
        assert "No runs yet" not in screen_text(app)


async def test_an_empty_workspace_says_what_to_do_and_no_key_breaks_it(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "No runs yet" in screen_text(pilot.app), "it says so")
        await pilot.press("enter", "space", "o", "s", "x", "r", "c", "E", "t", "n", "R")
        assert isinstance(pilot.app.screen, RunsScreen) and not toasts(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_are_text(workspace: Workspace, size: tuple[int, int]) -> None:
    with Writer.open(workspace) as writer:
        start(writer, add_run(writer, HOSTILE), 2)
        writer.set_tags(1, ["[red]tag[/red]", "\x1b[31m"])
        add_run(writer, "[b]bold[/b]")
    async with opened(workspace, size) as pilot:
        text = screen_text(pilot.app)
        assert plain(text) == text and "[2J" in text and "[b]bold[/b]" in text
        assert all(len(line) <= size[0] for line in text.split("\n"))
        await pilot.press("down", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "the question")
        assert plain(screen_text(pilot.app)) == screen_text(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_essential_is_in_sight(workspace: Workspace, size: tuple[int, int]) -> None:
    with Writer.open(workspace) as writer:
        every_state(writer)
    async with opened(workspace, size) as pilot:
        assert "… queued" in row_of(pilot, "run-queued")
        first, *_, last = screen_text(pilot.app).split("\n")
        assert "3 Runs" in first and "enter open" in last and "? help" in last
        if size[0] >= 80:
            assert "4 Queue" in first and "‖ interrupted" in row_of(pilot, "run-interrupted")
        for keys in (("end",), ("right",) * 3, ("pageup",), ("left",) * 3, ("home",)):
            await pilot.press(*keys)
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: "… queued" in row_of(pilot, "run-queued"), "a small window")
        await pilot.resize_terminal(*size)


# ----- the filter


async def test_a_filter_filters_while_one_types(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        every_state(writer)
    async with opened(workspace) as pilot:
        await pilot.press("slash")
        assert isinstance(pilot.app.focused, FilterBar)
        assert screen_text(pilot.app).split("\n")[-1].startswith(" enter keep  esc no filter  tab complete")
        assert "/ filter" not in screen_text(pilot.app).split("\n")[-1], "that key is text now"
        await type_text(pilot, "state = failed")
        await until(pilot, lambda: len(runs_of(pilot)._model.data.rows) == 1, "one is left")
        assert "filter: state = failed" in second_line(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, Table)
        assert "state = failed" in screen_text(pilot.app), "the filter stays in sight"
        await pilot.press("slash", "escape")
        await until(pilot, lambda: len(runs_of(pilot)._model.data.rows) == 8, "all are back")
        assert isinstance(pilot.app.focused, Table) and not runs_of(pilot).query_one(FilterBar).display


async def test_words_are_completed(workspace: Workspace) -> None:
    some_runs(workspace, 2)
    async with opened(workspace) as pilot:
        await pilot.press("slash", "s", "t", "a")
        bar = runs_of(pilot).query_one(FilterBar)
        await until(pilot, lambda: bar._suggestion == "state", "the column is offered")
        await pilot.press("tab")
        assert bar.value == "state"
        await pilot.press("tab", "tab")
        assert isinstance(pilot.app.focused, FilterBar), "tab never leaves it"


async def test_a_filter_with_an_error_says_what_is_wrong_and_leaves_the_rows(workspace: Workspace) -> None:
    some_runs(workspace, 3)
    async with opened(workspace) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "stat = x")
        bar = runs_of(pilot).query_one(FilterBar)
        await until(pilot, lambda: bar.has_class("-invalid"), "it is seen to be wrong")
        assert "stat = x" in widget_text(bar) and "no such column. Did you mean state?" in widget_text(bar)
        assert "no such column" in second_line(pilot)
        assert bar.size.height == 1, "in its own line"
        assert len([row for row in rows_of(pilot) if "run-" in row]) == 3
        await pilot.press("ctrl+u")
        await until(pilot, lambda: not bar.has_class("-invalid"), "all is well")
        assert "no such column" not in screen_text(pilot.app)


async def test_a_filter_that_nothing_fits_says_so(workspace: Workspace) -> None:
    some_runs(workspace, 1)
    async with opened(workspace) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "name = zzz")
        await until(pilot, lambda: "No run fits the filter" in screen_text(pilot.app), "it says so")
        assert "No runs yet" not in screen_text(pilot.app)


@pytest.mark.parametrize("text", [HOSTILE, "(" * 300, "'", "[b] = [/b]", "a" * 5000])
async def test_hostile_filters_break_nothing(workspace: Workspace, text: str) -> None:
    some_runs(workspace, 1)
    async with opened(workspace) as pilot:
        await pilot.press("slash")
        await type_text(pilot, text)
        await until(pilot, lambda: runs_of(pilot)._filter, "it was asked for")
        await pilot.press("escape")
        await until(pilot, lambda: row_of(pilot, "run-1"), "and taken away")


# ----- marks and overlay


async def test_up_to_five_runs_are_marked_and_opened_together(workspace: Workspace) -> None:
    some_runs(workspace, 7)
    async with opened(workspace) as pilot:
        screen = runs_of(pilot)
        await pilot.press(*["space"] * 6)
        assert screen._model.marked == [7, 6, 5, 4, 3]
        assert toasts(pilot) == ["At most 5 runs fit into one chart."]
        assert [row[0] for row in rows_of(pilot)[:7]] == ["●"] * 5 + [" "] * 2
        assert "5 marked" in second_line(pilot)
        await pilot.press("home", "space")
        assert screen._model.marked == [6, 5, 4, 3]
        await pilot.press("home", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run screen")
        opened_run = pilot.app.screen
        assert isinstance(opened_run, RunScreen)
        assert (opened_run.run_id, opened_run._curves.others) == (7, (6, 5, 4, 3))
        await until(pilot, lambda: opened_run._curves.labels.get(3) == "run-3", "the others have their names")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen), "back")
        assert screen._model.marked == [6, 5, 4, 3]


async def test_the_run_under_the_cursor_comes_first_even_if_it_is_marked(workspace: Workspace) -> None:
    some_runs(workspace, 3)
    async with opened(workspace) as pilot:
        await pilot.press("space", "space", "up", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run screen")
        assert isinstance(pilot.app.screen, RunScreen)
        assert (pilot.app.screen.run_id, pilot.app.screen._curves.others) == (2, (3,))


@pytest.mark.parametrize("way", ["enter", "double click"])
async def test_a_run_is_opened(workspace: Workspace, way: str) -> None:
    some_runs(workspace, 3)
    async with opened(workspace) as pilot:
        if way == "enter":
            await pilot.press("down", "enter")
        else:
            await pilot.click(runs_of(pilot).query_one(Table), offset=(12, 2), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run screen")
        assert isinstance(pilot.app.screen, RunScreen)
        assert (pilot.app.screen.run_id, pilot.app.screen._curves.others) == (2, ())
        assert len(pilot.app.screen_stack) == 2, "it is opened once"


# ----- keys


async def test_number_keys_switch_and_come_back(workspace: Workspace) -> None:
    some_runs(workspace, 1)
    async with opened(workspace) as pilot:
        for key, mode in (("1", "dataset"), ("2", "launch"), ("4", "queue"), ("5", "leaderboard"), ("3", "runs")):
            await pilot.press(key)
            await until(pilot, lambda mode=mode: pilot.app.current_mode == mode, mode)
        await until(pilot, lambda: row_of(pilot, "run-1"), "the runs are there")


async def test_help_lists_every_binding_that_acts_with_its_name(workspace: Workspace) -> None:
    some_runs(workspace, 1)
    async with opened(workspace) as pilot:
        screen = pilot.app.screen
        lines = ["".join(text for text, _ in paragraph) for paragraph in help_text(screen)]
        for key, active in screen.active_bindings.items():
            if active.binding.description and not active.binding.system:
                words = active.binding.tooltip or active.binding.description
                fitting = [line for line in lines if words in line and line.endswith(active.binding.id or words)]
                assert fitting, f"{key} {active.binding}"
        assert lines[0] == "This screen" and lines[1].startswith("enter"), "what matters most comes first"
        assert next(line for line in lines if line.endswith("run.cancel")).split()[:2] == ["X", "x"]
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "help")
        assert "runs.mark" in screen_text(pilot.app)
        await pilot.press("question_mark", "end")
        assert "not for clinical use" in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.screen is screen


@pytest.mark.parametrize("size", SIZES)
async def test_help_fits_every_window(workspace: Workspace, size: tuple[int, int]) -> None:
    some_runs(workspace, 1)
    async with opened(workspace, size) as pilot:
        await pilot.press("f1")
        await until(pilot, lambda: "This screen" in screen_text(pilot.app), "help")
        await pilot.press("pagedown", "end", "home", "escape")
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_a_click_in_the_footer_presses_the_key(workspace: Workspace) -> None:
    some_runs(workspace, 1)
    async with opened(workspace) as pilot:
        footer = pilot.app.screen.query_one(Footer)
        await pilot.click(footer, offset=(widget_text(footer).index("filter"), 0))
        await until(pilot, lambda: isinstance(pilot.app.focused, FilterBar), "the filter")
        await pilot.press("escape")
        await pilot.click(footer, offset=(78, 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "help")


async def test_cancel_asks_first_and_q_leaves(workspace: Workspace) -> None:
    some_runs(workspace, 2)
    async with opened(workspace) as pilot:
        for key in ("n", "escape", "y"):
            await pilot.press("X")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "the question")
            assert "Cancel run 2, run-2, for good?" in screen_text(pilot.app)
            assert "leaves the queue" in screen_text(pilot.app)
            await pilot.press(key)
            if key != "y":
                assert "… queued" in row_of(pilot, "run-2")
        await until(pilot, lambda: "- cancelled" in row_of(pilot, "run-2"), "cancelled")
        await pilot.press("x")
        await until(pilot, lambda: "Run 2 has ended already (cancelled)." in toasts(pilot), "nothing is left to cancel")
        await pilot.press("q")
        await until(pilot, lambda: pilot.app._exit, "it leaves")


async def test_a_running_run_is_asked_to_stop(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        start(writer, add_run(writer, "mine", planned_steps=10), 2)
    async with opened(workspace) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "Run 1 saves and stops at its next step." in toasts(pilot), "it is told")
        with Reader(workspace) as reader:
            assert [request.action for request in reader.requests(run_id=1)] == [Action.STOP]


# ----- the palette


def palette_lines(pilot: Pilot[Any]) -> list[str]:
    listed = pilot.app.screen.query_one(OptionList)
    return [str(listed.get_option_at_index(number).prompt) for number in range(listed.option_count)]


async def test_the_palette_has_the_commands_of_the_screen_and_the_runs_by_name(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, "ordinary")
        add_run(writer, HOSTILE)
    async with opened(workspace) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette), "the palette")
        await until(pilot, lambda: len(palette_lines(pilot)) > 10, "commands")
        text = "\n".join(palette_lines(pilot))
        for wanted in ("Overlay", "Stop", "Leaderboard", "Theme", "Quit", "Run 1: ordinary", "(X)", "[red]x[/red]"):
            assert wanted in text, wanted
        assert plain(text) == text
        assert "Screenshot" not in text and "Page down" not in text, "nothing that is of no use here"
        await type_text(pilot, "ordin")
        await until(pilot, lambda: len(palette_lines(pilot)) == 1, "found by name")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "opened")
        assert isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run_id == 1


async def test_a_command_of_the_palette_acts(workspace: Workspace) -> None:
    some_runs(workspace, 2)
    async with opened(workspace) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette), "the palette")
        await type_text(pilot, "end for good")
        await until(
            pilot, lambda: [line.split("\n")[0] for line in palette_lines(pilot)] == ["Cancel"], "found by words"
        )
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asks as the key does")
        await pilot.press("ctrl+p")
        assert isinstance(pilot.app.screen, Confirm), "a dialog has no palette"


@pytest.mark.parametrize("query", ["w" * 40, "  ", "[b", "\u05e9", "zzzz"])
async def test_the_palette_takes_any_query(workspace: Workspace, query: str) -> None:
    with Writer.open(workspace) as writer:
        add_run(writer, HOSTILE)
    async with opened(workspace) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette), "the palette")
        await type_text(pilot, query)
        await until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count or not query.strip(), "answered")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen), "closed")


# ----- ten thousand runs


async def test_ten_thousand_runs_are_read_once_while_one_makes_progress(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_board(workspace, 10_000)
    read: list[int] = []
    courses: list[int] = []
    real_list, real_curve = Reader.run_list, Reader.sampled_curve
    monkeypatch.setattr(Reader, "run_list", lambda *given, **named: read.append(1) or real_list(*given, **named))
    monkeypatch.setattr(Reader, "sampled_curve", lambda *given: courses.append(given[1]) or real_curve(*given))
    with Writer.open(workspace) as writer:
        run = start(writer, add_run(writer, "mine", planned_steps=1000), 1)
        async with opened(workspace) as pilot:
            await until(pilot, lambda: "10001 runs" in second_line(pilot), "all are listed")
            before = len(read)
            for step in (100, 250, 500):
                writer.add_metrics(run, step, {"loss": 0.5})
                percent = f" {step / 1000:.0%}"
                await until(pilot, lambda percent=percent: percent in row_of(pilot, "mine"), percent)
            assert len(read) == before, "between two events only active runs are read"
            assert set(courses) <= {run}, "and the courses of runs that have ended are not read again"
            await pilot.press("end")
            await until(pilot, lambda: row_of(pilot, "baseline-q7-00001"), "the last one")
            assert runs_of(pilot).chosen_run() == 1


async def test_courses_are_read_for_what_comes_into_sight(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        for number in range(90):
            start(writer, add_run(writer, f"run-{number}", planned_steps=4), 3)
            end(writer, number + 1, State.SUCCEEDED)
    async with opened(workspace) as pilot:
        data = runs_of(pilot)._model.data
        await until(pilot, lambda: len(data.courses) == 60, "of the newest")
        await pilot.press("end")
        await until(pilot, lambda: "▁" in row_of(pilot, "run-0 "), "of the oldest, once they are seen")
        with Writer.open(workspace) as writer:
            add_run(writer, "newest")
        await until(pilot, lambda: len(runs_of(pilot)._model.data.rows) == 91, "another answer")
        assert "▁" in row_of(pilot, "run-0 "), "they are kept"
