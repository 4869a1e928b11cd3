"""The board of studies: what it says of each, its keys, what a launch from it does, hostile text, broken files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import study_result_helpers as results
from cli_helpers import control_characters, no_worker
from study_screen_helpers import board, cell, row, state
from test_snapshots import FOLDER, SIZES, compare
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.store.reader import Reader
from engine.workspace import Workspace
from tui.dialogs.choose import Choose
from tui.screens import studies_data, studies_text
from tui.screens.help import help_text
from tui.screens.studies import StudiesScreen
from tui.screens.studies_board import Board
from tui.screens.studies_data import BoardData
from tui.screens.studies_launching import launched_words
from tui.screens.studies_model import GLYPHS, ORDER, StudyRow, glyphs
from tui.screens.study import StudyScreen
from tui.screens.study_plan import PlanDialog
from tui.widgets.lines import Lines

pytestmark = pytest.mark.usefixtures("brisk")
TINY = """
name = "tiny"
title = "Tiny trial"
question = "Does it go?"
priority = 1
varies = ["lora.r"]
baseline = "small"
[arms.small]
"lora.r" = 4
[arms.large]
"lora.r" = 8
[arms.huge]
"lora.r" = 16
optional = true
[[decide]]
ask = "Is large better?"
kind = "better"
arm = "large"
than = "small"
[scales.demo]
recipe = "demo"
machine = "any machine, about 1 minute"
set = { "training.max_steps" = 4, "evaluation.limit" = 14, "data.dataset" = "dots" }
phantoms = { count = 28, size = 40 }
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with a small study of its own, in which nothing is started."""
    found = Workspace(tmp_path)
    write_study(found, "tiny", TINY)
    with no_worker(found):
        yield found


def write_study(workspace: Workspace, name: str, text: str) -> None:
    folder = workspace.root / "assets" / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


class Shown:
    """What the poller finds, in place of runs.db."""

    def __init__(self, rows: tuple[StudyRow, ...]) -> None:
        self.rows = rows
        self.scales: list[str] = []
        self.asked = 0

    def read_board(self, _workspace: Workspace, scale: str) -> BoardData:
        self.asked += 1
        self.scales.append(scale)
        return BoardData(self.rows, scale or "demo")

    def read_study(self, _workspace: Workspace, name: str, _scale: str) -> StudyRow:
        return next(each for each in self.rows if each.name == name)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Eight studies in all stages."""
    found = Shown(board())
    monkeypatch.setattr(studies_data, "read_board", found.read_board)
    monkeypatch.setattr(studies_data, "read_study", found.read_study)
    monkeypatch.setattr(api, "study_result", lambda *_: results.rich(), raising=False)
    return found


def never(*_words: Any, **_others: Any) -> Any:
    raise api.SonotuneError("No result here", "This test has none.")


async def opened(pilot: Pilot[Any], wanted: str = "Baseline Q7") -> StudiesScreen:
    pilot.app.poller._poll = 0.02  # type: ignore[attr-defined]
    await pilot.press("6")
    await until(pilot, lambda: wanted in screen_text(pilot.app), "the studies are listed")
    return studies_of(pilot)


def studies_of(pilot: Pilot[Any]) -> StudiesScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, StudiesScreen))


def board_text(pilot: Pilot[Any]) -> str:
    return widget_text(studies_of(pilot).query_one(Board))


def lines_of(pilot: Pilot[Any], title: str) -> tuple[str, str]:
    """The two lines of a study."""
    lines = board_text(pilot).split("\n")
    at = next(place for place, line in enumerate(lines) if title in line)
    return lines[at], lines[at + 1]


def told(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


def running(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> Any:
    return workbench(workspace).run_test(size=size, notifications=True)


async def choose(pilot: Pilot[Any], name: str) -> None:
    """Put the cursor on a study."""
    await pilot.press("home")
    for _ in range(20):
        chosen = studies_of(pilot).chosen_study()
        if chosen is not None and chosen.name == name:
            return
        await pilot.press("down")
    raise AssertionError(f"{name} is not on the board")


# ----- what it shows


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_board_looks_as_it_did(workspace: Workspace, shown: Shown, size: tuple[int, int]) -> None:
    async with running(workspace, size) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "unknown key" in screen_text(pilot.app), "all rows")
        await until(pilot, lambda: "idle" in screen_text(pilot.app), "the status")
        await until(pilot, lambda: "Working out" not in screen_text(pilot.app), "nothing is worked out")
        await until(pilot, lambda: size[0] < 130 or "what A is" in screen_text(pilot.app), "the pane")
        compare(screen_text(pilot.app), FOLDER / f"studies-{size[0]}x{size[1]}.txt")


async def test_every_study_says_how_far_it_is_and_what_it_has_answered(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        for title, first, second in (
            ("Baseline Q7", "3/3   ✓ complete", "✓ yes  basic is better than none by 0.12"),
            ("Model size", "1/2   ▶ 1 running 42%", "1 of 2 cells done, no answer yet"),
            ("Layer ablation", "2/5   ▶ 2 running 42%", "2 of 5 cells done, no answer yet"),
            ("Multi-task Q1-Q8", "2/10  1 failed", "2 of 10 cells done"),
            ("Combined report", "0/1   about 9 minutes", "not begun  a launch draws the dataset phantoms first"),
            ("Class balance", "0/5   ‖ 1 interrupted", "0 of 5 cells done"),
            ("Augmentation", "9/9   ✓ complete", "✓≈✗?✓✓✗?  basic against none: yes · Q7: advanced"),
            ("mine", "! file with problems", "arms.x: unknown key (+2 more)"),
        ):
            above, below = lines_of(pilot, title)
            assert first in above and second in below, (above, below)
        assert "scale demo · 2/7 studies · 17/35 cells · 1 broken" in screen_text(pilot.app)
        assert "Research only, not for clinical use." in screen_text(pilot.app)


def test_a_bar_has_a_character_for_every_stage_and_their_shares() -> None:
    found = row("x", "X", 1, [*["done"] * 6, "failed", *["missing"] * 5])
    assert glyphs(found, 24) == [("█" * 11, "good"), ("✗" * 3, "bad"), ("·" * 10, "dim")]
    assert glyphs(found, 3) == [("█", "good"), ("✗", "bad"), ("·", "dim")], "each that occurs is seen"
    assert glyphs(found, 2) == [("  ", "dim")], "where there is no room for all, nothing is drawn"
    for width in range(7, 60):
        assert sum(len(text) for text, _ in glyphs(row("x", "X", 1, ORDER), width)) == width
    assert len(set(GLYPHS.values())) == len(ORDER), "colour alone tells nothing apart"


def test_an_unfinished_answer_says_so() -> None:
    found = row("x", "X", 1, ["done", "missing"], results.incomplete())
    assert "so far: " in "".join(text for text, _ in studies_text.answer_so_far(found))
    whole = row("x", "X", 1, ["done", "done"], results.rich())
    assert "so far: " not in "".join(text for text, _ in studies_text.answer_so_far(whole))


def test_while_controls_are_measured_no_answer_is_promised() -> None:
    words = [
        "".join(text for text, _ in studies_text.answer_so_far(row("x", "X", 1, ["done"], working=working)))
        for working in (True, False)
    ]
    assert words == ["1 of 1 cell done; controls are still measured", "1 of 1 cell done; answers not worked out yet"]


async def test_the_pane_tells_the_chosen_study_whole(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace, (200, 50)) as pilot:
        await opened(pilot)

        def pane() -> str:
            return " ".join(widget_text(studies_of(pilot).query_one("#about", Lines)).split())

        await until(pilot, lambda: "basic is better than none" in pane(), "the answer")
        for _ in range(3):
            await pilot.press("down")
        await until(pilot, lambda: "multi-task at scale demo" in pane(), "the fourth")
        for words in ("C ✗ what C is", "G optional, left out", "varies lora.vision", "Each arm against E."):
            assert words in pane(), words
        await pilot.press("end")
        await until(pilot, lambda: "cannot be read as a study" in pane(), "the broken file")
        assert "seeds: found 0" in pane() and "title: missing" in pane(), "all of its faults"


async def test_the_cursor_goes_where_the_keys_say_and_stays_with_its_study(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace, (80, 12)) as pilot:
        screen = await opened(pilot)
        for key, name in (
            ("down", "model-size"), ("j", "layers"), ("k", "model-size"), ("end", "mine"), ("home", "baseline-q7"),
            ("G", "mine"), ("up", "augmentation"), ("g", "baseline-q7"), ("pagedown", "multi-task"),
            ("pageup", "baseline-q7"),
        ):  # fmt: skip
            await pilot.press(key)
            chosen = screen.chosen_study()
            assert chosen is not None and chosen.name == name, key
            assert chosen.title in board_text(pilot), "it is in sight"
        await choose(pilot, "layers")
        shown.rows = (shown.rows[2], *shown.rows[:2], *shown.rows[3:])
        await until(pilot, lambda: screen.query_one(Board).rows[0].name == "layers", "the new order")
        assert screen.chosen_study() is screen.query_one(Board).rows[0]


async def test_the_mouse_chooses_and_opens(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot)
        await pilot.click(Board, offset=(10, 5))
        await until(pilot, lambda: getattr(screen.chosen_study(), "name", "") == "layers", "the third")
        await pilot.click(Board, offset=(10, 4), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, StudyScreen), "it is open")


async def test_a_hidden_board_asks_nothing(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await pilot.press("3")
        await until(pilot, lambda: "No runs yet" in screen_text(pilot.app), "the runs are on top")
        before = shown.asked
        await pilot.pause(2.3)
        assert shown.asked == before


def test_while_somebody_writes_the_files_are_read_once_a_second(workspace: Workspace, shown: Shown) -> None:
    feed = studies_data.StudiesFeed(workspace, "")
    for _ in range(20):
        feed(None)  # type: ignore[arg-type]
    assert shown.asked == 1
    feed._read_at -= studies_data.SHORTEST_SECONDS
    feed(None)  # type: ignore[arg-type]
    assert shown.asked == 2


async def test_hostile_text_stays_text(workspace: Workspace, shown: Shown) -> None:
    cells = [replace(cell("A", "failed"), arm=HOSTILE, note=HOSTILE, trouble=HOSTILE)]
    hostile = state("evil", HOSTILE, 1, cells, question=HOSTILE, machine=HOSTILE, note=HOSTILE, dataset=HOSTILE,
                    warnings=(HOSTILE,), left_out=(HOSTILE,))  # fmt: skip
    shown.rows = (
        StudyRow("evil", hostile, results.hostile(), varies=(HOSTILE,), rules=(HOSTILE,)),
        StudyRow(HOSTILE, None, problems=(HOSTILE,)),
    )
    for size in ((80, 24), (200, 50)):
        async with running(workspace, size) as pilot:
            await opened(pilot, "[red]x[/red]")
            for key in ("end", "home"):
                await pilot.press(key)
                await pilot.pause()
                assert not control_characters(screen_text(pilot.app)) - {"\n"}, key
            await pilot.press("end", "enter")
            await until(pilot, lambda: "cannot be read" in told(pilot), "it says why it can't be opened")
            assert not control_characters(told(pilot)) - {"\n"}


async def test_an_empty_place_says_where_studies_come_from(workspace: Workspace, shown: Shown) -> None:
    shown.rows = ()
    async with running(workspace) as pilot:
        await opened(pilot, studies_text.NOTHING_THERE[:40])
        await pilot.press("enter", "L", "p", "a", "x", "down", "end")
        assert isinstance(pilot.app.screen, StudiesScreen), "no key does anything without a study"
        assert told(pilot) == ""


@pytest.mark.parametrize("key", ["L", "p", "a", "x"])
async def test_a_broken_file_can_only_be_mended(workspace: Workspace, shown: Shown, key: str) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        await choose(pilot, "mine")
        await pilot.press(key)
        await until(pilot, lambda: "mend the file first" in told(pilot), "it says what to do")
        assert isinstance(pilot.app.screen, StudiesScreen)


async def test_the_scale_goes_round(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        await opened(pilot)
        assert shown.scales[-1] == "", "at first the one that suits the machine"
        for wanted in ("full", "demo"):
            await pilot.press("s")
            await until(pilot, lambda wanted=wanted: f"scale {wanted} ·" in screen_text(pilot.app), wanted)
            assert shown.scales[-1] == wanted


async def test_help_names_every_key(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot)
        text = "\n".join("".join(piece for piece, _ in line) for line in help_text(screen))
        for name in ("studies.open", "study.launch", "study.plan", "study.arms", "study.scale", "study.report"):
            assert name in text
        for words in ("L launch", "p plan", "a arms", "s scale", "x report", "enter open"):
            assert words in screen_text(pilot.app).split("\n")[-1]


async def test_a_study_is_opened_from_the_board_and_from_the_palette(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot)
        await choose(pilot, "layers")
        await pilot.press("enter")
        await until(pilot, lambda: "Studies › Layer ablation @demo" in screen_text(pilot.app), "the study")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, StudiesScreen), "back")
        commands = {title: callback for title, _, callback in screen.commands()}
        assert len(commands) == 7, "a broken file can't be opened"
        commands["Study Augmentation"]()
        await until(pilot, lambda: "Studies › Augmentation @demo" in screen_text(pilot.app), "from the palette")


# ----- answers worked out in the background


async def test_answers_of_studies_that_rest_are_worked_out_one_after_the_other(
    workspace: Workspace, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def study_result(_workspace: Workspace, name: str, _scale: str) -> api.StudyResult:
        asked.append(name)
        time.sleep(0.05)
        if name == "resting":
            raise api.SonotuneError("It has other cases", "Its arms were measured on other images.")
        return results.rich()

    shown.rows = (
        row("resting", "Resting", 1, ["done", "failed"]),
        row("moving", "Moving", 2, ["done", "running"]),
        row("new", "New", 3, ["missing"]),
        row("ended", "Ended", 4, ["done"]),
        row("known", "Known", 5, ["done"], results.rich()),
    )
    monkeypatch.setattr(api, "study_result", study_result, raising=False)
    async with running(workspace) as pilot:
        await opened(pilot, "Known")
        await until(pilot, lambda: asked == ["resting", "ended"], "those that rest, and have something measured")
        await until(pilot, lambda: "other images" in told(pilot), "an error is told")
        await pilot.pause(1.2)
        assert asked == ["resting", "ended"], "none is asked for twice while nothing new is measured"
        shown.rows = (row("resting", "Resting", 1, ["done", "done"]), *shown.rows[1:])
        await until(pilot, lambda: asked == ["resting", "ended", "resting"], "more is measured now")


# ----- the real engine


async def test_the_studies_of_the_repository_and_of_the_workspace_are_on_the_board(workspace: Workspace) -> None:
    write_study(workspace, "broken", 'name = "broken"\ntitel = "x"\n')
    async with running(workspace, (80, 30)) as pilot:
        screen = await opened(pilot, "Tiny trial")
        rows = {each.name: each for each in screen.query_one(Board).rows}
        assert [each.state.priority for each in rows.values() if each.state] == sorted(
            each.state.priority for each in rows.values() if each.state
        )
        assert {"baseline-q7", "layers", "prompts", "tiny", "broken"} <= set(rows)
        assert rows["broken"].state is None and rows["broken"].problems
        assert list(rows)[-1] == "broken", "what can't be used comes last"
        assert "0/2   about 1 minute" in lines_of(pilot, "Tiny trial")[0]
        write_study(workspace, "broken", TINY.replace('"tiny"', '"broken"').replace("Tiny trial", "Mended"))
        await until(pilot, lambda: "Mended" in board_text(pilot), "it is mended without a restart")


async def test_one_key_draws_the_phantoms_and_queues_what_is_missing(workspace: Workspace) -> None:
    async with running(workspace) as pilot:
        await opened(pilot, "Tiny trial")
        await choose(pilot, "tiny")
        await pilot.press("L")
        for words in ("launch Tiny trial", "2 to train", "2 measurements", "28 phantoms are drawn first", "launch it"):
            await until(pilot, lambda words=words: words in screen_text(pilot.app), words)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, PlanDialog), "enter is never a yes"
        await pilot.press("y")
        await until(pilot, lambda: "2 runs queued" in told(pilot), "it says what it did")
        await until(pilot, lambda: "… 2 queued" in lines_of(pilot, "Tiny trial")[0], "the board shows it")
        with Reader(workspace) as reader:
            assert sorted(run.study for run in reader.runs()) == ["tiny", "tiny"]
        await pilot.press("L")
        await until(pilot, lambda: "Nothing is missing" in screen_text(pilot.app), "launched again")
        await pilot.press("y")
        assert isinstance(pilot.app.screen, PlanDialog), "there is nothing to launch"
        await pilot.press("escape", "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the arms")
        await pilot.press("G", "space", "enter")
        await until(pilot, lambda: "1 to train" in screen_text(pilot.app), "the optional arm alone")
        await pilot.press("y")
        await until(pilot, lambda: "1 run queued" in told(pilot), "it is queued")
        with Reader(workspace) as reader:
            assert len(reader.runs()) == 3


async def test_a_plan_queues_nothing_and_names_what_is_missing(workspace: Workspace) -> None:
    async with running(workspace, (120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await until(pilot, lambda: "scale full" in screen_text(pilot.app), "the other scale")
        await choose(pilot, "layers")
        for key in ("p", "L"):
            await pilot.press(key)
            await until(pilot, lambda: "no dataset named fetal" in screen_text(pilot.app).split("layers at")[-1], key)
            assert "launch it" not in screen_text(pilot.app), "what can't run here can't be launched"
            await pilot.press("y")
            assert isinstance(pilot.app.screen, PlanDialog)
            await pilot.press("escape")
        assert not workspace.database.exists() or not api.runs(workspace)


async def test_a_plan_that_fails_is_told_and_closes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "plan_study", never, raising=False)
    async with running(workspace) as pilot:
        await opened(pilot, "Tiny trial")
        await pilot.press("p")
        await until(pilot, lambda: "No result here" in told(pilot), "the error")
        await until(pilot, lambda: isinstance(pilot.app.screen, StudiesScreen), "the dialog is gone")


async def test_a_launch_that_fails_is_told_and_the_line_is_free_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(workspace) as pilot:
        await opened(pilot, "Tiny trial")
        await choose(pilot, "tiny")
        monkeypatch.setattr(api, "launch_study", never, raising=False)
        await pilot.press("L")
        await until(pilot, lambda: "launch it" in screen_text(pilot.app), "the plan asks")
        await pilot.press("y")
        await until(pilot, lambda: "No result here" in told(pilot), "the error")
        assert "Launching" not in screen_text(pilot.app)


async def test_the_drawing_of_phantoms_is_shown_and_ends_with_the_workbench(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[BaseException] = []

    def launch_study(*_words: Any, progress: Any, **_others: Any) -> Any:
        try:
            for done in range(10_000):
                progress(done, 10_000)
                time.sleep(0.01)
        except api.SonotuneError as error:
            ended.append(error)
            raise

    async with running(workspace) as pilot:
        await opened(pilot, "Tiny trial")
        await choose(pilot, "tiny")
        monkeypatch.setattr(api, "launch_study", launch_study, raising=False)
        await pilot.press("L")
        await until(pilot, lambda: "launch it" in screen_text(pilot.app), "the plan asks")
        await pilot.press("y")
        await until(pilot, lambda: "Drawing the phantoms of Tiny trial" in screen_text(pilot.app), "the progress")
        await pilot.press("down")
        assert isinstance(pilot.app.screen, StudiesScreen), "keys act meanwhile"
        await pilot.press("q")
        await until(pilot, lambda: ended, "the drawing ends")


def test_what_a_launch_did_in_words() -> None:
    values: dict[str, Any] = {
        "study": "tiny", "title": "Tiny", "scale": "demo", "scale_reason": "", "dataset_drawn": False, "queued": (4, 5),
        "reused": (1,), "waiting": (2,), "resumed": (3,), "evaluations": (1, 2), "references": (3,), "looks_before": 2,
        "left_out": (), "warnings": ("The rule was changed.",),
    }  # fmt: skip
    words = launched_words(api.StudyLaunched(**values))
    for part in ("2 runs queued", "1 resumed", "1 reused", "1 on the way", "3 evaluations", "2 times", "rule was"):
        assert part in words
    nothing = {"queued": (), "resumed": (), "evaluations": (), "references": (), "looks_before": None, "warnings": ()}
    assert launched_words(api.StudyLaunched(**(values | nothing))) == "tiny: nothing is missing, so nothing was queued."


def test_a_study_whose_reference_rows_are_missing_is_not_called_complete() -> None:
    lacking = row("rank", "Rank", 1, ["done", "done"], references_done=3, references=4)
    whole = row("rank", "Rank", 1, ["done", "done"])
    assert studies_text.progress_words(lacking) == ("3/4 references", "warn")
    assert studies_text.progress_words(whole) == ("✓ complete", "good")
    assert studies_text.facts([lacking, whole], "demo").startswith("scale demo · 1/2 studies")
