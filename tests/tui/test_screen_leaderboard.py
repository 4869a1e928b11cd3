"""The leaderboard screen: every key, what it says of a row, and how it takes hostile names and small windows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker
from store_helpers import add_evaluation, add_run, raw
from textual.pilot import Pilot
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.api import Live, Split, State, Workspace
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Score
from tui.dialogs.choose import Choose
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.screens import leaderboard_export as export
from tui.screens import leaderboard_text
from tui.screens.help import help_text
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.leaderboard_actions import MOST_PINNED, toggle_pin
from tui.screens.leaderboard_data import BoardData, BoardQuestion, Wanted
from tui.screens.leaderboard_lines import Pieces
from tui.screens.leaderboard_table import BoardTable
from tui.screens.run import RunScreen

SCORES = ("balanced_accuracy", "sensitivity", "specificity", "auroc", "mcc")
NOTE = "Research only, not for clinical use."


def measure(
    writer: Writer,
    subject: str | Reference,
    scores: dict[str, float],
    *,
    n: int = 240,
    abnormal: int = 60,
    where: dict[str, Any] | None = None,
    **columns: Any,
) -> int:
    """A measured run, or reference, in a group; its run's id, or 0."""
    reference = subject if isinstance(subject, Reference) else None
    run = None if reference else add_run(writer, subject)
    evaluation = add_evaluation(writer, run, reference, **(where or {}))
    counts = {"sensitivity": abnormal, "specificity": n - abnormal}
    writer.add_scores(
        evaluation,
        [Score("all", name, value, value - 0.05, value + 0.04, counts.get(name, n)) for name, value in scores.items()],
    )
    for before, after in pairwise((State.QUEUED, State.STARTING, State.RUNNING, State.SUCCEEDED)):
        more = {"n": n, **columns} if after is State.SUCCEEDED else {}
        assert writer.transition(JobKind.EVALUATION, evaluation, before, after, "test", **more)
    return run or 0


def all_scores(value: float) -> dict[str, float]:
    return {name: round(value + place / 100, 4) for place, name in enumerate(SCORES)}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Two references and three runs on the test split, measured last; one run on validation, another question."""
    found = Workspace(tmp_path)
    with no_worker(found), Writer.open(found) as writer:
        measure(writer, "elsewhere", all_scores(0.3), n=90, abnormal=12, where={"split": Split.VALIDATION})
        measure(writer, "other question", {"accuracy": 0.4}, where={"question": "Q1", "dataset": "fetal [x]"})
        measure(writer, Reference.MAJORITY, all_scores(0.5))
        measure(writer, Reference.BASE, all_scores(0.55))
        measure(writer, "apple", all_scores(0.7), unparseable=3, cut_off=0, threshold=0.25, threshold_source="here")
        measure(writer, "beta", all_scores(0.9))
        measure(writer, "citrus", {"balanced_accuracy": 0.8, "sensitivity": 0.95})
    yield found


def board_of(pilot: Pilot[Any]) -> LeaderboardScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, LeaderboardScreen))


def table_of(pilot: Pilot[Any]) -> BoardTable:
    return board_of(pilot).query_one(BoardTable)


def names(pilot: Pilot[Any]) -> list[str]:
    """Names of the ranked runs, from the top."""
    model = board_of(pilot).model
    return [] if model.board is None else [api.board_row_name(model.board, row) for row in model.rows]


def frozen(pilot: Pilot[Any]) -> list[str]:
    model = board_of(pilot).model
    return [] if model.board is None else [api.board_row_name(model.board, row) for row in model.frozen]


def group_of(pilot: Pilot[Any]) -> str:
    board = board_of(pilot).model.board
    assert board is not None
    assert board.group is not None
    return leaderboard_text.group_name(board.group)


def columns(pilot: Pilot[Any]) -> list[str]:
    board = board_of(pilot).model.board
    return [] if board is None else [column.name for column in board.columns]


def sorted_by(pilot: Pilot[Any]) -> tuple[str, bool]:
    board = board_of(pilot).model.board
    assert board is not None
    return board.sort, board.descending


def details(pilot: Pilot[Any]) -> str:
    return widget_text(board_of(pilot).query_one("#details", Pieces))


def toasts(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


async def opened(pilot: Pilot[Any], count: int = 3) -> None:
    await pilot.press("5")
    await until(pilot, lambda: pilot.app.screen.is_current and len(names(pilot)) == count, "the rows are there")
    await pilot.pause()


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """What somebody types, at once."""
    await pilot.pause()
    pilot.app.screen.query_one(Input).value = text
    await pilot.pause()


# ----- what is shown


async def test_at_80x24_the_group_the_references_the_rows_and_what_they_are_worth_are_in_sight(
    workspace: Workspace,
) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for words in (
            "Q7 on test of phantoms · 240 cases, 60 abnormal",
            "cases cases-1 protocol protocol",
            "group 1 of 3",
            "3 of 3 rows",
            "by bal. acc. ▼",
            "bal. acc.▼",
            "0.90★",
            NOTE,
            "beta · run 4",
            "bal. acc. 0.90 (0.85–0.94) n=240",
            "sens. 0.91 (0.86–0.95) n=60",
        ):
            await until(pilot, lambda words=words: words in screen_text(pilot.app), words)
        assert names(pilot) == ["beta", "citrus", "apple"]
        lines = widget_text(table_of(pilot)).splitlines()
        assert [line[:3].strip() for line in lines[1:4]] == ["◇", "◇", ""]
        assert "majority class" in lines[1]
        assert "–" in lines[4]  # citrus was not scored for all of it
        assert len(lines) == table_of(pilot).size.height
        assert "…" not in lines[0]


async def test_intervals_are_text_at_120_and_bars_at_200(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        await opened(pilot)
        assert ".85–.94" in widget_text(table_of(pilot))
        assert "●" not in widget_text(table_of(pilot))
        await pilot.resize_terminal(200, 50)
        await until(pilot, lambda: "●" in widget_text(table_of(pilot)), "bars")
        text = screen_text(pilot.app)
        assert "0 to 1" in text
        assert "-1 to 1" in text
        assert "¦" in text
        assert "Wilson for proportions, stratified bootstrap otherwise" in text
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "●" not in widget_text(table_of(pilot)), "figures alone")


async def test_a_long_board_begins_with_its_first_rows_and_gets_the_others(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.leaderboard_data.FIRST_ROWS", 1)
    with Writer.open(workspace) as writer:
        measure(writer, "date", all_scores(0.2))
    shown: list[int] = []
    show = LeaderboardScreen._show_board

    def noted(screen: LeaderboardScreen, board: api.Board, *, first: bool) -> None:
        shown.append(len(board.rows))
        show(screen, board, first=first)

    monkeypatch.setattr(LeaderboardScreen, "_show_board", noted)
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        await opened(pilot, 4)
        assert names(pilot) == ["beta", "citrus", "apple", "date"]
        assert board_of(pilot).model.board is not None
        assert board_of(pilot).model.board.best, "the best values are those of all rows"
    assert shown[0] == 1
    assert shown[-1] == 4


async def test_40_by_10_and_back(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for size in ((40, 10), (20, 4), (200, 50), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.press("down", "up", "up", "up", "up", "down", "right", "left", "greater_than_sign")
        await until(pilot, lambda: "Q7 on test of phantoms" in screen_text(pilot.app), "the head")
        assert len(names(pilot)) == 3


async def test_a_workspace_without_records_says_what_to_do(tmp_path: Path) -> None:
    async with workbench(Workspace(tmp_path)).run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "Nothing has been measured yet" in screen_text(pilot.app), "the hint")
        keys = "p space o y w enter s S C G slash escape less_than_sign right_square_bracket up"
        await pilot.press(*keys.split())
        assert isinstance(pilot.app.screen, LeaderboardScreen)


async def test_a_group_with_references_alone_says_so(tmp_path: Path) -> None:
    with Writer.open(Workspace(tmp_path)) as writer:
        measure(writer, Reference.MAJORITY, all_scores(0.5))
    async with workbench(Workspace(tmp_path)).run_test(size=(80, 24)) as pilot:
        await opened(pilot, 0)
        await until(pilot, lambda: "Only references" in screen_text(pilot.app), "the sentence")
        assert frozen(pilot) == ["majority class"]


async def test_hostile_names_are_text(tmp_path: Path) -> None:
    with Writer.open(Workspace(tmp_path)) as writer:
        run = measure(writer, HOSTILE, all_scores(0.5), where={"dataset": "[b]x[/b]\x1b[2J"}, threshold=0.5)
        writer.set_tags(run, ["[red]"])
        api.choose_board_columns(Workspace(tmp_path), ["balanced_accuracy", "tags", "model"])
    async with workbench(Workspace(tmp_path)).run_test(size=(80, 24)) as pilot:
        await opened(pilot, 1)
        await pilot.press("p")
        await until(pilot, lambda: len(frozen(pilot)) == 1, "the pin")
        for key in ("G", "s", "C"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "a dialog")
            text = screen_text(pilot.app)
            assert "\x1b" not in text
            await pilot.press("escape")
        await pilot.press("y")
        text = screen_text(pilot.app)
        assert "[b]x[/b]" in text
        assert "[red]x[/red]" in text
        assert not any(character in text for character in "\x1b\x07\x9b\r\u202e")
        assert "\x1b" not in pilot.app.clipboard
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the prompt")
        typed = pilot.app.screen.query_one(Input).value
        assert "/" not in typed
        assert "\x1b" not in typed


# ----- the cursor


async def test_the_cursor_goes_up_to_the_references_and_their_details_are_shown(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("up")
        assert table_of(pilot).cursor == -1
        await until(pilot, lambda: "◇ reference" in details(pilot), "details of the base")
        assert "0.55 (0.50–0.59) n=240" in details(pilot)
        await pilot.press("up", "up", "up")
        assert table_of(pilot).cursor == -2
        for key in ("p", "space", "enter", "n"):
            pilot.app.clear_notifications()
            await pilot.press(key)
            assert "reference row: there is no run" in toasts(pilot), key
        assert isinstance(pilot.app.screen, LeaderboardScreen)
        await pilot.press("end")
        assert table_of(pilot).cursor == 2
        await pilot.press("pageup")
        assert table_of(pilot).cursor == 0  # a page ends at the first run
        await pilot.press("pagedown")
        assert table_of(pilot).cursor == 2
        await pilot.press("home", "down")
        assert table_of(pilot).cursor == 1
        await pilot.click(BoardTable, offset=(6, 1))
        assert table_of(pilot).cursor == -2
        await pilot.click(BoardTable, offset=(6, 3))
        assert table_of(pilot).cursor == 0


async def test_columns_scroll_beside_the_frozen_name(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("right", "right")
        head = widget_text(table_of(pilot)).splitlines()[0]
        assert "run" in head
        assert "bal. acc." not in head
        await pilot.press("left", "left")
        assert "bal. acc." in widget_text(table_of(pilot)).splitlines()[0]
        for _ in range(9):
            await pilot.press("greater_than_sign")
        assert sorted_by(pilot) == ("peak_vram", False)
        assert "VRAM▲" in widget_text(table_of(pilot)).splitlines()[0]  # brought into sight


async def test_details_say_where_the_threshold_came_from_and_what_could_not_be_read(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("end")
        await until(pilot, lambda: "apple · run 3" in details(pilot), "details of the last run")
        assert "P(abnormal) ≥ 0.250, here" in details(pilot)
        assert "3 unparseable" in details(pilot)
        assert "0 cut off" in details(pilot)
        assert "few cases" not in details(pilot)


async def test_few_cases_are_said_to_be_few(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: names(pilot) == ["elsewhere"], "the oldest group")
        await until(pilot, lambda: "few cases" in details(pilot), "the warning")
        assert "! few cases: wide intervals (bal. acc., sens., AUROC, MCC)" in details(pilot)


# ----- groups


async def test_one_group_at_a_time(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert names(pilot) == ["beta", "citrus", "apple"]
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: names(pilot) == ["other question"], "the next group")
        assert columns(pilot)[:2] == ["name", "f2"]  # that question has figures of its own
        assert frozen(pilot) == []
        for words in ("Q1 on test of fetal [x]", "group 2 of 3"):
            await until(pilot, lambda words=words: words in screen_text(pilot.app), words)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: names(pilot) == ["elsewhere"], "the last group")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: len(names(pilot)) == 3, "the first group again")
        await pilot.press("G")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the dialog")
        assert "Q7 on validation of phantoms" in screen_text(pilot.app)
        await pilot.press("end", "enter")
        await until(pilot, lambda: group_of(pilot) == "Q7 on validation of phantoms", "the chosen group")


async def test_the_palette_has_the_groups(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        commands = {title: run for title, _, run in board_of(pilot).commands()}
        commands["Rank Q1 on test of fetal [x]"]()
        await until(pilot, lambda: names(pilot) == ["other question"], "the group")


async def test_a_newer_measurement_of_another_group_does_not_change_the_group(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        with Writer.open(workspace) as writer:
            measure(writer, "new", all_scores(0.2), where={"split": Split.VALIDATION})
            measure(writer, "fourth", all_scores(0.6))
            measure(writer, "newest", all_scores(0.2), where={"split": Split.VALIDATION})
        await until(pilot, lambda: len(names(pilot)) == 4, "the new run of this group")
        assert group_of(pilot) == "Q7 on test of phantoms"
        assert "group 2 of 3" in screen_text(pilot.app)


async def test_with_one_group_the_keys_say_so(tmp_path: Path) -> None:
    with Writer.open(Workspace(tmp_path)) as writer:
        measure(writer, "one", all_scores(0.5))
    async with workbench(Workspace(tmp_path)).run_test(size=(80, 24)) as pilot:
        await opened(pilot, 1)
        await pilot.press("right_square_bracket")
        assert "only this group" in toasts(pilot)


# ----- order


async def test_sorting_by_keys(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("down", "S")
        assert names(pilot) == ["apple", "citrus", "beta"]
        assert table_of(pilot).cursor == 0
        assert "bal. acc.▲" in screen_text(pilot.app)
        await pilot.press("greater_than_sign")
        assert sorted_by(pilot) == ("sensitivity", True)
        assert names(pilot) == ["citrus", "beta", "apple"]
        await pilot.press("greater_than_sign")
        assert sorted_by(pilot) == ("specificity", True)
        assert names(pilot) == ["beta", "apple", "citrus"]  # what is missing comes last
        await pilot.press("S")
        assert names(pilot) == ["apple", "beta", "citrus"]
        await pilot.press(*["less_than_sign"] * 3)
        assert sorted_by(pilot) == ("name", False)
        await pilot.press("less_than_sign")
        assert sorted_by(pilot) == ("peak_vram", False)  # less is better


async def test_sorting_by_a_choice_and_by_a_click(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        await opened(pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the dialog")
        await pilot.press("down", "enter")
        await until(pilot, lambda: sorted_by(pilot) == ("balanced_accuracy_low", True), "sorted by the low end")
        assert "by bal. acc., low end ▼" in screen_text(pilot.app)
        assert "95 %▼" in screen_text(pilot.app)
        head = widget_text(table_of(pilot)).splitlines()[0]
        await pilot.click(BoardTable, offset=(head.index("sens."), 0))
        assert sorted_by(pilot) == ("sensitivity", True)
        await pilot.click(BoardTable, offset=(head.index("sens."), 0))
        assert sorted_by(pilot) == ("sensitivity", False)
        await pilot.click(BoardTable, offset=(0, 0))  # the signs have no order
        assert sorted_by(pilot) == ("sensitivity", False)


async def test_the_order_stays_when_something_is_measured(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("greater_than_sign", "S", "end")
        with Writer.open(workspace) as writer:
            measure(writer, "fourth", all_scores(0.6))
        await until(pilot, lambda: names(pilot) == ["fourth", "apple", "beta", "citrus"], "the new run in its place")
        assert table_of(pilot).cursor == 3  # on its row


# ----- columns


async def test_columns_are_chosen_and_kept(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the dialog")
        dialog = pilot.app.screen
        assert isinstance(dialog, Choose)
        assert dialog.chosen[0] == "balanced_accuracy"
        dialog.chosen = ["mcc", "seed"]
        await pilot.press("enter")
        await until(pilot, lambda: columns(pilot) == ["name", "mcc", "seed"], "the columns")
        await until(pilot, lambda: chosen_columns(workspace) == ("mcc", "seed"), "they are kept")
        assert names(pilot) == ["beta", "citrus", "apple"]  # still by balanced accuracy, which is out of sight
        await pilot.press("S")  # what is not shown is not turned round
        assert sorted_by(pilot) == ("balanced_accuracy", True)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert columns(pilot) == ["name", "mcc", "seed"]
        await pilot.press("C")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the dialog")
        assert isinstance(pilot.app.screen, Choose)
        pilot.app.screen.chosen = []
        await pilot.press("enter")
        await until(pilot, lambda: columns(pilot)[:2] == ["name", "balanced_accuracy"], "the usual columns")
        await until(pilot, lambda: chosen_columns(workspace) == (), "nothing is kept")


def chosen_columns(workspace: Workspace) -> tuple[str, ...]:
    with Reader(workspace) as reader:
        return api.chosen_board_columns_from(reader)


def test_columns_that_a_group_does_not_have_are_left_out(workspace: Workspace) -> None:
    live = Live(workspace)
    data = BoardQuestion().read(live, Wanted(columns=("mcc", "no such column", "view:Head:auroc")))
    assert data.board is not None
    assert [column.name for column in data.board.columns] == ["name", "mcc"]
    api.choose_board_columns(workspace, [*(f"view:V{number}:auroc" for number in range(99))])
    data = BoardQuestion().read(live, Wanted())  # more than one statement can hold
    assert data.board is not None
    assert len(data.board.columns) == 41
    with raw(workspace) as connection:
        connection.execute("""UPDATE settings SET value = '{"a": 1}' WHERE key = 'leaderboard_columns'""")
    assert BoardQuestion().read(live, Wanted()).columns == ()
    live.close()


# ----- filter


async def test_an_unfinished_filter_keeps_the_rows_and_says_what_is_missing(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash")
        await type_text(pilot, "balanced_accuracy > 0.75")
        await until(pilot, lambda: names(pilot) == ["beta", "citrus"], "the filtered rows")
        assert "2 of 3 rows" in screen_text(pilot.app)
        assert frozen(pilot) == ["majority class", "untuned assets/base-model"]
        await type_text(pilot, "balanced_accuracy > 0.75 and")
        await until(pilot, lambda: "2 of 3 rows · " in screen_text(pilot.app), "the problem")
        problem = board_of(pilot)._data.problem
        assert problem is not None
        assert problem.title[:30] in screen_text(pilot.app)
        assert names(pilot) == ["beta", "citrus"]
        await type_text(pilot, "name = beta")
        await until(pilot, lambda: names(pilot) == ["beta"], "the new filter")
        await pilot.press("enter")
        assert pilot.app.focused is table_of(pilot)
        assert "filter: name = beta" in screen_text(pilot.app)
        await pilot.press("slash")
        await type_text(pilot, "auroc_low > 0.99")
        await until(pilot, lambda: "No run fits the filter" in screen_text(pilot.app), "an empty table")
        await pilot.press("escape")
        await until(pilot, lambda: len(names(pilot)) == 3, "all rows again")


async def test_a_filter_completes_columns_of_the_board(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"balan")
        field = pilot.app.screen.query_one(Input)
        await until(pilot, lambda: field._suggestion, "a suggestion")
        await pilot.press("tab")
        assert field.value.strip() == "balanced_accuracy"


# ----- pins, marks


async def test_pins_stay_on_top_whatever_the_filter_says_and_are_kept(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("end", "p")
        await until(pilot, lambda: frozen(pilot)[2:] == ["apple"], "the pin")
        assert api.pins(workspace) == [3]
        assert names(pilot) == ["beta", "citrus", "apple"]
        assert widget_text(table_of(pilot)).count("◆") == 2  # on top, and in its place
        assert "apple" in details(pilot)  # the cursor has stayed
        await pilot.press("slash")
        await type_text(pilot, "beta")
        await until(pilot, lambda: names(pilot) == ["beta"], "the filter")
        assert frozen(pilot)[2:] == ["apple"]
        await pilot.press("enter", "home", "up")
        await until(pilot, lambda: "apple · run 3" in details(pilot), "the pinned row under the cursor")
        await pilot.press("p")
        await until(pilot, lambda: len(frozen(pilot)) == 2, "no pin any more")
        assert api.pins(workspace) == []
        assert table_of(pilot).cursor == -1
        assert "reference" in details(pilot)


def test_only_so_many_pins(workspace: Workspace) -> None:
    api.set_pins(workspace, range(100, 100 + MOST_PINNED))
    assert "At most" in toggle_pin(workspace, 3)
    assert len(api.pins(workspace)) == MOST_PINNED
    assert toggle_pin(workspace, 100) == ""
    assert toggle_pin(workspace, 3) == ""
    assert api.pins(workspace)[-1] == 3


async def test_enter_opens_the_run_and_o_the_marked_ones(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        assert isinstance(pilot.app.screen, RunScreen)
        assert pilot.app.screen.run_id == 4
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "back")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run under the cursor")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "back")
        await pilot.press("space", "space", "up", "space", "home", "down", "space")
        assert board_of(pilot).model.marked == [4, 5]
        assert widget_text(table_of(pilot)).count("●") == 2
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the runs")
        assert isinstance(pilot.app.screen, RunScreen)
        assert (pilot.app.screen.run_id, pilot.app.screen._curves.others) == (4, (5,))


async def test_at_most_five_marks(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        for number in range(4):
            measure(writer, f"more {number}", all_scores(0.6))
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, 7)
        await pilot.press(*["space"] * 6)
        assert len(board_of(pilot).model.marked) == 5
        assert "At most 5" in toasts(pilot)


async def test_actions_of_a_run_that_has_ended(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "a new name")
        await type_text(pilot, "better")
        await pilot.press("enter")
        await until(pilot, lambda: names(pilot)[0] == "better", "the new name")
        for key in ("t", "n"):
            await pilot.press(key)
            await until(pilot, lambda: pilot.app.screen is not board_of(pilot), f"the dialog of {key}")
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is board_of(pilot), "back")
        await pilot.press("e")  # the dataset is not there, and that is said
        await until(pilot, lambda: "phantoms" in toasts(pilot), "why nothing can be measured")
        for action in ("stop_run", "cancel_run", "resume_run"):
            assert board_of(pilot).check_action(action, ()) is False
        keys = {binding.action for _, binding, enabled, _ in board_of(pilot).active_bindings.values() if enabled}
        assert {"clone_run", "tag_run"} <= keys
        assert not keys & {"stop_run", "cancel_run", "resume_run"}


# ----- copy and export


async def test_copy(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard.startswith("beta (run 4): balanced accuracy 0.90 (0.85–0.94) n=240")
        assert "up to the terminal" in toasts(pilot)
        await pilot.press("up", "y")
        assert pilot.app.clipboard.startswith("untuned assets/base-model (base)")


async def test_export_writes_the_table_as_it_stands(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash")
        await type_text(pilot, "balanced_accuracy < 0.85")
        await until(pilot, lambda: names(pilot) == ["citrus", "apple"], "the filter")
        await pilot.press("enter", "S", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the prompt")
        assert pilot.app.screen.query_one(Input).value == "leaderboard-phantoms-Q7-test.csv"
        await pilot.press("enter")
        file = workspace.root / "leaderboard-phantoms-Q7-test.csv"
        await until(pilot, file.exists, "the file")
        await until(pilot, lambda: "Written 2 rows" in toasts(pilot), "the toast")
        rows = file.read_text().splitlines()
        assert rows[0].startswith("evaluation,run,reference,name,balanced_accuracy,balanced_accuracy_low")
        assert [row.split(",")[3] for row in rows[1:]] == [
            "majority class",
            "untuned assets/base-model",
            "apple",
            "citrus",
        ]
        assert list(workspace.root.glob(".sonotune-*")) == []


async def test_export_refuses_to_overwrite_until_told_to(workspace: Workspace) -> None:
    file = workspace.root / "board.md"
    file.write_text("mine")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for answer, left in (("n", "mine"), ("y", "Q7 on test of phantoms")):
            await pilot.press("w")
            await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the prompt")
            await type_text(pilot, "board.md")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "the question")
            assert "board.md" in screen_text(pilot.app)
            await pilot.press(answer)
            await until(pilot, lambda left=left: file.read_text().startswith(left), "what is in the file")
            await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "back")
        assert f"*{'majority class'}*" in file.read_text()


async def test_export_names_what_is_wrong_with_a_name(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "the prompt")
        await type_text(pilot, "board.txt")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Prompt)
        assert ".csv or .md" in screen_text(pilot.app)
        await type_text(pilot, "no such folder/board.csv")
        await pilot.press("enter")
        await until(pilot, lambda: "can't be written" in toasts(pilot), "the error")


def board_in(workspace: Workspace) -> api.Board:
    return api.board(workspace)


def test_only_the_name_that_was_typed_is_touched(workspace: Workspace, tmp_path: Path) -> None:
    board = board_in(workspace)
    inside = workspace.root / "folder"
    inside.mkdir()
    outside = tmp_path / "outside.csv"
    outside.write_text("mine")
    link = inside / "link.csv"
    link.symlink_to(outside)
    assert not export.write_export(link, board, "csv", overwrite=False)
    assert export.write_export(link, board, "csv", overwrite=True)
    assert outside.read_text() == "mine"  # the link was replaced, not followed
    assert link.read_text().startswith("evaluation,")
    dangling = inside / "dangling.csv"
    dangling.symlink_to(tmp_path / "not there.csv")
    assert not export.write_export(dangling, board, "csv", overwrite=False)
    with pytest.raises(api.SonotuneError, match="can't be written"):
        export.write_export(inside, board, "csv", overwrite=True)
    inside.chmod(0o755)
    assert sorted(file.name for file in inside.iterdir()) == ["dangling.csv", "link.csv"]


def test_file_systems_without_links_are_written_to_as_well(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    board = board_in(workspace)
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    file = tmp_path / "board.csv"
    assert export.write_export(file, board, "csv", overwrite=False)
    assert not export.write_export(file, board, "csv", overwrite=False)
    assert list(tmp_path.glob(".sonotune-*")) == []


def test_names_and_forms(workspace: Workspace) -> None:
    board = board_in(workspace)
    assert board.group is not None
    assert export.default_name(board.group) == "leaderboard-phantoms-Q7-test.csv"
    assert export.target(workspace, " sub/x.csv ") == workspace.root / "sub" / "x.csv"
    assert export.target(workspace, "/elsewhere/x.md") == Path("/elsewhere/x.md")
    assert export.target(workspace, "~/x.md") == Path.home() / "x.md"
    assert export.target(workspace, "~nobody-at-all/x.md") == workspace.root / "~nobody-at-all" / "x.md"
    assert [export.form_of(name) for name in ("a.csv", "a.MD", "a.txt", "a")] == ["csv", "markdown", None, None]
    assert export.wrong_with("a.csv") == ""
    assert all(export.wrong_with(name) for name in ("", "  ", "a", "a\0.csv", ".csv"))


# ----- what is asked


def test_the_same_object_is_answered_until_something_other_than_progress_changes(workspace: Workspace) -> None:
    live, question, wanted = Live(workspace), BoardQuestion(), Wanted()
    first = question.read(live, wanted)
    assert first.board is not None
    with Writer.open(workspace) as writer:
        run = add_run(writer, "training")  # an event, but none that changes the board
        again = question.read(live, wanted)
        assert again is first
        writer.add_metrics(run, 1, {"loss": 1.0})
        assert question.read(live, wanted) is first
    api.rename_run(workspace, 4, "another name")
    renamed = question.read(live, wanted)
    assert renamed is not first
    assert renamed.board is not None
    assert "another name" in [api.board_row_name(renamed.board, row) for row in renamed.board.rows]
    api.set_pins(workspace, [4])
    assert question.read(live, wanted).pins == (4,)
    live.close()


def test_a_file_that_was_replaced_is_read_anew(workspace: Workspace, tmp_path: Path) -> None:
    live, question = Live(workspace), BoardQuestion()
    chosen = question.read(live, Wanted()).board
    assert chosen is not None
    assert chosen.group is not None
    other = Workspace(tmp_path / "other")
    with Writer.open(other) as writer:
        measure(writer, "alone", all_scores(0.5), where={"dataset": "fetal"})
    for name in ("runs.db-wal", "runs.db-shm"):
        (workspace.root / name).unlink(missing_ok=True)
    with raw(other) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.database.replace(workspace.database)
    data = question.read(live, Wanted(group=chosen.group.key))  # that group is gone
    assert data.board is not None
    assert [row[1] for row in data.board.rows] == [1]
    live.close()


def test_nothing_recorded_is_an_empty_answer(tmp_path: Path) -> None:
    assert BoardQuestion().read(Live(Workspace(tmp_path)), Wanted()) == BoardData()


def test_a_filter_that_finds_nothing_is_not_what_an_unfinished_one_falls_back_to(workspace: Workspace) -> None:
    live, question = Live(workspace), BoardQuestion()

    def count(text: str) -> int:
        board = question.read(live, Wanted(filter=text)).board
        assert board is not None
        return len(board.rows)

    assert count("auro") == 0  # a word on its own is looked for in names
    assert count("auroc >") == 3
    assert count("apple") == 1
    assert count("apple and") == 1
    live.close()


# ----- help


async def test_every_key_has_a_name_and_help(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        ids = {active.binding.id for active in board_of(pilot).active_bindings.values()}
        wanted = "open filter sort reverse sort_left sort_right columns groups last_group next_group pin mark overlay"
        assert {f"leaderboard.{name}" for name in [*wanted.split(), "copy", "export"]} <= ids
        footer = screen_text(pilot.app).splitlines()[-1]
        for words in ("enter open", "/ filter", "s sort", "p pin", "i cases", "G group", "q quit", "? help"):
            assert words in footer
        told = str(help_text(board_of(pilot)))
        for words in ("as CSV or Markdown", "Last row", "Curves of the marked runs together", "leaderboard.export"):
            assert words in told
        assert "Stop" not in told
