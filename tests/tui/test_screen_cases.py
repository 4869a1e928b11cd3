"""The cases screens: from cell to list to image with every key, hostile outputs, missing files, small windows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases_helpers import case_workspace, measured, paths, said, target_of
from cli_helpers import no_worker
from store_helpers import add_run, raw
from test_snapshots import FOLDER, SIZES, compare, settled
from textual.pilot import Pilot
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.api import Decision, Label, Live, Workspace
from engine.store.records import MarkRow
from engine.store.writer import Writer
from tui.dialogs.choose import Choose
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.poller import Poller
from tui.screens import cases_text
from tui.screens.cases import CasesScreen
from tui.screens.cases_data import CasesQuestion, CasesWanted, worst_cell
from tui.screens.cases_details import CaseAnswers
from tui.screens.cases_grid import ConfusionGrid, cell_text
from tui.screens.cases_image import CaseScreen
from tui.screens.cases_open import open_case, open_cases, open_run_cases
from tui.screens.cases_pane import CasePane
from tui.screens.help import help_text
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.run import RunScreen
from tui.widgets.image import ImagePreview
from tui.widgets.lines import Lines
from tui.widgets.table import Table

NORMAL, ABNORMAL = Label("value", "normal"), Label("value", "abnormal")
pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    found = case_workspace(tmp_path)
    with no_worker(found):
        yield found


def cases_of(pilot: Pilot[Any]) -> CasesScreen:
    return next(screen for screen in reversed(pilot.app.screen_stack) if isinstance(screen, CasesScreen))


def listed(pilot: Pilot[Any]) -> list[str]:
    return cases_of(pilot).model.paths()


def toasts(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


def grid_cell(pilot: Pilot[Any]) -> tuple[Label | None, Label | None]:
    return cases_of(pilot).query_one(ConfusionGrid).cell


def replies(pilot: Pilot[Any]) -> str:
    found = pilot.app.screen.query("#replies").results(Lines)  # none before the screen is composed
    return "".join(widget_text(lines) for lines in found)


async def started(pilot: Pilot[Any]) -> None:
    """The first screen has been painted: reading begins after that, as nobody presses a key sooner."""
    await until(pilot, pilot.app.poller.is_alive, "the thread that reads")  # type: ignore[attr-defined]


async def opened(pilot: Pilot[Any], evaluation: int = 2) -> CasesScreen:
    await started(pilot)
    open_cases(pilot.app, evaluation)  # type: ignore[arg-type]
    await until(pilot, lambda: isinstance(pilot.app.screen, CasesScreen), "the screen")
    await until(pilot, lambda: cases_of(pilot).data is not None, "the table")
    await pilot.pause()
    return cases_of(pilot)


async def count(pilot: Pilot[Any], wanted: int) -> None:
    await until(pilot, lambda: len(listed(pilot)) == wanted, f"{wanted} cases")


# ----- from cell to list to image


async def test_the_cursor_starts_on_the_worst_cell_and_goes_with_the_arrows(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert grid_cell(pilot) == (NORMAL, ABNORMAL)
        await count(pilot, 8)
        assert listed(pilot)[0] == "NT-View/NT-View_002.png"
        await pilot.press("down")
        await until(pilot, lambda: listed(pilot)[0] == "NT-View/NT-View_000.png", "another cell")
        assert grid_cell(pilot) == (ABNORMAL, ABNORMAL)
        await pilot.press("left", "down")
        assert grid_cell(pilot) == (None, NORMAL)
        await count(pilot, 9)
        await pilot.press("up", "right", "right", "right", "right", "k")
        assert grid_cell(pilot) == (NORMAL, Label("error"))
        await count(pilot, 1)
        await pilot.press("home")
        assert grid_cell(pilot) == (None, None)
        await count(pilot, 24)
        await pilot.press("h", "l", "j")
        assert grid_cell(pilot) == (None, None)
        text = screen_text(pilot.app)
        for words in ("Q7 on test of fetal", "eager · run 2", "24 cases", "11 not right", "all cases", "unparseable"):
            assert words in text, words


async def test_enter_goes_to_the_list_then_to_the_image_and_escape_back(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("enter")
        assert screen.focused is screen.query_one(Table)
        await pilot.press("down")
        assert "Increased NT" in widget_text(screen.query_one("#details"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, CaseScreen), "the image")
        await until(pilot, lambda: "Increased NT" in replies(pilot), "the output")
        pane = pilot.app.screen.query_one(CasePane)
        await until(pilot, lambda: pane.drawn is not None, "the picture")
        for words in ("✗ wrong: abnormal", "P(abnormal) 0.80 ≥ 0.40", "target  Normal for gestational age", "40×30"):
            assert words in screen_text(pilot.app), words
        await pilot.press("right")
        await until(pilot, lambda: "3 of 8" in screen_text(pilot.app), "the next case")
        assert "NT-View_004" in screen_text(pilot.app)
        await until(pilot, lambda: pane.drawn is not None and "_004" in pane.drawn.path, "its picture")
        await pilot.press("left", "left", "left", "h", "l", "l")
        await until(pilot, lambda: "3 of 8" in screen_text(pilot.app), "back and forth, not beyond the first")
        await pilot.press("z")
        assert not pilot.app.screen.query_one("#replies").display
        await pilot.press("w")
        await until(pilot, lambda: "raw" in widget_text(pilot.app.screen.query_one(ImagePreview)), "raw grey levels")
        await pilot.press("escape")
        assert pilot.app.screen.query_one("#replies").display
        await pilot.press("t")
        await until(pilot, lambda: "by threshold" in screen_text(pilot.app), "by threshold")
        await pilot.press("escape")
        assert pilot.app.screen is screen
        assert screen.query_one(Table).cursor_key() == "NT-View/NT-View_004.png"
        await pilot.press("escape")
        assert screen.focused is screen.query_one(ConfusionGrid)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, CasesScreen)


async def test_a_click_chooses_a_cell_and_a_second_one_goes_to_its_list(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        grid = screen.query_one(ConfusionGrid)
        at = widget_text(grid).splitlines()[2].index("✓")  # abnormal, said abnormal
        await pilot.click(grid, offset=(at, 2))
        assert grid.cell == (ABNORMAL, ABNORMAL)
        await pilot.click(grid, offset=(at, 2), times=2)
        await until(pilot, lambda: screen.focused is screen.query_one(Table), "the list")
        await pilot.click(grid, offset=(0, 0))
        assert grid.cell == (ABNORMAL, ABNORMAL)


# ----- views, decision, order, filter


async def test_v_goes_through_the_views_nt_first(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("home")
        seen = []
        for key in ("v", "v", "v", "v", "v", "v", "V"):
            await pilot.press(key)
            seen.append(screen.wanted.views)
            wanted = screen.wanted
            await until(pilot, lambda wanted=wanted: screen.data.found.query.views == wanted.views, "that view")
        nt = ("NT-View", "Standard_NT")
        assert seen == [nt, ("NT-View",), ("Standard_NT",), ("Abdomen",), ("Femur",), (), ("Femur",)]
        assert set(listed(pilot)) == {path for path in paths() if path.startswith("Femur")}
        assert "Femur" in screen_text(pilot.app)
        commands = {title for title, _, _ in screen.commands()}
        assert {"Cases of all 2 NT views", "Cases of Abdomen", "Cases of all views"} <= commands


async def test_t_decides_by_threshold_and_only_q7_has_one(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "P(abnormal) ≥ 0.40, chosen on" in screen_text(pilot.app), "by threshold")
        assert screen.data is not None
        assert screen.data.confusion.decision is Decision.THRESHOLD
        assert "no P" in widget_text(screen.query_one(ConfusionGrid))
        await pilot.press("t")
        await until(pilot, lambda: "cut off" in widget_text(screen.query_one(ConfusionGrid)), "by text")
        await pilot.press("escape")
        await opened(pilot, 5)
        await pilot.press("t")
        await until(pilot, lambda: "Only Q7" in toasts(pilot), "why not")


async def test_n_s_and_slash_narrow_and_order_the_list(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("home", "n")
        await count(pilot, 11)
        assert "not right" in widget_text(screen.query_one("#where"))
        await pilot.press("s", "s")
        await until(pilot, lambda: "by P(abnormal) ▲" in screen_text(pilot.app), "the order")
        assert listed(pilot)[0] == "Abdomen/Abdomen_002.png"
        await pilot.press("S")
        await until(pilot, lambda: listed(pilot)[0] == "NT-View/NT-View_002.png", "the other way round")
        await pilot.press("n", "slash")
        screen.query_one(Input).value = "grey picture"
        await count(pilot, 1)
        await pilot.press("enter")
        assert screen.focused is screen.query_one(Table)
        screen.query_one(Input).value = "p_abnormal >"
        await until(pilot, lambda: screen.data is not None and screen.data.problem is not None, "what is wrong")
        assert listed(pilot) == ["Abdomen/Abdomen_001.png"]  # still those of the last filter
        screen.query_one(Input).value = "nothing has this"
        await count(pilot, 0)
        assert "no case fits the filter" in screen_text(pilot.app)
        await pilot.press("x")
        await until(pilot, lambda: "nothing to write" in toasts(pilot), "no empty file")


# ----- side by side


async def test_other_runs_stand_beside_and_where_they_differ(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(200, 50)) as pilot:
        screen = await opened(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "beside this one first" in toasts(pilot), "what to do first")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the choice")
        dialog = pilot.app.screen
        assert isinstance(dialog, Choose)
        words = {option.title: option.words for option in dialog._options}
        assert words["half · run 3"] == "! other cases"
        assert words["careful · run 1"] == words["careful (grey images) · run 1"] == "the same cases"
        for title in ("careful · run 1", "half · run 3"):
            key = next(option.key for option in dialog._options if option.title == title)
            dialog.query_one(Table).move_to_key(key)
            await pilot.press("space")
        await pilot.press("enter")
        await until(pilot, lambda: screen.data is not None and len(screen.data.found.others) == 2, "side by side")
        await pilot.press("home")
        await count(pilot, 24)
        text = screen_text(pilot.app)
        assert "half was measured on other cases: 12 of 24 images in common." in text
        assert "– not measured" in text
        for wanted, size in (("fixed", 11), ("broken", 1), ("any", 12), ("", 24)):
            await pilot.press("d")
            await count(pilot, size)
            assert screen.wanted.differ == wanted
        await until(pilot, lambda: "careful · run 1" in replies(pilot), "the pane has all of them")
        assert "half · run 3" in replies(pilot)


async def test_nothing_to_lay_beside_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measured(writer, add_run(writer, "alone"), [said("a/b.png", "Normal", "Normal", 0.1)])
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, 1)
        await pilot.press("o")
        await until(pilot, lambda: "Nothing else has been measured" in toasts(pilot), "why not")


async def test_a_wide_window_shows_views_and_the_case_under_the_cursor(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(200, 50)) as pilot:
        screen = await opened(pilot)
        pane = screen.query_one(CasePane)
        await until(pilot, lambda: pane.drawn is not None and "Increased NT" in replies(pilot), "picture and words")
        assert "NT-View" in widget_text(screen.query_one("#views"))
        await pilot.press("enter", "down")
        await until(pilot, lambda: pane.drawn is not None and "_003" in pane.drawn.path, "the next one's picture")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not pane.display, "no room for it")
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        assert "normal" in screen_text(pilot.app)


# ----- from other screens


async def test_the_leaderboard_and_the_run_screen_lead_here(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await started(pilot)
        await pilot.press("5")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "the leaderboard")
        board = pilot.app.screen
        assert isinstance(board, LeaderboardScreen)
        await until(pilot, lambda: board.current_row() is not None, "its rows")
        row = board.current_row()
        assert row is not None
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, CasesScreen), "its cases")
        await until(pilot, lambda: cases_of(pilot).data is not None, "the table")
        assert cases_of(pilot).wanted.evaluation == row[0]
        await pilot.press("escape")
        pilot.app.push_screen(RunScreen(2))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, CasesScreen), "the one evaluation that it has")
        assert cases_of(pilot).wanted.evaluation == 2
        open_run_cases(pilot.app, 1)  # type: ignore[arg-type]
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "which of several")
        await until(pilot, lambda: "grey images" in screen_text(pilot.app), "the control is among them")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, CasesScreen), "the chosen one")
        with Writer.open(workspace) as writer:
            empty = add_run(writer, "unmeasured")
        open_run_cases(pilot.app, empty)  # type: ignore[arg-type]
        await until(pilot, lambda: "Nothing of this run has been measured" in toasts(pilot), "why not")


async def test_one_image_opens_by_itself_with_all_that_is_known(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        writer.set_marks(1, [MarkRow(1, "leak", "all", "3 images")])
    async with workbench(workspace).run_test(size=(200, 50)) as pilot:
        await started(pilot)
        open_case(pilot.app, (1, 2, 3), "NT-View/NT-View_000.png")  # type: ignore[arg-type]
        await until(pilot, lambda: "annotated answers" in replies(pilot), "the words")
        text = replies(pilot)
        for words in (
            "careful · run 1 ! leak",
            "✓ right: abnormal",
            "Abnormal NT thickening",
            "Q1 ✗ liver, stomach",
            "Prenatal routine monitoring",
            "eager · run 2",
            "half · run 3",
            "– not measured",
            "Q5 20-25 weeks",
        ):
            assert words in text, words
        assert "! " in text.partition("Q8")[2]  # the rule that finding and recommendation break together
        await until(pilot, lambda: pilot.app.screen.query_one(CasePane).drawn is not None, "the picture")
        await pilot.press("right", "left")
        assert "1 of 1" in screen_text(pilot.app)


async def test_a_missing_image_and_an_unknown_one_are_said_so(workspace: Workspace) -> None:
    path = paths()[0]
    root = api.cases(workspace, api.CaseQuery(1)).root
    assert root is not None
    (root / path).unlink()
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        await started(pilot)
        open_case(pilot.app, (1,), path)  # type: ignore[arg-type]
        await until(pilot, lambda: "✗ " in replies(pilot) and "target" in replies(pilot), "why there is no picture")
        await pilot.press("escape")
        open_case(pilot.app, (1,), "nowhere.png")  # type: ignore[arg-type]
        await until(pilot, lambda: "No evaluation has measured nowhere.png" in replies(pilot), "that it is not known")


async def test_an_evaluation_that_vanishes_is_told_and_an_empty_one_is_empty(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        empty = measured(writer, 2, [])
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, empty)
        assert listed(pilot) == []
        assert "no case in this cell" in screen_text(pilot.app)
        await pilot.press("enter", "enter", "x", "escape", "escape")
        open_cases(pilot.app, 99)  # type: ignore[arg-type]
        await until(pilot, lambda: "There is no evaluation 99" in screen_text(pilot.app), "the banner")
        await pilot.press("v", "t", "n", "x", "o", "slash", "escape")


# ----- export


async def test_x_writes_the_list_whole(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("home", "n")
        await count(pilot, 11)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the name")
        assert pilot.app.screen.query_one(Input).value == "cases-eager-Q7-test.csv"
        await pilot.press("enter")
        file = workspace.root / "cases-eager-Q7-test.csv"
        await until(pilot, lambda: "11 cases" in toasts(pilot), "written")
        assert len(file.read_text().splitlines()) == 12
        file.write_text("something else")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the name")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "not for clinical use" in file.read_text(), "replaced")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the name")
        pilot.app.screen.query_one(Input).value = "page.md"
        await pilot.press("enter")
        await until(pilot, (workspace.root / "page.md").exists, "Markdown")
        assert (workspace.root / "page.md").read_text().startswith("# Cases of eager")


# ----- hostile text, parts


async def test_hostile_outputs_names_and_paths_stay_text(workspace: Workspace) -> None:
    rows = [said(f"NT-View/{number}.png", HOSTILE, HOSTILE, 0.5, question="Q8") for number in range(3)]
    rows.append(said(f"{HOSTILE[:80]}/x.png", "w" * 100_000, "[bold]y[/]", 0.5, question="Q8"))
    with Writer.open(workspace) as writer:
        run = add_run(writer, HOSTILE)
        evaluation = measured(writer, run, rows, question="Q8", threshold=None)
    for size in ((80, 24), (200, 50)):
        async with workbench(workspace).run_test(size=size) as pilot:
            await opened(pilot, evaluation)
            await pilot.press("home")
            await count(pilot, 4)
            for key in ("enter", "enter"):
                await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, CaseScreen), "the image")
            await until(pilot, lambda: "✓ right" in replies(pilot), "the words")
            for _ in range(4):
                await pilot.press("right")
            await until(pilot, lambda: "4 of 4" in screen_text(pilot.app), "the last one")
            text = screen_text(pilot.app)
            assert not set(text) & {"\x1b", "\x07", "\u202e", "\x9b", "\b"}
            assert len({len(line) for line in text.splitlines()}) <= 3  # wide characters alone change the count


def test_what_is_asked_is_answered_with_the_same_object_until_something_changes(workspace: Workspace) -> None:
    live, question, wanted = Live(workspace), CasesQuestion(), CasesWanted(2)
    first = question.read(live, wanted)
    assert question.read(live, wanted) is first
    assert first.cell == worst_cell(first.confusion) == (NORMAL, ABNORMAL)
    other = question.read(live, CasesWanted(2, cell=(ABNORMAL, None)))
    assert other.confusion is first.confusion
    with raw(workspace) as database:
        database.execute("DELETE FROM predictions WHERE evaluation_id = 2 AND path LIKE 'Femur%'")
    assert question.read(live, wanted).confusion.all_views.n == 18
    gone = question.read(live, CasesWanted(2, decision=Decision.THRESHOLD, cell=(NORMAL, Label("cut_off"))))
    assert gone.cell == (NORMAL, ABNORMAL)  # by threshold there is no such column
    perfect = question.read(live, CasesWanted(3, views=("Femur",)))
    assert perfect.cell == (None, None)
    live.close()


def test_neighbours_are_asked_for_after_the_case_itself_and_kept() -> None:
    asked: list[tuple[Any, Any, Any]] = []

    class Asked(Poller):
        def __init__(self) -> None:
            threading.Thread.__init__(self)

        def ask(self, question: Any, deliver: Any, fail: Any) -> None:
            asked.append((question, deliver, fail))

    told: list[tuple[str, object]] = []
    answers = CaseAnswers(Asked(), (1,), lambda path, error: told.append((path, error)))
    details = {path: api.CaseDetails(path, None, "", None, "", "", "", ()) for path in "abc"}
    answers.want("a", ["b", "c"])
    assert len(asked) == 1
    asked.pop()[1](details["a"])
    assert told == [("a", None)]
    answers.want("b", ["c", "a"])  # the neighbour is on its way already: it is told once it is there
    asked.pop()[1](details["b"])
    assert told[-1] == ("b", None)
    asked.pop()[2](api.SonotuneError("broken"))
    assert told[-1] == ("b", None)
    assert answers.kept("a") is not None
    assert answers.kept("c") is None
    answers.stop()


def test_numbers_have_shares_where_there_is_room(workspace: Workspace) -> None:
    table = api.confusion(workspace, 2).table
    assert cell_text(table, NORMAL, ABNORMAL, 9) == "8  40%"
    assert cell_text(table, NORMAL, ABNORMAL, 5) == "8"
    assert cell_text(table, NORMAL, NORMAL, 9) == "9✓  45%"
    assert cell_text(table, None, NORMAL, 9) == "9  38%"
    assert cell_text(table, NORMAL, None, 9) == "20"
    assert cell_text(table, ABNORMAL, NORMAL, 9) == "0"


async def test_a_table_with_many_answers_scrolls_both_ways(workspace: Workspace) -> None:
    values = [f"{number} very long answers that are told apart" for number in range(8)]
    rows = [said(f"Femur/{n}-{m}.png", values[m], values[n], question="Q8") for n in range(8) for m in range(8)]
    with Writer.open(workspace) as writer:
        evaluation = measured(writer, 1, rows, question="Q8", threshold=None)
    async with workbench(workspace).run_test(size=(80, 20)) as pilot:
        screen = await opened(pilot, evaluation)
        grid = screen.query_one(ConfusionGrid)
        assert "›" in widget_text(grid)
        await pilot.press("home")
        assert "‹" in widget_text(grid)
        assert "total" in widget_text(grid).splitlines()[0]
        assert "64" in widget_text(grid).splitlines()[-1]
        for _ in range(12):
            await pilot.press("left", "up")
        assert grid.cell == (Label("value", values[0]), Label("value", values[0]))
        await count(pilot, 1)


async def test_every_key_is_explained(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        words = str(help_text(screen))
        for name in ("view", "decision", "filter", "beside", "export", "differ", "not_right", "sort", "back"):
            assert f"cases.{name}" in words, name
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, CaseScreen), "the image")
        assert "case.next" in str(help_text(pilot.app.screen))


def test_marks_and_states_stand_in_the_head(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        writer.set_marks(2, [MarkRow(2, "collapsed", "all", "one answer")])
    live = Live(workspace)
    data = CasesQuestion().read(live, CasesWanted(2))
    assert ("! collapsed", "warn") in cases_text.head(data)[0]
    assert cases_text.view_choices(data.confusion)[:2] == [(), ("NT-View", "Standard_NT")]
    assert cases_text.views_text(("a", "b", "c", "d")) == "a, b, c"
    assert target_of("NT-View/NT-View_000.png").startswith("Abnormal")
    live.close()


# ----- looks

VIEWS: dict[str, tuple[str, ...]] = {"cases": (), "case": ("enter", "enter")}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", VIEWS)
async def test_the_screens_look_as_they_did(name: str, size: tuple[int, int], workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=size) as pilot:
        await opened(pilot)
        for key in VIEWS[name]:
            await pilot.press(key)
        if name == "case" or size[0] > 100:
            await until(pilot, lambda: "annotated answers" in replies(pilot) or "0.150" in replies(pilot), "the words")
            await until(pilot, lambda: pilot.app.screen.query_one(CasePane).drawn is not None, "the picture")
        found = await settled(pilot, lambda: screen_text(pilot.app))
    compare(found, FOLDER / f"{name}-{size[0]}x{size[1]}.txt")
