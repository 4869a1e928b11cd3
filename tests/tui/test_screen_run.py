"""One run, live: its head, its panes, its charts, what can be done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import no_worker
from run_helpers import TRAINING, end, start, train
from store_helpers import add_evaluation, add_run, score, workspace_at
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.recipe.reading import parse_recipe
from engine.recipe.writing import recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.telemetry import GpuSample, HostSample
from engine.text import plain
from engine.types import Action, JobKind, State
from engine.workspace import Workspace
from tui import clock
from tui.dialogs.choose import Choose
from tui.dialogs.confirm import Confirm
from tui.dialogs.evaluate import EvaluateDialog
from tui.dialogs.prompt import Prompt
from tui.screens.run import PANES, RunScreen
from tui.screens.run_head import RunHead
from tui.screens.run_log import LogFeed, paragraph_of, paragraphs_of
from tui.widgets.chart import Chart
from tui.widgets.gauge import Gauges
from tui.widgets.header import Header
from tui.widgets.lines import Lines
from tui.widgets.tabstrip import TabStrip

pytestmark = pytest.mark.usefixtures("brisk")
SIZES = [(80, 24), (200, 50), (40, 10)]
RECIPE = {"name": "mine", "data": {"dataset": "phantoms"}, "training": {"seed": 7}}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in which nothing is started."""
    found = workspace_at(tmp_path)
    with no_worker(found):
        yield found


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as found:
        yield found


def add_mine(writer: Writer, name: str = "mine", steps: int = 5, planned: int = 10) -> int:
    """A run that trains, with a recipe that can be read."""
    text = recipe_json(parse_recipe(RECIPE, "test"))
    run = writer.create_run(name, text, "phantoms", "d" * 64, "s" * 64, "assets/base-model", 42, planned_steps=planned)
    return start(writer, run, steps)


@asynccontextmanager
async def opened(
    workspace: Workspace, run: int = 1, others: tuple[int, ...] = (), size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[Any]]:
    """The screen of a run with its first data."""
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=size) as pilot:
        screen = RunScreen(run, others)
        pilot.app.push_screen(screen)
        await until(pilot, lambda: screen._view, "the run is read")
        await until(pilot, lambda: screen._curve_watch and screen._curve_watch._asked_at > 0, "its curves are read")
        yield pilot


def run_of(pilot: Pilot[Any]) -> RunScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, RunScreen))


def text_of(pilot: Pilot[Any], kind: type[Widget] | str) -> str:
    return widget_text(run_of(pilot).query_one(kind))  # type: ignore[arg-type]


def losses(pilot: Pilot[Any], run: int = 1) -> dict[int, float]:
    curve = run_of(pilot)._curves._curves[run, "loss"]
    return dict(zip(np.asarray(curve.steps).tolist(), np.asarray(curve.values).tolist(), strict=True))


def toasts(pilot: Pilot[Any]) -> list[str]:
    return [notification.message for notification in pilot.app._notifications]


async def dialog(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind), kind.__name__)
    return pilot.app.screen


async def back(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run screen")


async def write_text(pilot: Pilot[Any], text: str) -> None:
    line = pilot.app.screen.query_one(Input)
    line.value = text
    await pilot.press("enter")


# ----- the head


async def test_the_head_says_how_the_run_goes(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    writer.set_tags(1, ["paper", "[b]odd[/b]"])
    async with opened(workspace) as pilot:
        await until(pilot, lambda: "loss 0.2" in text_of(pilot, RunHead), "the newest loss")
        first, second = text_of(pilot, RunHead).split("\n")
        assert "▶ running  training on cpu" in first and "50% 5/10" in first
        assert "left 10 s" in second and "step 2 s" in second and "tags [b]odd[/b], paper" in second
        assert "Runs › run 1: mine" in text_of(pilot, Header)
        train(writer, 1, 6, 8)
        await until(pilot, lambda: "80% 8/10" in text_of(pilot, RunHead), "it goes on")
        await until(pilot, lambda: "loss 0.125" in text_of(pilot, RunHead), "the loss too")
        end(writer, 1, State.SUCCEEDED, "trained for 3 epochs", train_seconds=75.0, final_loss=0.11)
        await until(pilot, lambda: "✓ succeeded  trained for 3 epochs" in text_of(pilot, RunHead), "its end")
        assert "trained in 1 min 15 s   loss 0.11" in text_of(pilot, RunHead)


async def test_a_failed_run_says_what_went_wrong_and_what_to_do(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    detail = "CUDA out of memory. Tried to allocate 2.31 GiB, with [b]markup[/b].\nTraceback: line 1\nline 2"
    step = "Set training.batch to 1, or model.quantization to 4bit, and then go on with it by `sonotune resume 1`."
    error = {"error_title": "The GPU ran out of memory", "error_detail": detail, "error_next_step": step}
    async with opened(workspace) as pilot:
        end(writer, 1, State.FAILED, "out of memory", **error)
        await until(pilot, lambda: "✗ failed  out of memory" in text_of(pilot, RunHead), "it failed")
        await until(pilot, lambda: "`sonotune resume 1`" in " ".join(text_of(pilot, RunHead).split()), "the next step")
        head = " ".join(text_of(pilot, RunHead).split())
        assert "The GPU ran out of memory CUDA out of memory. Tried to allocate" in head and "[b]markup[/b]" in head
        assert "Traceback" not in head, "only its first line"
        await pilot.press("shift+tab")
        await until(pilot, lambda: "next step" in text_of(pilot, "#facts"), "the facts")
        facts = text_of(pilot, "#facts")
        assert "Traceback: line 1" in facts and "next step" in facts and "failed: out of memory" in facts
        await pilot.press("r")
        await until(pilot, lambda: "… queued" in text_of(pilot, RunHead), "resumed")
        assert "out of memory" not in text_of(pilot, RunHead)


async def test_a_silent_run_is_lost(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    writer.update(TRAINING, 1, heartbeat=clock.now() - 95)
    async with opened(workspace, size=(120, 24)) as pilot:
        head = text_of(pilot, RunHead)
        assert "? lost  no sign of life; last one 1 min ago" in head and "left" not in head
        writer.update(TRAINING, 1, heartbeat=None)
        await until(pilot, lambda: "last one never" in text_of(pilot, RunHead), "it never had one")


async def test_a_run_that_falls_silent_is_seen_as_lost_without_a_write(
    workspace: Workspace, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.screens import run as module

    monkeypatch.setattr(module, "TIME_SECONDS", 0.0)
    now = clock.now()
    writer.update(TRAINING, add_mine(writer), heartbeat=now)
    async with opened(workspace, size=(120, 24)) as pilot:
        for later, words in ((40, "40 s ago"), (3700, "1 h ago")):
            monkeypatch.setattr(clock, "now", lambda later=later: now + later)
            await until(pilot, lambda words=words: f"last one {words}" in text_of(pilot, RunHead), words)
            await until(pilot, lambda: "? lost" in text_of(pilot, RunHead), "lost")


async def test_a_run_that_is_not_there_is_told(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(RunScreen(99))
        await until(pilot, lambda: "There is no run 99" in screen_text(pilot.app), "it is told")
        await pilot.press("escape")
        await until(pilot, lambda: "There is no run 99" not in screen_text(pilot.app), "and left behind")


# ----- panes


async def test_every_pane_by_keys_and_by_mouse(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    evaluation = add_evaluation(writer, 1)
    writer.add_scores(
        evaluation, [score("balanced_accuracy", 0.7), score("mcc", None), score("auroc", 0.4, "view:Head")]
    )
    api.add_note(workspace, 1, "looks [b]odd[/b]\nsecond line")
    words = {
        "log": "has not written anything",
        "events": "looks [b]odd[/b]",
        "recipe": 'dataset                 "phantoms"',
        "scores": "Q7 on test: queued",
        "facts": "model        assets/base-model",
    }
    async with opened(workspace) as pilot:
        screen = run_of(pilot)
        for pane in (*PANES[1:], PANES[0]):
            await pilot.press("tab")
            assert f"[{pane}]" in text_of(pilot, TabStrip)
            assert screen.query_one(f"#{pane}").display
            if pane in words:
                await until(pilot, lambda pane=pane: words[pane] in text_of(pilot, f"#{pane}"), words[pane])
                assert isinstance(pilot.app.focused, Lines), "its keys act at once"
        await pilot.press("left_square_bracket", "shift+tab", "right_square_bracket")
        assert "[facts]" in text_of(pilot, TabStrip)
        await pilot.click(TabStrip, offset=(text_of(pilot, TabStrip).index("events") + 1, 0))
        await until(pilot, lambda: "[events]" in text_of(pilot, TabStrip), "by the mouse")
        await pilot.click(TabStrip, offset=(75, 0))
        assert "[events]" in text_of(pilot, TabStrip)
        api.add_note(workspace, 1, "another note")
        await until(pilot, lambda: "another note" in text_of(pilot, "#events"), "the pane in sight is kept up to date")


async def test_scores_have_their_intervals_and_views(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    evaluation = add_evaluation(writer, 1)
    found = [score(name, 0.7) for name in ("auroc", "balanced_accuracy", "sensitivity")]
    views = [score(name, 0.6, "view:He[b]ad") for name in ("sensitivity", "accuracy")]
    writer.add_scores(evaluation, [*found, score("mcc", None), *views])
    writer.update(JobKind.EVALUATION, evaluation, n=40, threshold=0.41, threshold_source="chosen on validation")
    async with opened(workspace) as pilot:
        await pilot.press(*["tab"] * 4)
        await until(pilot, lambda: "evaluation 1" in text_of(pilot, "#scores"), "the scores")
        lines = [" ".join(line.split()) for line in text_of(pilot, "#scores").split("\n")]
        assert lines[0] == "evaluation 1: Q7 on test: queued, 40 cases"
        assert lines[1].startswith("balanced accuracy 0.70") and lines[1].endswith("0.600–0.800 n 40")
        assert "●" in lines[1] and "├" in lines[1] and "¦" in lines[1]
        assert lines[3].startswith("AUROC 0.70") and lines[4] == "MCC – undefined"
        assert lines[6] == "He[b]ad 0.60 – – 40 (40)"
        assert "P(abnormal) ≥ 0.410, chosen on validation" in lines


async def test_facts_and_events_stand_at_the_side_of_a_wide_window(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace, size=(200, 50)) as pilot:
        await until(pilot, lambda: "model        assets/base-model" in text_of(pilot, "#side-facts"), "facts")
        assert "running      training on cpu" in text_of(pilot, "#side-events")
        writer.add_event(TRAINING, 1, "checkpoint", "step 5 saved")
        await until(pilot, lambda: "checkpoint   step 5 saved" in text_of(pilot, "#side-events"), "they follow")
        await until(pilot, lambda: sum(chart.size.height > 0 for chart in run_of(pilot).query(Chart)) == 4, "charts")


# ----- charts


async def test_charts_are_shown_together_and_one_by_one(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace, size=(200, 50)) as pilot:

        def shown() -> list[str]:
            return [str(chart.id) for chart in run_of(pilot).query(Chart) if chart.size.height and chart.display]

        await until(pilot, lambda: shown() == ["loss", "rate", "norm", "speed"], "all of them")
        for name in ("loss", "rate", "norm", "speed"):
            await pilot.press("m")
            await until(pilot, lambda name=name: shown() == [name], name)
            assert pilot.app.focused is run_of(pilot).query_one(f"#{name}")
        await pilot.press("m")
        await until(pilot, lambda: len(shown()) == 4, "all again")
        await pilot.press("tab", "m")
        await until(pilot, lambda: shown() == ["loss"], "from another pane, too")
        assert "[curves]" in text_of(pilot, TabStrip)


async def test_curves_grow_and_the_validation_comes_when_it_comes(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await until(pilot, lambda: len(losses(pilot)) == 5, "the first steps")
        chart = run_of(pilot).query_one("#loss", Chart)
        assert chart.planned == 10 and "validation" not in widget_text(chart)
        train(writer, 1, 6, 7)
        await until(pilot, lambda: len(losses(pilot)) == 7, "more steps")
        train(writer, 1, 8, 8, eval_loss=0.5)
        await until(pilot, lambda: "validation 0.5" in widget_text(chart), "the validation")
        assert losses(pilot) == {step: 1 / step for step in range(1, 9)}


async def test_steps_that_are_done_again_after_a_resume_replace_the_old_ones(
    workspace: Workspace, writer: Writer
) -> None:
    add_mine(writer, steps=8)
    async with opened(workspace) as pilot:
        await until(pilot, lambda: len(losses(pilot)) == 8, "eight steps")
        end(writer, 1, State.INTERRUPTED)
        await pilot.press("r")
        await until(pilot, lambda: "… queued" in text_of(pilot, RunHead), "it is resumed")
        start(writer, 1)
        for step in (6, 7, 8, 9):
            writer.add_metrics(1, step, {"loss": 9.0 + step})
        await until(pilot, lambda: losses(pilot).get(9) == 18.0, "the new steps")
        wanted = {step: 1 / step for step in range(1, 6)} | {step: 9.0 + step for step in (6, 7, 8, 9)}
        assert losses(pilot) == wanted


@pytest.mark.parametrize("way", ["dialog", "mode"])
async def test_nothing_is_lost_while_another_screen_is_on_top(workspace: Workspace, writer: Writer, way: str) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await until(pilot, lambda: len(losses(pilot)) == 5, "the first steps")
        screen = run_of(pilot)
        await pilot.press("question_mark" if way == "dialog" else "4")
        await until(pilot, lambda: pilot.app.screen is not screen, "another screen")
        assert screen._curve_watch is None and not screen._watches, "nothing is read for what nobody sees"
        train(writer, 1, 6, 9)
        await pilot.press("escape" if way == "dialog" else "3")
        await until(pilot, lambda: pilot.app.screen is screen, "back")
        await until(pilot, lambda: losses_in(screen) == {step: 1 / step for step in range(1, 10)}, "all steps")
        train(writer, 1, 10, 10)
        await until(pilot, lambda: len(losses_in(screen)) == 10, "and those that follow")


def losses_in(screen: RunScreen) -> dict[int, float]:
    curve = screen._curves._curves[1, "loss"]
    return dict(zip(np.asarray(curve.steps).tolist(), np.asarray(curve.values).tolist(), strict=True))


async def test_charts_are_zoomed_and_read_together(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer, steps=10)
    async with opened(workspace, size=(200, 50)) as pilot:
        await until(pilot, lambda: len(losses(pilot)) == 10, "the steps")
        charts = list(run_of(pilot).query(Chart))
        await pilot.press("plus", "plus", "x")
        await until(pilot, lambda: charts[0].plot.view.window is not None, "zoomed")
        await until(pilot, lambda: len({chart.plot.view.window for chart in charts}) == 1, "all to the same steps")
        await until(pilot, lambda: len({chart.plot.cursor for chart in charts}) == 1, "with one cursor")
        assert charts[3].plot.cursor is not None
        await pilot.press("escape")
        await until(pilot, lambda: {chart.plot.cursor for chart in charts} == {None}, "esc leaves the cursor first")
        await pilot.press("0", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, RunScreen), "and then the screen")


async def test_other_runs_are_laid_beside_it(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    for name in ("second", "[b]third[/b]"):
        add_mine(writer, name, 7)
    add_run(writer, "not begun")
    async with opened(workspace, size=(120, 30)) as pilot:
        await pilot.press("o")
        choose = await dialog(pilot, Choose)
        await until(pilot, lambda: "[b]third[/b]" in screen_text(pilot.app), "the list")
        assert "not begun" not in screen_text(pilot.app) and "1 mine" not in screen_text(pilot.app)
        assert choose._most == 4
        await pilot.press("space", "down", "space", "enter")
        await back(pilot)
        await until(pilot, lambda: len(losses(pilot, 3)) == len(losses(pilot, 2)) == 7, "their curves")
        await until(pilot, lambda: "[b]third[/b]" in text_of(pilot, "#loss"), "their names")
        assert "1 mine" in text_of(pilot, "#loss")
        await pilot.press("o")
        await until(pilot, lambda: screen_text(pilot.app).count("●") == 2, "they are marked")
        await pilot.press("space", "down", "space", "enter")
        await back(pilot)
        await until(pilot, lambda: run_of(pilot)._curves.others == (), "alone again")
        await until(pilot, lambda: len(losses(pilot)) == 5, "with its own curve")
        await pilot.press("o", "escape")
        await back(pilot)


# ----- gauges


def readings(pilot: Pilot[Any]) -> str:
    return " ".join(text_of(pilot, Gauges).split()) if run_of(pilot).query_one(Gauges).size.height else ""


async def test_gauges_show_what_is_measured(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        assert readings(pilot) == ""
        writer.add_samples(TRAINING, 1, HostSample(26.0, 6 * 2**30, 20 * 2**30, 64 * 2**30))
        await until(pilot, lambda: "RSS" in readings(pilot), "without a GPU")
        for wanted in ("CPU", "26 %", "RAM", "20.0/64 GiB", "6.0 GiB"):
            assert wanted in readings(pilot)
        assert "GPU" not in readings(pilot)
        gpu = GpuSample(0, 96.0, 76 * 2**30, 80 * 2**30, 507.0, 61.0)
        writer.add_samples(TRAINING, 1, HostSample(26.0, 6 * 2**30, 20 * 2**30, 64 * 2**30), gpu)
        await until(pilot, lambda: "VRAM" in readings(pilot), "with one")
        for wanted in ("76.0/80 GiB", "GPU", "96 %", "507 W 61 °C"):
            assert wanted in readings(pilot)
        gauges = run_of(pilot).query_one(Gauges)
        colours = [segment.style.color for segment in gauges.render_line(0) if "█" in segment.text]
        assert colours[0] == gauges.palette.bad.color, "memory that is nearly full"
        writer.add_samples(TRAINING, 1, HostSample(1.0, 1, 2**30, 2**31), GpuSample(0, None, 2**30, 2**31, None, None))
        await until(pilot, lambda: "power" not in readings(pilot), "a GPU that tells little")
        end(writer, 1, State.SUCCEEDED, peak_rss_bytes=3 * 2**30, peak_vram_reserved_bytes=5 * 2**30)
        await until(pilot, lambda: "5.0 GiB peak" in readings(pilot), "at its end the peaks")
        assert "3.0 GiB peak" in readings(pilot) and "CPU" not in readings(pilot)


async def test_a_low_window_keeps_its_rows_for_the_curves(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    writer.add_samples(TRAINING, 1, HostSample(26.0, 6 * 2**30, 20 * 2**30, 64 * 2**30))
    async with opened(workspace, size=(40, 10)) as pilot:
        assert not run_of(pilot).query_one(Gauges).display
        assert run_of(pilot).query_one("#loss", Chart).size.height >= 3
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "RSS" in readings(pilot), "in a higher one there is room")


# ----- the log


def log_file(workspace: Workspace) -> Path:
    with Reader(workspace) as reader:
        file = workspace.root / reader.run(1).directory / "log.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


async def test_the_log_is_followed_as_it_grows(workspace: Workspace, writer: Writer, monkeypatch: Any) -> None:
    from tui.screens import run as module

    monkeypatch.setattr(module, "LOG_SECONDS", 0.0)
    add_mine(writer)
    file = log_file(workspace)
    async with opened(workspace) as pilot:
        await pilot.press("tab")
        await until(pilot, lambda: "has not written anything yet" in text_of(pilot, "#log"), "nothing yet")
        file.write_text("\x1b[31mWarning:\x1b[0m \x1b]0;title\x07slow [b]tokenizer[/b]\n")
        await until(
            pilot, lambda: text_of(pilot, "#log").startswith("Warning: slow [b]tokenizer[/b] "), "without sequences"
        )
        with file.open("a") as stream:
            for percent in (10, 20):
                stream.write(f"\r{percent} % done")
                stream.flush()
                await until(pilot, lambda percent=percent: f"{percent} % done" in text_of(pilot, "#log"), "progress")
            assert "10 %" not in text_of(pilot, "#log"), "a bar is shown as it is now"
            stream.write("\rall done\n" + "".join(f"line {number}\n" for number in range(50)))
        await until(pilot, lambda: "line 49" in text_of(pilot, "#log"), "the end is followed")
        await pilot.press("home")
        assert "Warning" in text_of(pilot, "#log") and "all done" in text_of(pilot, "#log")
        feed = run_of(pilot)._log
        assert feed is not None
        for away, back_again in (("tab", "shift+tab"), ("question_mark", "escape"), ("4", "3")):
            await pilot.press(away)
            await until(pilot, lambda: feed.paused, "a log that nobody sees is not read")
            with file.open("a") as stream:
                stream.write(f"while {away}\n")
            await pilot.press(back_again)
            await until(pilot, lambda: not feed.paused and text_of(pilot, "#log"), "it is in sight again")
            assert "Warning" in text_of(pilot, "#log"), "who reads goes on reading"
        await pilot.press("end")
        await until(pilot, lambda: "while 4" in text_of(pilot, "#log"), "nothing was lost")
        assert "while tab" in text_of(pilot, "#log") and "while question_mark" in text_of(pilot, "#log")
        watch = run_of(pilot)._log_watch
        await pilot.press("escape")
        await until(pilot, lambda: watch is not None and not watch.active, "it ends with the screen")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m\n", ["red"]),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", ["link"]),
        ("a\rb\rc\n", ["c"]),
        ("100%\r\nnext\n", ["100%", "next"]),
        ("\x1b[A\x1b[2Kup\x07\x08\x00\n", ["up"]),
        ("\x9b31mold\n", ["old"]),
        ("\ttab stays\n\n", ["\ttab stays", ""]),
        ("\x1b(Bx\x1b", ["x"]),
        ("", []),
    ],
)
def test_lines_of_a_log_are_text(text: str, shown: list[str]) -> None:
    assert [paragraph[0][0] for paragraph in paragraphs_of(text)] == shown


@pytest.mark.parametrize(
    ("line", "tone"), [("RuntimeError: x", "bad"), ("UserWarning: x", "warn"), ("loss 0.3", "text"), ("", "text")]
)
def test_what_matters_in_a_log_has_a_colour(line: str, tone: str) -> None:
    assert paragraph_of(line) == [(line, tone)]


def test_a_row_that_leads_elsewhere_shows_no_log_and_says_why(workspace: Workspace) -> None:
    (workspace.root.parent / "log.txt").write_text("secret\n")
    live, feed = api.Live(workspace), LogFeed(workspace, "outputs/../..")
    piece = feed.read(live)
    assert piece.text == "" and "names a folder that is none of its jobs" in piece.tail
    assert feed.read(live) == piece


def test_a_feed_answers_the_same_until_there_is_more(workspace: Workspace) -> None:
    file, live = workspace.root / "outputs" / "00001-x" / "log.txt", api.Live(workspace)
    file.parent.mkdir(parents=True)
    feed = LogFeed(workspace, "outputs/00001-x")
    assert feed.read(live) == feed.read(live)
    file.write_text("same\n")
    first = feed.read(live)
    assert first == feed.read(live) and first.text == "same\n"
    with file.open("a") as stream:
        stream.write("same\n")
    assert feed.read(live) != first, "equal lines are not taken for the same"
    with file.open("a") as stream:
        stream.write("10 %")
    assert feed.read(live) == feed.read(live)
    assert (feed.read(live).text, feed.read(live).tail) == ("", "10 %")


# ----- what can be done


async def test_stop_writes_a_request_and_the_head_says_so(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "stop was asked for" in text_of(pilot, RunHead), "the head")
        with Reader(workspace) as reader:
            assert [request.action for request in reader.requests(run_id=1)] == [Action.STOP]
        assert toasts(pilot) == ["Run 1 saves and stops at its next step."]


async def test_cancel_only_after_a_yes(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)

    def asked() -> list[Action]:
        with Reader(workspace) as reader:
            return [request.action for request in reader.requests(run_id=1)]

    async with opened(workspace) as pilot:
        for key in ("n", "escape"):
            await pilot.press("X")
            await dialog(pilot, Confirm)
            await pilot.press("enter", key)
            await back(pilot)
        assert asked() == []
        await pilot.press("X")
        await dialog(pilot, Confirm)
        assert "ends without saving" in screen_text(pilot.app)
        await pilot.press("y")
        await until(pilot, lambda: asked() == [Action.CANCEL], "asked for")
        await pilot.press("tab", "x")
        await dialog(pilot, Confirm)


async def test_what_cannot_be_done_is_said_with_the_next_step(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: any("`sonotune show 1`" in toast for toast in toasts(pilot)), "it runs")
        end(writer, 1, State.INTERRUPTED)
        await until(pilot, lambda: "interrupted" in text_of(pilot, RunHead), "it ends")
        await pilot.press("s")
        await until(pilot, lambda: any("`sonotune resume 1`" in toast for toast in toasts(pilot)), "it has ended")


async def test_tags_are_edited_in_one_line(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    writer.set_tags(1, ["keep", "old"])
    async with opened(workspace) as pilot:
        await pilot.press("t")
        await dialog(pilot, Prompt)
        assert pilot.app.screen.query_one(Input).value == "keep, old"
        await write_text(pilot, " keep , [b]new[/b], two words,,")
        await until(pilot, lambda: run_of(pilot)._view.tags == ("[b]new[/b]", "keep", "two words"), "set")
        assert toasts(pilot) == ["Tags: [b]new[/b], keep, two words."]
        await pilot.press("t")
        await dialog(pilot, Prompt)
        await write_text(pilot, "x" * 41)
        await until(pilot, lambda: len(toasts(pilot)) == 2, "a tag that is too long")
        await pilot.press("t")
        await dialog(pilot, Prompt)
        await pilot.press("escape")
        assert run_of(pilot)._view.tags == ("[b]new[/b]", "keep", "two words")
        await pilot.press("t")
        await dialog(pilot, Prompt)
        await write_text(pilot, "")
        await until(pilot, lambda: run_of(pilot)._view.tags == (), "none")
        assert "No tags any more." in toasts(pilot)


async def test_notes_are_written(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        for text in ("", "   "):
            await pilot.press("n")
            await dialog(pilot, Prompt)
            await write_text(pilot, text)
            await back(pilot)
        await pilot.press("n")
        await dialog(pilot, Prompt)
        await write_text(pilot, "watch the [b]spike[/b]")
        await until(
            pilot, lambda: [note.text for note in run_of(pilot)._view.notes] == ["watch the [b]spike[/b]"], "kept"
        )
        assert toasts(pilot) == ["Noted."]


async def test_a_run_is_renamed(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    add_mine(writer, "taken")
    async with opened(workspace) as pilot:
        await pilot.press("R")
        await dialog(pilot, Prompt)
        assert pilot.app.screen.query_one(Input).value == "mine"
        await write_text(pilot, "better")
        await until(pilot, lambda: "run 1: better" in text_of(pilot, Header), "the breadcrumbs")
        await pilot.press("R")
        await dialog(pilot, Prompt)
        await write_text(pilot, "taken")
        await until(pilot, lambda: any("Choose another name" in toast for toast in toasts(pilot)), "it is taken")
        assert "run 1: better" in text_of(pilot, Header)


async def test_a_clone_goes_to_the_launch_form(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.current_mode == "launch", "the form")
        await until(pilot, lambda: "mine-2" in screen_text(pilot.app), "with the recipe under a free name")
        assert "clone of run 1" in screen_text(pilot.app)


async def test_a_recipe_that_cannot_be_cloned_is_said(workspace: Workspace, writer: Writer) -> None:
    start(writer, writer.create_run("odd", '{"name": "odd", "training": {"seed": "no"}}', "d", "d", "s", "m", 42), 1)
    async with opened(workspace) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: toasts(pilot), "it is said")
        assert pilot.app.current_mode == "runs"


async def test_measuring_asks_what(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        await pilot.press("E")
        await until(
            pilot, lambda: isinstance(pilot.app.screen, EvaluateDialog) or toasts(pilot), "it is asked, or said"
        )


async def test_escape_goes_back_and_modes_keep_the_run(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace) as pilot:
        screen = run_of(pilot)
        await pilot.press("4")
        await until(pilot, lambda: pilot.app.current_mode == "queue", "the queue")
        await pilot.press("3")
        await until(pilot, lambda: pilot.app.screen is screen, "the run is still open")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not screen, "the list")


# ----- anything


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_is_text_in_every_pane(workspace: Workspace, writer: Writer, size: tuple[int, int]) -> None:
    run = writer.create_run(HOSTILE, f'{{"{"k" * 400}": "[b]"}}', HOSTILE, HOSTILE, HOSTILE, HOSTILE, 42)
    start(writer, run, 3)
    writer.set_tags(run, [HOSTILE])
    writer.add_note(run, HOSTILE)
    writer.add_event(TRAINING, run, HOSTILE, HOSTILE)
    evaluation = add_evaluation(writer, run, question=HOSTILE)
    writer.add_scores(evaluation, [score(HOSTILE, 0.5), score("accuracy", 0.5, f"view:{HOSTILE}")])
    log_file(workspace).write_text(HOSTILE + "\n")
    end(writer, run, State.FAILED, HOSTILE, error_title=HOSTILE, error_detail=HOSTILE, error_next_step=HOSTILE)
    async with opened(workspace, size=size) as pilot:
        for _ in PANES:
            text = screen_text(pilot.app)
            assert plain(text) == text
            assert all(len(line) <= size[0] for line in text.split("\n"))
            await pilot.press("tab", "end")


@pytest.mark.parametrize("size", [*SIZES, (12, 3), (1, 1)])
async def test_any_size_and_back(workspace: Workspace, writer: Writer, size: tuple[int, int]) -> None:
    add_mine(writer)
    async with opened(workspace, size=(100, 30)) as pilot:
        await pilot.resize_terminal(*size)
        await pilot.press("tab", "m", "m", "shift+tab")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "50% 5/10" in screen_text(pilot.app), "all is in sight again")
        assert ("esc back" in screen_text(pilot.app) and "[facts]" in screen_text(pilot.app)) or "[" in screen_text(
            pilot.app
        )


async def test_every_key_of_the_footer_is_of_use_here(workspace: Workspace, writer: Writer) -> None:
    add_mine(writer)
    async with opened(workspace, size=(120, 24)) as pilot:
        footer = screen_text(pilot.app).split("\n")[-1]
        for words in ("tab pane", "esc back", "m charts", "o overlay", "x cursor", "? help"):
            assert words in footer
        await pilot.press("tab")
        await until(pilot, lambda: "cursor" not in screen_text(pilot.app).split("\n")[-1], "those of the log")
