"""The dialog that asks what to measure of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker, small_dataset, succeed
from store_helpers import add_run
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, workbench

from engine import api
from engine.recipe import Recipe, parse_recipe
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import QUESTION_IDS, JobKind, Split, State
from engine.workspace import Workspace
from tui.dialogs.evaluate import (
    NOTHING_LEFT,
    TEST_WORDS,
    EvaluateDialog,
    answer,
    ask_for_evaluation,
    nothing_to_take,
    queue_evaluations,
)
from tui.dialogs.prompt import Prompt
from tui.widgets.table import Table

Q6, Q7 = "Q6", "Q7"
VALIDATION, TEST = Split.VALIDATION, Split.TEST


def recipe(*changes: str) -> Recipe:
    mapping = {"name": "demo", "data": {"dataset": "fetal"}, "evaluation": {"splits": ["validation"]}}
    return parse_recipe(mapping, "demo.toml", [*changes])


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Workspace]:
    """A dataset with a queued run on Q6, whose validation is queued; nothing is started."""
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe("data.questions=['Q6']"), references=False, test_purpose="tests")
        yield workspace


def evaluations(workspace: Workspace) -> list[tuple[str, Split, int | None]]:
    with Reader(workspace) as reader:
        return [(row.question, row.split, row.run_id) for row in reader.evaluations() if row.degradation is None]


def told(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


def running(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> Any:
    return workbench(workspace).run_test(size=size, notifications=True)


def words(pilot: Pilot[Any]) -> str:
    return " ".join(screen_text(pilot.app).replace("│", " ").split())


async def asked(pilot: Pilot[Any], run: int = 1) -> EvaluateDialog:
    """Ask, and wait until the dialog knows what there is."""
    ask_for_evaluation(pilot.app, run)
    dialog = pilot.app.screen
    assert isinstance(dialog, EvaluateDialog)
    await until(pilot, lambda: dialog._found is not None and dialog._ready, "the choices are there")
    await pilot.pause()
    return dialog


async def test_it_lists_what_can_be_measured_and_what_is_on_its_way(launched: Workspace) -> None:
    async with running(launched) as pilot:
        dialog = await asked(pilot)
        text = screen_text(pilot.app)
        assert "measure run 1" in text
        assert "demo" in text
        assert "on its way: queued, evaluation 1" in text
        assert text.count(TEST_WORDS) >= 2
        assert "It has not ended: what you queue starts when it has succeeded." in text
        cases = {(each.question, each.split): each.cases for each in api.evaluation_choices(launched, 1).choices}
        row = next(line for line in text.splitlines() if "Q7" in line and "validation" in line)
        assert str(cases[Q7, VALIDATION]) in row
        # The cursor is on the first that can be marked.
        assert dialog.query_one(Table).cursor_key() == (Q6, TEST)
        assert "Enter queues Q6 on test." in text


async def test_space_marks_and_enter_queues_all_that_is_marked(launched: Workspace) -> None:
    async with running(launched) as pilot:
        dialog = await asked(pilot)
        await pilot.press("down", "space", "space")
        assert dialog.marked == [(Q7, VALIDATION), (Q7, TEST)]
        assert "Enter queues Q7 on validation, Q7 on test. A test brings validation along" in words(pilot)
        assert screen_text(pilot.app).count("●") == 2
        await pilot.press("home", "down", "space", "enter")  # also Q6 on test
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt), "it asks why the test split is looked at")
        assert "Nobody has looked at it yet." in words(pilot)
        await pilot.press("enter")  # without a reason nothing happens
        assert isinstance(pilot.app.screen, Prompt)
        await pilot.press(*"end", "enter")
        await until(pilot, lambda: "queued for run 1" in told(pilot), "it is told how many")
        looks = api.looks(launched, "fetal")
        assert [(look.question, look.purpose) for look in looks] == [("Q7", "end"), ("Q6", "end")]
        assert not isinstance(pilot.app.screen, EvaluateDialog)
    of_run = [(question, split) for question, split, run in evaluations(launched) if run == 1]
    assert sorted(of_run) == sorted([(Q6, VALIDATION), (Q6, TEST), (Q7, VALIDATION), (Q7, TEST)])
    with Reader(launched) as reader:
        count = len(reader.evaluations()) - 2  # validation of Q6 and its control were there
    assert count > 3  # with the reference rows and controls
    assert f"{count} evaluations queued for run 1: with reference rows, blank-image controls" in told(pilot)


async def test_a_mark_can_be_taken_back_and_enter_takes_the_row_under_the_cursor(launched: Workspace) -> None:
    async with running(launched) as pilot:
        dialog = await asked(pilot)
        await pilot.press("space", "up", "space", "up")
        assert dialog.marked == []
        await pilot.press("down", "enter")
        await until(pilot, lambda: "queued for run 1" in told(pilot), "it is queued")
    assert (Q7, VALIDATION, 1) in evaluations(launched)
    assert (Q7, TEST, 1) not in evaluations(launched)


async def test_what_is_on_its_way_cannot_be_marked_again(launched: Workspace) -> None:
    async with running(launched) as pilot:
        dialog = await asked(pilot)
        await pilot.press("home", "space")
        assert dialog.marked == []
        assert "Q6 on validation: on its way: queued, evaluation 1." in told(pilot)
        await pilot.press("home", "enter")
        assert isinstance(pilot.app.screen, EvaluateDialog)
        assert "Go to a row that can be measured" in told(pilot)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, EvaluateDialog)
    assert evaluations(launched) == [(Q6, VALIDATION, 1)]


async def test_where_all_is_measured_it_says_so(launched: Workspace) -> None:
    api.evaluate_run(launched, 1, [TEST], QUESTION_IDS, test_purpose="tests")
    before = evaluations(launched)
    async with running(launched) as pilot:
        await asked(pilot)
        assert NOTHING_LEFT in screen_text(pilot.app)
        await pilot.press("enter")
        assert NOTHING_LEFT in told(pilot)
    assert evaluations(launched) == before


def test_what_was_measured_meanwhile_is_not_queued_again(launched: Workspace) -> None:
    # The launch had wanted no reference rows: they are made up for.
    assert queue_evaluations(launched, 1, [(Q6, VALIDATION)]).startswith("4 evaluations queued for run 1")
    assert queue_evaluations(launched, 1, [(Q6, VALIDATION)]) == NOTHING_LEFT
    said = queue_evaluations(launched, 1, [(Q7, VALIDATION)])
    assert said.startswith("6 evaluations queued for run 1: with reference rows")
    assert queue_evaluations(launched, 1, [(Q7, VALIDATION)]) == NOTHING_LEFT


def test_one_evaluation_alone_is_told_as_one(launched: Workspace) -> None:
    api.evaluate_run(launched, 1, [VALIDATION], [Q7], test_purpose="tests")
    with Reader(launched) as reader:
        own = next(row.id for row in reader.evaluations(1) if row.question == Q7 and row.degradation is None)
    with Writer.open(launched) as writer:
        assert writer.transition(JobKind.EVALUATION, own, State.QUEUED, State.CANCELLED, "test")
    assert queue_evaluations(launched, 1, [(Q7, VALIDATION)]) == "1 evaluation queued for run 1."


async def test_an_ended_run_without_an_adapter_is_told_with_the_next_step(launched: Workspace) -> None:
    api.cancel(launched, 1, start_worker=False)
    async with running(launched) as pilot:
        await asked(pilot)
        text = words(pilot)
        assert "Run 1 has no adapter to measure. It is cancelled" in text
        assert "→ Launch it anew." in text
        assert "space marks" not in text
        await pilot.press("space", "enter")
        assert isinstance(pilot.app.screen, EvaluateDialog)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, EvaluateDialog)


async def test_a_measured_split_is_named_as_such(launched: Workspace) -> None:
    with Writer.open(launched) as writer:
        succeed(writer, JobKind.TRAINING, 1)
        succeed(writer, JobKind.EVALUATION, 1)
    (launched.root / "outputs" / "00001-demo" / "adapter").mkdir(parents=True)
    async with running(launched) as pilot:
        await asked(pilot)
        assert "measured, evaluation 1" in screen_text(pilot.app)
        assert "has not ended" not in screen_text(pilot.app)


async def test_an_error_closes_the_dialog_and_is_told(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with no_worker(workspace):
        with Writer.open(workspace) as writer:
            add_run(writer)
        async with running(workspace) as pilot:
            for run, words in ((1, "There is no dataset named phantoms"), (5, "There is no run 5")):
                ask_for_evaluation(pilot.app, run)
                await until(pilot, lambda words=words: words in told(pilot), "the error is told")
                assert not isinstance(pilot.app.screen, EvaluateDialog)


async def test_a_fault_of_the_program_closes_the_dialog_too(
    launched: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "evaluation_choices", lambda *_: 1 / 0)
    async with running(launched) as pilot:
        ask_for_evaluation(pilot.app, 1)
        await until(pilot, lambda: "ZeroDivisionError" in told(pilot), "the fault is told")
        assert not isinstance(pilot.app.screen, EvaluateDialog)


async def test_closing_it_before_it_knows_anything_is_no_harm(launched: Workspace) -> None:
    async with running(launched) as pilot:
        ask_for_evaluation(pilot.app, 1)
        dialog = pilot.app.screen
        assert isinstance(dialog, EvaluateDialog)
        dialog.dismiss(None)
        await until(pilot, lambda: dialog._found is not None, "the answer has come late")
        assert not isinstance(pilot.app.screen, EvaluateDialog)
        # And one that is told before it is on the screen.
        early = EvaluateDialog(1)
        early.show_choices(api.evaluation_choices(launched, 1))
        pilot.app.push_screen(early)
        await until(pilot, lambda: "Q7" in screen_text(pilot.app), "it shows what it was told")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 50)])
async def test_hostile_names_and_many_questions_fit(tmp_path: Path, size: tuple[int, int]) -> None:
    workspace = small_dataset(tmp_path)
    questions = [f"Q{number}" for number in range(1, 9)]
    with no_worker(workspace):
        api.launch(workspace, recipe(f"data.questions={questions}"), references=False, test_purpose="tests")
        with Writer.open(workspace) as writer:
            writer.update(JobKind.TRAINING, 1, name=HOSTILE)
        async with running(workspace, size) as pilot:
            dialog = await asked(pilot)
            assert len(dialog.choices) == 16
            await pilot.press("end", "space", "up", "down")
            text = screen_text(pilot.app)
            assert not {"\x1b", "\u202e", "\x07"} & set(text)
            assert "Q8" in text
            assert "Enter queues" in text
            assert "on test" in text or size == (40, 10)
            assert dialog.marked == [("Q8", TEST)]
            await pilot.press("home", *["down", "space"] * 4)
            assert len(dialog.marked) == 5
            assert "Enter queues 5 measurements" in screen_text(pilot.app)


def test_words_where_nothing_is_marked() -> None:
    free = api.EvaluationChoice(Q7, TEST, 4, None, None)
    done = api.EvaluationChoice(Q7, VALIDATION, 4, 3, State.SUCCEEDED)
    empty = api.EvaluationChoice(Q6, TEST, 0, None, None)
    assert nothing_to_take([free, done]).startswith("Go to a row")
    assert nothing_to_take([done, empty]) == NOTHING_LEFT
    assert nothing_to_take([empty]) == "There is nothing to measure."
    assert answer([], [done]) == [[(NOTHING_LEFT, "dim")]]
    assert len(answer([(Q7, VALIDATION)], [free])) == 1
