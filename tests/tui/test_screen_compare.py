"""The Compare screen, its doors on other screens, and the standings beside the pinned row of the leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_helpers import control_characters, no_worker, small_dataset
from compare_helpers import NORMAL, Said, guesses, measured, predictions, targets
from store_helpers import add_run
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.api import Workspace
from engine.errors import JobError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import IMPORTED, Reference, Split
from tui.dialogs.choose import Choose
from tui.screens.compare import CompareScreen
from tui.screens.compare_actions import CompareActions
from tui.screens.compare_open import MOST_SUBJECTS, Asked, board_subjects, open_comparison, words_for_runs
from tui.screens.compare_rows import ChangesModel, Shown, change_columns, path_end
from tui.screens.help import help_text
from tui.screens.leaderboard import LeaderboardScreen
from tui.screens.leaderboard_table import BoardTable
from tui.screens.run import RunScreen
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.tabstrip import TabStrip

pytestmark = pytest.mark.usefixtures("brisk")
MEANT = targets(90, abnormal=3)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A baseline, a better run, one of its kind, the majority class; and a run on fewer images."""
    found = Workspace(tmp_path)
    with no_worker(found), Writer.open(found) as writer:
        measured(writer, "baseline", predictions(MEANT, guesses(MEANT, 1, skill=0.3)))
        measured(writer, "tuned", predictions(MEANT, guesses(MEANT, 2, skill=0.95)), recipe={"lora": {"r": 32}})
        measured(writer, "alike", predictions(MEANT, guesses(MEANT, 3, skill=0.3)))
        measured(writer, Reference.MAJORITY, predictions(MEANT, [Said(NORMAL, 0.1)] * 90))
        measured(writer, "part", predictions(MEANT[:30], guesses(MEANT[:30], 4, skill=0.9)), cases="cases-2")
        yield found


def screen_of(pilot: Pilot[Any]) -> CompareScreen:
    assert isinstance(pilot.app.screen, CompareScreen)
    return pilot.app.screen


def toasts(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


async def opened(pilot: Pilot[Any], *words: str) -> CompareScreen:
    """A comparison that has an answer."""
    open_comparison(pilot.app, Asked(words))  # type: ignore[arg-type]
    return await answered(pilot)


async def answered(pilot: Pilot[Any]) -> CompareScreen:
    def there() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, CompareScreen) and bool(screen.found or screen.error)

    await until(pilot, there, "an answer")
    return screen_of(pilot)


# ----- what it shows


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_verdict_the_figures_and_the_counts_are_in_sight(workspace: Workspace, size: tuple[int, int]) -> None:
    async with workbench(workspace).run_test(size=size) as pilot:
        screen = await opened(pilot, "1", "2", "3", "majority")
        assert screen.found is not None
        await until(pilot, lambda: "balanced accuracy *" in screen_text(pilot.app), "the figures")
        first = screen.found.pairs[0]
        for words in (
            "Q7 on validation of phantoms",
            "the same 90 images",
            "baseline: run 1 (baseline)",
            "run 2 (tuned) is better than run 1 (baseline): balanced accuracy",
            "▸run 2 ▲ better",
            "run 3 = not distinguishable",
            "majority ▼ worse",
            f"{len(first.fixed)} fixed, {len(first.broken)} broken",
            "Research only, not for clinical use.",
        ):
            await until(pilot, lambda words=words: words in " ".join(screen_text(pilot.app).split()), words)
        assert "●" in screen_text(pilot.app)
        assert ("+ fixed" in screen_text(pilot.app)) == (size[0] == 200)


async def test_every_pane_by_keys(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2")
        for key, words in (
            ("tab", "+ fixed"),
            ("right_square_bracket", "NT-View"),
            ("tab", "lora.r"),
            ("tab", "P(abnormal) ≥ 0.500"),
            ("tab", "balanced accuracy *"),
            ("shift+tab", "P(abnormal) ≥ 0.500"),
            ("left_square_bracket", "lora.r"),
        ):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(pilot.app), words)


async def test_the_pane_is_chosen_by_a_click_too(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2")
        await until(pilot, lambda: "balanced accuracy *" in screen_text(pilot.app), "the figures")
        strip = screen_of(pilot).query_one(TabStrip)
        await until(pilot, lambda: strip.region.y > 3, "its place under the verdict")
        await pilot.click(strip, offset=(22, 0))
        await until(pilot, lambda: "NT-View" in screen_text(pilot.app), "the views")


async def test_the_next_subject_has_figures_and_images_of_its_own(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(200, 50)) as pilot:
        screen = await opened(pilot, "1", "2", "3")
        assert screen.found is not None
        await pilot.press("s")
        await until(pilot, lambda: "▸run 3" in screen_text(pilot.app), "the next subject")
        second = screen.found.pairs[1]
        assert len(screen.model.rows) == len(second.changed)
        assert "run 3 (alike): not distinguishable" in screen_text(pilot.app)
        await pilot.press("S")
        await until(pilot, lambda: "▸run 2" in screen_text(pilot.app), "back")
        await pilot.press("S")
        await until(pilot, lambda: "▸run 3" in screen_text(pilot.app), "round")


async def test_fixed_and_broken_alone(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(200, 50)) as pilot:
        screen = await opened(pilot, "1", "3")
        pair = screen.chosen_pair()
        assert pair is not None
        for which, count in (
            (Shown.FIXED, len(pair.fixed)),
            (Shown.BROKEN, len(pair.broken)),
            (Shown.ALL, len(pair.changed)),
        ):
            await pilot.press("f")
            await until(pilot, lambda which=which: screen.model.shown is which, which)
            assert len(screen.model.rows) == count
        await pilot.press("f", "f")
        await until(pilot, lambda: "listed: broken" in screen_text(pilot.app), "what is listed")
        assert "+ fixed" not in widget_text(screen.query_one(Table))


async def test_the_baseline_is_changed(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2", "3")
        await pilot.press("b")
        await until(pilot, lambda: "baseline: run 2 (tuned)" in screen_text(pilot.app), "the other baseline")
        assert screen_of(pilot).asked.subjects == ("2", "1", "3")
        assert "run 1 ▼ worse" in screen_text(pilot.app)


async def test_subjects_are_chosen_from_runs_and_references(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "evaluation:1", "evaluation:2")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the choice")
        assert "● 1 baseline" in " ".join(screen_text(pilot.app).split())
        await pilot.press("home", "space", "enter")  # the majority class as the third
        await until(pilot, lambda: "majority ▼ worse" in screen_text(pilot.app), "three subjects")
        assert screen_of(pilot).asked.subjects == ("1", "2", "majority")


async def test_another_question(workspace: Workspace) -> None:
    meant = ["liver", "aorta"] * 20
    with Writer.open(workspace) as writer:
        for run in (1, 2):
            measured(writer, run, predictions(meant, [Said("liver")] * 40, "Q1"), question="Q1")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2")
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the choice")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Q1 on validation" in screen_text(pilot.app), "the other question")
        await until(pilot, lambda: "F2 *" in screen_text(pilot.app), "its measure")


async def test_there_may_be_no_other_question(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2")
        await pilot.press("Q")
        await until(pilot, lambda: "no other question" in toasts(pilot), "the word")


async def test_the_curves_of_the_runs(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "2", "majority", "1")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        assert (screen.run_id, screen._curves.others) == (2, (1,))


async def test_enter_opens_the_image_with_both_answers(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[int], str, list[str]]] = []
    monkeypatch.setattr(
        "tui.screens.cases_open.open_case",
        lambda _, evaluations, path, paths=(): seen.append((list(evaluations), path, list(paths))),
    )
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, "2", "1")
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: seen, "the image")
        listed = [case.path for case in screen.model.rows]
        assert seen == [([2, 1], listed[1], listed)]


async def test_back(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "2")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, CompareScreen), "the list")


# ----- refusals


async def test_different_images_are_refused_with_the_ways_out(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, "1", "4")
        await until(pilot, lambda: "In common" in screen_text(pilot.app), "the refusal")
        text = screen_text(pilot.app)
        for words in ("different images", "run 4 (part): 30 images", "m measures them all", "c compares the 30"):
            assert words in text, words
        assert not screen.query_one("#panes").display
        await pilot.press("b", "o", "Q", "s", "f", "tab", "enter")  # there is nothing that they could act on
        await pilot.press("c")
        await until(pilot, lambda: "DIFFERENT IMAGES: only the 30" in screen_text(pilot.app), "loud common images")
        assert screen.query_one("#panes").display
        await until(pilot, lambda: "balanced accuracy *" in screen_text(pilot.app), "the figures")


async def test_measuring_alike_asks_and_tells(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[str, ...], str, str, str]] = []

    def alike(_: Workspace, runs: Any, question: str, split: api.Split, *, test_purpose: str = "") -> list[int]:
        asked.append((tuple(runs), question, split, test_purpose))
        if not test_purpose:
            raise api.UnconfirmedTestError("Why?", "Nobody has looked at it yet.", "Say why.")
        return [7, 8]

    monkeypatch.setattr(api, "measure_alike", alike)
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", "4")
        await pilot.press("m")
        await until(pilot, lambda: "why look at the test split" in screen_text(pilot.app), "the question")
        await pilot.press(*"final", "enter")
        await until(pilot, lambda: "Evaluations queued: 2" in toasts(pilot), "the word")
    assert asked == [(("1", "4"), "Q7", "validation", each) for each in ("", "final")]


async def test_an_error_while_measuring_is_told(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(100, 30)) as pilot:
        await opened(pilot, "1", "4")
        await pilot.press("m")  # these runs have no adapter
        await until(pilot, lambda: toasts(pilot), "why")
        with Reader(workspace) as reader:
            assert len(reader.evaluations()) == 5


async def test_imported_predictions_cannot_be_measured_here(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        theirs = add_run(writer, "theirs", kind=IMPORTED)
        measured(writer, theirs, predictions(MEANT[:20], guesses(MEANT[:20], 4, skill=0.9)), cases="cases-3")
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "1", str(theirs))
        await until(pilot, lambda: "c compares the 20" in screen_text(pilot.app), "how they can be compared")
        assert "m measures" not in screen_text(pilot.app)


@pytest.mark.parametrize(
    ("words", "said"), [(("1",), "One subject alone"), (("1", "99"), "There is no run 99"), (("1", "1"), "named twice")]
)
async def test_what_cannot_be_compared_says_why(workspace: Workspace, words: tuple[str, ...], said: str) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await opened(pilot, *words)
        await until(pilot, lambda: said in screen_text(pilot.app), said)


async def test_after_a_refusal_others_can_be_chosen(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, "1")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choose), "the choice")
        await pilot.press("home", "space", "enter")
        await until(pilot, lambda: screen.found is not None, "a comparison")
        assert screen.asked.subjects == ("1", "majority")


async def test_a_late_answer_does_not_replace_a_newer_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, "1", "2")
        before, old = screen.found, screen.asked
        screen.asked = replace(old, subjects=("1", "3"))
        screen._answered(old, JobError("late"), "")
        assert screen.found is before


# ----- the test split


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
async def test_how_often_the_test_split_was_looked_at_stands_in_the_head(tmp_path: Path, split: Split) -> None:
    found = small_dataset(tmp_path)
    prints = {"dataset": "fetal", "split_fingerprint": api.dataset_summary(found, "fetal").record.split_fingerprint}
    with no_worker(found), Writer.open(found) as writer:
        for name, seed in (("a", 1), ("b", 2)):
            rows = predictions(MEANT, guesses(MEANT, seed, skill=0.5))
            measured(writer, name, rows, split=split, look="final" if split is Split.TEST else None, **prints)
        async with workbench(found).run_test(size=(80, 24)) as pilot:
            await opened(pilot, "1", "2")
            await until(pilot, lambda: f"Q7 on {split} of fetal" in screen_text(pilot.app), "the head")
            if split is Split.TEST:
                await until(pilot, lambda: "test split looked at 2 times" in screen_text(pilot.app), "the looks")
            await pilot.pause(0.3)
            assert ("test split looked at 2 times" in screen_text(pilot.app)) is (split is Split.TEST)


# ----- sizes and hostile text


@pytest.mark.parametrize("size", [(40, 10), (60, 16), (149, 30), (150, 30)])
async def test_every_size_is_drawn_and_resized(workspace: Workspace, size: tuple[int, int]) -> None:
    async with workbench(workspace).run_test(size=size) as pilot:
        screen = await opened(pilot, "1", "2", "3")
        await pilot.press("tab", "s", "f")
        for each in ((20, 5), (200, 50), (80, 24)):
            await pilot.resize_terminal(*each)
            await pilot.press("tab", "tab", "tab", "tab", "tab")
        await until(pilot, lambda: "▸run 3" in screen_text(pilot.app), "still there")
        assert screen.query_one("#images").display


async def test_hostile_names_views_paths_and_outputs(workspace: Workspace) -> None:
    rows = predictions(MEANT, [Said(HOSTILE + " abnormal", 0.9) for _ in MEANT])
    rows = [replace(row, view=HOSTILE, path=row.path + HOSTILE, target=row.target + HOSTILE) for row in rows]
    others = [replace(row, raw_output=NORMAL, p_abnormal=0.1) for row in rows]
    with Writer.open(workspace) as writer:
        for number, each in enumerate((rows, others)):
            measured(writer, f"{number}{HOSTILE}", each, cases="hostile", protocol={"prompt": f"{number}{HOSTILE}"},
                     protocol_fingerprint=str(number))  # fmt: skip
    for size in ((80, 24), (200, 50)):
        async with workbench(workspace).run_test(size=size) as pilot:
            await opened(pilot, "5", "6")
            for _ in range(6):
                await pilot.press("tab")
                await pilot.pause()
                assert not control_characters(screen_text(pilot.app).replace("\n", ""))
            assert "[red]x[/red]" in screen_text(pilot.app)


def test_the_end_of_a_path_is_kept() -> None:
    assert path_end("Abdomen/Abdomen_001.png", 40) == "Abdomen/Abdomen_001.png"
    assert path_end("Abdomen/Abdomen_001.png", 10) == "…n_001.png"
    assert path_end("腹部/" * 20, 9).endswith("腹部/")


def test_columns_say_who_and_what() -> None:
    assert "view" not in [column.key for column in change_columns(80)]
    assert "view" in [column.key for column in change_columns(120)]
    assert ChangesModel(lambda: None).row_count() == 0  # type: ignore[arg-type,return-value]


async def test_every_key_has_a_name_and_words(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, "1", "2", "3")
        words = str(help_text(screen))
        for binding in (*CompareScreen.BINDINGS, *CompareActions.BINDINGS):
            if binding.id not in ("compare.measure", "compare.common", "compare.last_subject", "compare.last_pane"):
                assert binding.tooltip in words, binding
        assert isinstance(screen.focused, Lines)


# ----- doors


async def board(pilot: Pilot[Any]) -> LeaderboardScreen:
    await pilot.press("5")
    await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "the leaderboard")
    screen = pilot.app.screen
    assert isinstance(screen, LeaderboardScreen)
    screen._take_group(next(key for key in _keys(workspace_of(pilot)) if key.cases_fingerprint == "cases-1"))
    await until(pilot, lambda: len(screen.model.rows) == 3, "three runs")
    return screen


def workspace_of(pilot: Pilot[Any]) -> Workspace:
    found: Workspace = pilot.app.workspace  # type: ignore[attr-defined]
    return found


def _keys(workspace: Workspace) -> list[api.GroupKey]:
    return [group.key for group in api.board_groups(workspace)]


async def test_the_leaderboard_compares_the_row_with_the_majority_class(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await board(pilot)
        run = screen.chosen_run()
        await pilot.press("v")
        found = await answered(pilot)
        assert found.found is not None
        assert [each.short for each in found.found.subjects] == [f"run {run}", "majority"]
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen, "back on the board")


async def test_the_leaderboard_compares_pinned_and_marked_rows(workspace: Workspace) -> None:
    api.set_pins(workspace, [1])
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        screen = await board(pilot)
        screen.model.marked[:] = [3, 4]
        await pilot.press("v")
        found = await answered(pilot)
        assert found.found is not None
        assert [each.run for each in found.found.subjects] == [1, 3]  # 4 has other images: it is not in this group
        await until(pilot, lambda: "Left out: 1" in toasts(pilot), "the word about it")


def test_subjects_of_a_board() -> None:
    references = [(9, None, "base"), (8, None, "majority")]
    rows = [(10 + run, 1 + run, None) for run in range(9)]
    found: Any = SimpleNamespace(references=references, pinned=rows[:1], rows=rows)
    assert board_subjects(found, [], (12, 3, None)) == (("evaluation:10", "evaluation:12"), 0)
    assert board_subjects(found, [], (10, 1, None)) == (("evaluation:10", "evaluation:8"), 0)
    assert board_subjects(found, [2], (12, 3, None)) == (("evaluation:10", "evaluation:11"), 0)
    assert board_subjects(found, [2, 99], (9, None, "base")) == (("evaluation:10", "evaluation:11", "evaluation:9"), 1)
    words, left_out = board_subjects(found, [2, 3, 4, 5, 6, 7, 8], (12, 3, None))
    assert (len(words), left_out) == (MOST_SUBJECTS, 2)
    assert words_for_runs([3, 3, 1]) == ("3", "1")


async def test_runs_are_compared_from_the_list_and_from_a_run(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "baseline" in screen_text(pilot.app), "the list")
        await pilot.press("end", "v")
        found = await answered(pilot)
        assert found.asked.subjects == ("1", "majority")
        await pilot.press("escape")
        await pilot.press("end", "space", "up", "space", "v")
        found = await answered(pilot)
        assert found.asked.subjects == ("1", "2")
        await pilot.press("escape", "end", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        api.set_pins(workspace, [2])
        await pilot.press("v")
        found = await answered(pilot)
        assert found.asked.subjects == ("2", "1")


# ----- standings


async def test_rows_stand_beside_the_pinned_one(workspace: Workspace) -> None:
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        screen = await board(pilot)
        table = screen.query_one(BoardTable)
        assert "vs pin" not in widget_text(table)
        assert screen.model.standings == {}
        api.set_pins(workspace, [1])
        await until(pilot, lambda: len(screen.model.standings) == 3, "two runs and a reference")
        lines = widget_text(table).splitlines()
        assert "vs pin" in lines[0]
        shown = {name: next(line for line in lines[3:] if name in line) for name in ("tuned", "alike", "baseline")}
        assert " better " in shown["tuned"]
        assert " = " in shown["alike"]
        assert " pinned " in shown["baseline"]
        assert " worse " in lines[1]
        table.move_to_key(2)
        await until(pilot, lambda: "vs pinned: better · balanced accuracy +" in screen_text(pilot.app), "the sentence")
        assert "(Holm, 3 comparisons)" in screen.model.standings[2].sentence


async def test_another_pin_has_other_standings_and_none_takes_them_away(workspace: Workspace) -> None:
    api.set_pins(workspace, [1])
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        screen = await board(pilot)
        await until(pilot, lambda: len(screen.model.standings) == 3, "standings")
        api.set_pins(workspace, [2])
        await until(pilot, lambda: screen.model.baseline == 2 and len(screen.model.standings) == 3, "other standings")
        assert screen.model.standings[1].standing is api.Standing.WORSE
        api.set_pins(workspace, [])
        await until(pilot, lambda: screen.model.baseline is None, "no pin")
        await until(pilot, lambda: "vs pin" not in widget_text(screen.query_one(BoardTable)), "no column")


async def test_only_rows_in_sight_are_compared(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        for seed in range(10, 30):
            measured(writer, f"more-{seed}", predictions(MEANT, guesses(MEANT, seed, skill=0.3)))
    api.set_pins(workspace, [1])
    async with workbench(workspace).run_test(size=(120, 16)) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen), "the leaderboard")
        screen = pilot.app.screen
        assert isinstance(screen, LeaderboardScreen)
        await until(pilot, lambda: len(screen.model.rows) == 23, "all runs")
        table = screen.query_one(BoardTable)

        def wanted() -> set[int]:
            return {row[0] for row in table.rows_in_sight()} - {screen.model.baseline or 0}

        await until(pilot, lambda: set(screen.model.standings) == wanted(), "those in sight")
        first = len(screen.model.standings)
        assert first < 23
        await pilot.press("end")
        await until(pilot, lambda: wanted() < set(screen.model.standings), "those that came into sight")
        assert len(screen.model.standings) < 24


async def test_a_pair_that_fails_is_told_once_and_holds_up_no_other(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = api.Standings.read_in
    failed: list[int] = []

    def sometimes(self: api.Standings, found: Workspace, baseline: int, evaluations: list[int]) -> Any:
        if 2 in evaluations:
            failed.append(2)
            raise JobError("It is gone", "Somebody has taken it away.")
        return read(self, found, baseline, evaluations)

    monkeypatch.setattr(api.Standings, "read_in", sometimes)
    api.set_pins(workspace, [1])
    async with workbench(workspace).run_test(size=(120, 30)) as pilot:
        screen = await board(pilot)
        await until(pilot, lambda: len(screen.model.standings) == 2, "the others")
        await pilot.press("down", "up", "down")
        await until(pilot, lambda: "It is gone" in toasts(pilot), "the word")
        assert failed == [2]
