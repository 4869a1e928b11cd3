"""The launch screen, by keyboard alone. No test here starts a training: the worker's lock is held."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import no_worker, small_dataset
from preflight_values import GIB, LAYOUT, preflight, proposal, too_large
from store_helpers import workspace_at
from textual import events
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.recipe import recipe_from_json
from tui.dialogs.choose import Choose
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.screens.launch import LaunchScreen
from tui.screens.launch_model import RecipeForm, Source
from tui.screens.launch_work import Planner
from tui.widgets.fieldinput import FieldInput
from tui.widgets.form import Form
from tui.widgets.lines import Lines

pytestmark = pytest.mark.usefixtures("brisk")

NARROW, MEDIUM, WIDE = (80, 24), (120, 30), (200, 50)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[api.Workspace]:
    """40 images named `fetal`, and nobody who would start a job."""
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        yield workspace


@asynccontextmanager
async def launch_screen(workspace: api.Workspace, size: tuple[int, int] = NARROW) -> AsyncIterator[Pilot[Any]]:
    async with workbench(workspace).run_test(size=size) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen), "the screen is there")
        await until(pilot, lambda: on_top(pilot).form is not None, "the recipes were read")
        await until(pilot, lambda: isinstance(pilot.app.focused, Form), "the form has the focus")
        yield pilot


def on_top(pilot: Pilot[Any]) -> LaunchScreen:
    screen = next(each for each in pilot.app.screen_stack if isinstance(each, LaunchScreen))
    assert isinstance(screen, LaunchScreen)
    return screen


def form_of(pilot: Pilot[Any]) -> RecipeForm:
    form = on_top(pilot).form
    assert form is not None
    return form


def text_of(pilot: Pilot[Any], key: str) -> str:
    return form_of(pilot).entry(key).text


def pane(pilot: Pilot[Any], name: str) -> str:
    return widget_text(on_top(pilot).query_one(name, Lines))


def row(pilot: Pilot[Any], key: str) -> str:
    """The line of a field, wherever the form has been scrolled to."""
    form = on_top(pilot).query_one(Form)
    form.move_to_key(key)
    region = form.value_region()
    return "".join(segment.text for segment in form.draw(*form.content_size)[region.y])


def toasts(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title}\n{each.message}" for each in pilot.app._notifications)


async def go(pilot: Pilot[Any], key: str) -> None:
    """To a field with the arrow keys."""
    form, order = on_top(pilot).query_one(Form), list(form_of(pilot).fields)
    way = order.index(key) - order.index(form.key)
    await pilot.press(*["down" if way > 0 else "up"] * abs(way))
    assert form.key == key


async def type_into(pilot: Pilot[Any], key: str, text: str, end: str = "enter") -> None:
    await go(pilot, key)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.focused, FieldInput), f"{key} is edited")
    await pilot.press("ctrl+u", *text, end)
    await until(pilot, lambda: isinstance(pilot.app.focused, Form), f"{key} was edited")


async def dialog(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.is_mounted, f"a {kind.__name__}")
    return pilot.app.screen


async def back(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen), "the dialog is gone")


def stored(workspace: api.Workspace) -> list[api.Recipe]:
    """Recipes of all queued runs, oldest first."""
    return [recipe_from_json(run.recipe) for run in reversed(api.runs(workspace))]


# ----- the first look


async def test_it_begins_with_the_preset_that_runs_everywhere(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        shown = screen_text(pilot.app)
        assert "preset demo · no problems" in shown
        for word in ("dataset", "phantoms", "questions", "Q7", "image_size", "enter edit", "l launch", "? help"):
            assert word in shown
        assert "Name of the run" in pane(pilot, "#below")
        assert not on_top(pilot).query_one("#side").display


async def test_a_wide_window_has_presets_form_plan_and_help(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await until(pilot, lambda: "no dataset named phantoms" in pane(pilot, "#plan"), "the plan is there")
        shown = screen_text(pilot.app)
        for word in ("baseline-q7-8b", "● demo", "max_grad_norm", "same as demo", "Q7 on drawn phantoms"):
            assert word in shown
        assert "valid: text of 1 to 80 characters" in pane(pilot, "#help")
        assert not on_top(pilot).query_one("#below").display


async def test_a_medium_window_has_form_plan_and_help(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, MEDIUM) as pilot:
        screen = on_top(pilot)
        assert screen.query_one("#side").display
        assert not screen.query_one("#presets").display
        assert "v plan" not in screen_text(pilot.app)
        await pilot.press("v")
        assert not screen.has_class("-plan")


async def test_a_tiny_window_is_survived_and_comes_back(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await go(pilot, "training.batch")
        await pilot.press("enter")
        await pilot.resize_terminal(40, 10)
        await pilot.press("9", "enter", "v", "v")
        await until(pilot, lambda: "169" in screen_text(pilot.app), "the line that was typed into")
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: "169" in screen_text(pilot.app), "the form is back")
        await until(pilot, lambda: "was 16" in row(pilot, "training.batch"), "what it was")


def test_the_module_of_the_screen_brings_no_pydantic() -> None:
    code = "import sys, tui.screens.launch; print('pydantic' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


async def test_files_are_read_and_runs_are_planned_in_threads(
    workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(api, name)

        def call(*words: Any) -> Any:
            threads.add((name, threading.current_thread() is threading.main_thread()))
            return real(*words)

        return call

    for name in ("recipe_offers", "plan_launch"):
        monkeypatch.setattr(api, name, watched(name))
    async with launch_screen(workspace, WIDE) as pilot:
        await until(pilot, lambda: len(threads) == 2, "both were asked for")
    assert threads == {("recipe_offers", False), ("plan_launch", False)}


# ----- a whole launch


async def test_a_launch_by_keyboard_alone_queues_what_was_typed(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "name", "first try")
        await type_into(pilot, "data.dataset", "fetal")
        await type_into(pilot, "data.questions", "Q7, Q1")
        await type_into(pilot, "training.learning_rate", "5e-4")
        await type_into(pilot, "training.max_steps", "7")
        await go(pilot, "lora.vision")
        await pilot.press("space")
        await go(pilot, "training.schedule")
        await pilot.press("right")
        await go(pilot, "evaluation.splits")
        await pilot.press("space")
        await dialog(pilot, Choose)
        await pilot.press("down", "space", "enter")
        await back(pilot)
        typed = form_of(pilot).check.recipe
        await pilot.press("l")
        await dialog(pilot, Prompt)  # the test split is not looked at without a reason
        await pilot.press("enter", *"why", "enter")
        await until(pilot, lambda: "Run 1 (first try) is queued" in toasts(pilot), "it says what was queued")
        assert "with 8 evaluations" in toasts(pilot)
        assert "16 reference rows" in toasts(pilot)
        assert [look.purpose for look in api.looks(workspace, "fetal")] == ["why", "why"]
        await until(pilot, lambda: "queued" in screen_text(pilot.app).splitlines()[0], "the header knows")
    [recipe] = stored(workspace)
    assert recipe == typed
    demo = api.load_recipe(api.find_recipe("demo", workspace.root))
    assert {key: after for key, _, after in api.recipe_diff(demo, recipe)} == {
        "name": "first try",
        "data.dataset": "fetal",
        "data.questions": ("Q7", "Q1"),
        "lora.vision": True,
        "training.learning_rate": 5e-4,
        "training.max_steps": 7,
        "training.schedule": "constant",
        "evaluation.splits": ("validation", "test"),
    }


async def test_one_launch_at_a_time(workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, calls, real = threading.Event(), [], api.launch

    def slow(*words: Any, **options: Any) -> api.Launched:
        calls.append(words)
        assert go_on.wait(20)
        return real(*words, **options)

    monkeypatch.setattr(api, "launch", slow)
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: calls, "the first key launches")
        await pilot.press("l", "L")
        assert "being queued already" in toasts(pilot)
        go_on.set()
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")
    assert len(calls) == 1
    assert len(stored(workspace)) == 1


async def test_the_same_recipe_once_more_is_asked_for(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")
        await pilot.press("l")
        await dialog(pilot, Confirm)
        await pilot.press("l", "enter", "n")
        await back(pilot)
        assert len(stored(workspace)) == 1
        await pilot.press("l")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "Run 2 (demo-2)" in toasts(pilot), "the second one is queued")
        await type_into(pilot, "training.seed", "7")
        await pilot.press("l")
        await until(pilot, lambda: "Run 3" in toasts(pilot), "another recipe needs no question")
    assert [run.name for run in reversed(api.runs(workspace))] == ["demo", "demo-2", "demo-3"]


async def test_a_run_can_be_queued_before_all_others(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")
        await type_into(pilot, "training.seed", "7")
        await pilot.press("L")
        await until(pilot, lambda: "Run 2" in toasts(pilot), "the other one is queued")
    queued = api.queue_view(workspace).queued
    assert (queued[0].kind, queued[0].id, queued[0].priority) == ("training", 2, 1)


async def test_a_paused_queue_is_told_of(workspace: api.Workspace) -> None:
    api.pause_queue(workspace, "moving house")
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")
        assert "moving house" in toasts(pilot)


async def test_what_is_not_sound_is_neither_launched_nor_saved(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "training.batch", "abc")
        await type_into(pilot, "lora.r", "0")
        await pilot.press("l")
        assert "cannot be launched" in toasts(pilot)
        assert "lora.r, training.batch" in toasts(pilot)
        assert on_top(pilot).query_one(Form).key == "training.batch"
        await pilot.press("w")
        assert "cannot be saved" in toasts(pilot)
        assert isinstance(pilot.app.screen, LaunchScreen)
    assert api.runs(workspace) == []


async def test_what_this_machine_cannot_run_is_told_and_can_be_mended(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "nowhere")
        await pilot.press("l")
        await until(pilot, lambda: "no dataset named nowhere" in toasts(pilot), "the reason is told")
        assert "sonotune data import" in toasts(pilot)
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")


async def test_a_fault_of_the_program_is_told_and_ends_nothing(
    workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_words: Any, **_options: Any) -> api.Launched:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(api, "launch", broken)
    async with launch_screen(workspace) as pilot:
        await pilot.press("l")
        await until(pilot, lambda: "ZeroDivisionError: by nothing" in toasts(pilot), "it is told")
        await pilot.press("l")
        await until(pilot, lambda: toasts(pilot).count("ZeroDivisionError") == 2, "another try is possible")


async def test_the_run_that_was_queued_is_opened(workspace: api.Workspace) -> None:
    from tui.screens.run import RunScreen

    async with launch_screen(workspace) as pilot:
        await pilot.press("o")
        assert "Nothing has been launched" in toasts(pilot)
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("l")
        await until(pilot, lambda: "o opens the run" in toasts(pilot), "it is queued")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        assert pilot.app.current_mode == "runs"
        assert pilot.app.screen.run_id == 1


async def test_keys_that_come_all_at_once_act_in_their_order(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await go(pilot, "training.schedule")
        at_once(pilot, "right", "l")
        await until(pilot, lambda: "Run 1" in toasts(pilot), "it is queued")
        await go(pilot, "training.batch")
        await pilot.press("enter")
        at_once(pilot, "9", "ctrl+s")
        await dialog(pilot, Prompt)
        assert text_of(pilot, "training.batch") == "169"
        await pilot.press("escape")
        await back(pilot)
        at_once(pilot, "enter", "l", "L")
        await until(pilot, lambda: isinstance(pilot.app.focused, FieldInput), "the field is edited")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LaunchScreen)
        assert not on_top(pilot)._launching
    assert [recipe.training.schedule for recipe in stored(workspace)] == ["constant"]


def at_once(pilot: Pilot[Any], *keys: str) -> None:
    """Keys as a slow line brings them: all before the first one has had its effect."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))


# ----- problems


async def test_all_problems_are_shown_at_once_each_at_its_field(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "training.batch", "abc")
        await type_into(pilot, "training.warmup", "2")
        await go(pilot, "lora.language")
        await pilot.press("space")
        await until(pilot, lambda: "3 problems" in screen_text(pilot.app), "the count is on top")
        assert row(pilot, "training.batch").startswith("!≠ batch")
        assert "abc  " in row(pilot, "training.batch")
        assert "must be a whole number, at least 1, at most 4096" in row(pilot, "training.batch")
        assert "must be a number, at least 0, at most 1" in row(pilot, "training.warmup")
        assert "both are false" in row(pilot, "lora.language")
        assert row(pilot, "lora.vision").startswith("!  vision")
        assert "both are false" in row(pilot, "lora.vision")
        assert 'found "abc"' in pane(pilot, "#plan")
        assert "lora.vision, lora.language: both are false" in " ".join(pane(pilot, "#plan").split())


async def test_a_wording_that_not_all_questions_have_stands_at_both_fields(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.prompt", "structured")
        assert "no problems" in screen_text(pilot.app)
        await type_into(pilot, "data.questions", "Q1, Q7")
        for key in ("data.prompt", "data.questions"):
            assert row(pilot, key).startswith("!≠")
        await go(pilot, "data.prompt")
        assert 'found "structured", which Q1 does not have' in pane(pilot, "#below")


async def test_what_cannot_be_read_stays_as_it_was_typed(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        for key, text in (("training.seed", "4.0"), ("data.questions", "Q9,,Q7"), ("training.epochs", "")):
            await type_into(pilot, key, text)
            assert text_of(pilot, key) == text
            assert key in form_of(pilot).check.problems
        assert form_of(pilot).entry("training.seed").value == 4.0
        assert text_of(pilot, "training.warmup") == "0.03"


async def test_n_goes_from_problem_to_problem(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await pilot.press("n")
        assert "No problems." in toasts(pilot)
        await type_into(pilot, "training.batch", "abc")
        await type_into(pilot, "data.limit", "-1")
        seen = []
        for _ in range(3):
            await pilot.press("n")
            seen.append(on_top(pilot).query_one(Form).key)
        assert seen == ["training.batch", "data.limit", "training.batch"]


# ----- changing values


async def test_escape_leaves_a_value_as_it_was_and_leaving_the_line_keeps_it(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "training.batch", "99", end="escape")
        assert text_of(pilot, "training.batch") == "16"
        assert not form_of(pilot).differs("training.batch")
        await pilot.press("enter", "9")
        assert text_of(pilot, "training.batch") == "169"
        assert "was" not in screen_text(pilot.app).splitlines()[0]
        on_top(pilot).query_one("#plan", Lines).focus()
        await until(pilot, lambda: not on_top(pilot).query_one(Form).editing, "typing is over")
        assert text_of(pilot, "training.batch") == "169"


async def test_while_one_types_the_value_is_checked(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await go(pilot, "training.batch")
        await pilot.press("enter", "x")
        await until(pilot, lambda: 'found "16x"' in pane(pilot, "#below"), "the problem is told while typing")
        assert "1 problem" in screen_text(pilot.app)
        await pilot.press("backspace")
        await until(pilot, lambda: "no problems" in screen_text(pilot.app), "and is gone")
        await pilot.press("enter")


async def test_keys_that_launch_are_text_while_one_types(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "description", "l L w u U p v n o q 3 ?")
        assert text_of(pilot, "description") == "l L w u U p v n o q 3 ?"
        assert pilot.app.current_mode == "launch"
    assert api.runs(workspace) == []


async def test_words_on_offer_are_completed_and_gone_through(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await go(pilot, "data.dataset")
        assert "known: fetal" in pane(pilot, "#below")
        await pilot.press("enter", "ctrl+u", "f")
        await until(pilot, lambda: pilot.app.focused._suggestion == "fetal", "the rest of the word is offered")
        await pilot.press("tab", "enter")
        assert text_of(pilot, "data.dataset") == "fetal"
        await go(pilot, "model.id")
        await pilot.press("enter", "down", "enter")
        assert text_of(pilot, "model.id") == "assets/base-model-large"
        await pilot.press("enter", "up", "up", "enter")
        assert text_of(pilot, "model.id").startswith("Qwen/")
        await go(pilot, "data.prompt")
        await pilot.press("right")
        assert text_of(pilot, "data.prompt") == "clinical"
        assert "structured" in pane(pilot, "#below")


async def test_choices_are_gone_through_or_chosen_from_a_list(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await go(pilot, "model.backend")
        assert "‹ auto ›" in screen_text(pilot.app)
        await pilot.press("right")
        assert text_of(pilot, "model.backend") == "unsloth"
        await pilot.press("left", "left")
        assert text_of(pilot, "model.backend") == "transformers"
        await pilot.press("space")
        assert text_of(pilot, "model.backend") == "auto"
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("down", "enter")
        await back(pilot)
        assert text_of(pilot, "model.backend") == "unsloth"
        await pilot.press("enter")
        await dialog(pilot, Choose)
        await pilot.press("down", "escape")
        await back(pilot)
        assert text_of(pilot, "model.backend") == "unsloth"


async def test_switches_and_lists(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await go(pilot, "lora.vision")
        for key, value in (("space", True), ("left", False), ("enter", True)):
            await pilot.press(key)
            assert form_of(pilot).entry("lora.vision").value is value
        await go(pilot, "data.questions")
        await pilot.press("left", "right")
        assert text_of(pilot, "data.questions") == "Q7"
        await pilot.press("space")
        await dialog(pilot, Choose)
        await pilot.press("home", "space", "enter")
        await back(pilot)
        assert form_of(pilot).entry("data.questions").value == ("Q1", "Q7")
        await go(pilot, "training.batch")
        await pilot.press("left", "right", "space")
        assert not form_of(pilot).differs("training.batch")


async def test_one_field_and_all_fields_go_back_to_the_preset(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await pilot.press("U")
        assert isinstance(pilot.app.screen, LaunchScreen)
        for key, text in (("training.batch", "8"), ("training.seed", "1"), ("lora.r", "x")):
            await type_into(pilot, key, text)
        assert "was 16" in row(pilot, "training.batch")
        await go(pilot, "training.batch")
        assert "demo: 16" in pane(pilot, "#below")
        await pilot.press("u")
        assert text_of(pilot, "training.batch") == "16"
        assert "was" not in row(pilot, "training.batch")
        await pilot.press("U")
        await dialog(pilot, Confirm)
        await pilot.press("n")
        await back(pilot)
        assert form_of(pilot).changed_keys() == ["lora.r", "training.seed"]
        await pilot.press("U")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await back(pilot)
        assert form_of(pilot).changed_keys() == []
        await until(pilot, lambda: "preset demo · no problems" in screen_text(pilot.app), "as it began")


async def test_the_difference_is_that_of_the_recipes(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "training.batch", "8")
        await type_into(pilot, "training.epochs", "3.0")
        await type_into(pilot, "data.dataset", "fetal")
        recipe = form_of(pilot).check.recipe
        demo = api.load_recipe(api.find_recipe("demo", workspace.root))
        assert recipe is not None
        assert form_of(pilot).changed_keys() == [key for key, _, _ in api.recipe_diff(demo, recipe)]
        text = pane(pilot, "#plan")
        assert "differs from demo in 2" in text
        assert "training.batch 16 → 8" in text


# ----- going about


async def test_the_keys_of_the_form(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        form = on_top(pilot).query_one(Form)
        for key, at in (
            ("end", "evaluation.batch"),
            ("g", "name"),
            ("G", "evaluation.batch"),
            ("home", "name"),
            ("up", "name"),
            ("right_square_bracket", "data.dataset"),
            ("]", "model.id"),
            ("j", "model.quantization"),
            ("left_square_bracket", "model.id"),
            ("k", "data.image_size"),
            ("down", "model.id"),
            ("pageup", "name"),
        ):
            await pilot.press(key)
            assert form.key == at, key
        await pilot.press("pagedown")
        below = form.key
        assert list(form_of(pilot).fields).index(below) > 10
        assert form_of(pilot).fields[below].name in screen_text(pilot.app)


async def test_the_mouse_is_a_bonus(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        form = on_top(pilot).query_one(Form)
        await pilot.click(Form, offset=(5, 4))
        assert form.key == "data.dataset"
        await pilot.click(Form, offset=(5, 3))
        assert form.key == "data.dataset"
        await pilot.click(Form, offset=(30, 12), times=2)
        assert form.key == "data.limit"
        await until(pilot, lambda: isinstance(pilot.app.focused, FieldInput), "a double click edits")


async def test_a_field_is_found_by_its_name(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await pilot.press("slash")
        await dialog(pilot, Choose)
        await pilot.press("slash", *"clipped", "enter")
        await back(pilot)
        assert on_top(pilot).query_one(Form).key == "training.max_grad_norm"


async def test_the_plan_takes_the_place_of_the_help_in_a_narrow_window(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("v")
        await until(pilot, lambda: "what would run" in screen_text(pilot.app), "the plan")
        assert not on_top(pilot).query_one("#below").display
        assert "dataset" in screen_text(pilot.app)
        await pilot.press("v")
        await until(pilot, lambda: "Name of an imported" in screen_text(pilot.app), "the help")


# ----- the plan


async def test_the_plan_says_what_would_run(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await go(pilot, "model.backend")
        await pilot.press("left")
        await until(pilot, lambda: "the recipe asks for it" in pane(pilot, "#plan"), "the plan is there")
        plan = api.plan_launch(workspace, form_of(pilot).check.recipe)  # type: ignore[arg-type]
        text = " ".join(pane(pilot, "#plan").split())
        for words in (
            f"backend {plan.backend}",
            f"quantization {plan.quantization}",
            f"training {plan.training_samples} samples: Q7",
            "steps 240 of 16 samples",
            "evaluations Q7 on validation",
            "views 2: Abdomen",
            plan.device.split()[0],
        ):
            assert words in text


async def test_the_plan_follows_the_last_change(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        for steps in ("5", "6", "77"):
            await type_into(pilot, "training.max_steps", steps)
        await until(pilot, lambda: "77 of 16 samples" in pane(pilot, "#plan"), "the plan of the last values")
        await type_into(pilot, "training.max_steps", "x")
        assert "cannot be launched" in pane(pilot, "#plan")
        assert "77 of 16" not in pane(pilot, "#plan")


def test_the_planner_asks_for_one_recipe_at_a_time_and_for_the_last_one() -> None:
    begun: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    answers: list[Any] = []

    def plan(recipe: Any) -> Any:
        if recipe == "bad":
            raise api.SonotuneError("no")
        return f"plan of {recipe}"

    planner: Any = Planner(lambda work, done: begun.append((work, done)), plan, answers.append)

    def end() -> None:
        work, done = begun.pop(0)
        done(work())

    planner.ask("a")
    planner.ask("b")
    planner.ask("c")
    assert len(begun) == 1
    assert planner.waiting
    end()
    assert answers == []
    end()
    assert answers == ["plan of c"]
    assert not planner.waiting
    planner.ask("d")
    planner.ask(None)
    end()
    assert answers == ["plan of c"]
    assert begun == []
    planner.ask("bad")
    end()
    assert answers[-1].title == "no"


# ----- memory


def foretold(monkeypatch: pytest.MonkeyPatch, found: Callable[[api.Recipe], api.Preflight]) -> None:
    """Every plan carries this preflight."""
    real = api.plan_launch
    monkeypatch.setattr(api, "plan_launch", lambda place, recipe: replace(real(place, recipe), preflight=found(recipe)))


def by_checkpointing(recipe: api.Recipe) -> api.Preflight:
    """Too large until activations are recomputed."""
    wanted = proposal(**{"training.gradient_checkpointing": "on", "training.batch": 8, "training.accumulation": 2})
    on = recipe.training.gradient_checkpointing == "on"
    return preflight() if on else too_large(proposal=replace(wanted, words="Recomputing needs about 21.8 GiB."))


async def test_memory_stands_beside_the_form(workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    foretold(monkeypatch, lambda _: preflight(warnings=["a step holds 1 image"]))
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await until(pilot, lambda: "Fits: about 37.5 GiB of 79.6 GiB" in pane(pilot, "#memory"), "the verdict")
        await until(pilot, lambda: "fits: 37.5/79.6 GiB" in screen_text(pilot.app).splitlines()[1], "the facts")
        await until(pilot, lambda: "fitted to 39 measurements" in pane(pilot, "#memory"), "the pane at its full height")
        text = " ".join(pane(pilot, "#memory").split())
        for words in (
            "weights 16.0",
            "text layers 10.0",
            "together 37.5 GiB",
            "32 samples in a forward pass, 2 of these to a step",
            "the fastest of 9 that fit; 8 questions share an image",
            "6 min 10 s for 300 steps, estimated, ±20 %",
            "! a step holds 1 image",
            "fitted to 39 measurements that come with sonotune and 6 of this card",
        ):
            assert words in text
        # Time and warnings are read without scrolling; the long reasons come after them.
        assert text.index("estimated, ±20 %") < text.index("! a step holds") < text.index("8 questions share an image")
        bar = next(line for line in pane(pilot, "#memory").splitlines() if "█▓▒" in line)
        assert (bar.count("·"), len(bar.strip())) == (21, 40)
        assert "a adopt" not in screen_text(pilot.app)


async def test_without_a_gpu_nothing_is_said_to_fit(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await until(pilot, lambda: "no dataset named phantoms" in pane(pilot, "#memory"), "why there is no estimate")
        await type_into(pilot, "data.dataset", "fetal")
        await until(pilot, lambda: "No GPU to compare with" in pane(pilot, "#memory"), "the real preflight")
        assert "fits" not in screen_text(pilot.app).splitlines()[1]
        await type_into(pilot, "training.batch", "x")
        await until(
            pilot, lambda: "the recipe is not sound" in pane(pilot, "#memory"), "no estimate of a faulty recipe"
        )


async def test_in_a_narrow_window_a_key_shows_memory_and_the_verdict_is_always_there(
    workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    foretold(monkeypatch, lambda _: too_large())
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await until(pilot, lambda: "too large: 37.5/24.0 GiB" in screen_text(pilot.app), "the short verdict")
        assert "Does not fit" not in screen_text(pilot.app)
        await pilot.press("f")
        await until(pilot, lambda: "Does not fit: about 37.5 GiB needed" in screen_text(pilot.app), "memory")
        assert "the card ends" in screen_text(pilot.app)
        assert "dataset" in screen_text(pilot.app)
        await pilot.press("v")
        await until(pilot, lambda: "what would run" in screen_text(pilot.app), "the plan instead")
        assert "the card ends" not in screen_text(pilot.app)
        await pilot.press("f", "f")
        await until(pilot, lambda: "Name of an imported" in screen_text(pilot.app), "the help again")


async def test_a_key_takes_the_proposal_into_the_form(
    workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    foretold(monkeypatch, by_checkpointing)
    async with launch_screen(workspace, WIDE) as pilot:
        await pilot.press("a")
        assert form_of(pilot).changed_keys() == []
        await type_into(pilot, "data.dataset", "fetal")
        await until(pilot, lambda: "a changes the recipe: Recomputing" in pane(pilot, "#memory"), "the proposal")
        await until(pilot, lambda: "a adopt" in screen_text(pilot.app), "its key")
        await pilot.press("a")
        await until(pilot, lambda: "Fits: about" in pane(pilot, "#memory"), "it fits now")
        training = form_of(pilot).check.recipe.training  # type: ignore[union-attr]
        assert (training.batch, training.accumulation, training.gradient_checkpointing) == (8, 2, "on")
        assert "training.gradient_checkpointing = on" in toasts(pilot)
        assert "a adopt" not in screen_text(pilot.app)


class FakeMeasurement:
    """Says what a test wants it to say."""

    made: list[FakeMeasurement]

    def __init__(self, workspace: Any, recipe: Any, *, deliver: Callable[[Any], None], forced: bool = False) -> None:
        self.recipe, self.say, self.forced, self.closed = recipe, deliver, forced, threading.Event()
        self.estimated = preflight()
        if self.busy and not forced:
            raise api.BusyDeviceError("A job is at work on the only GPU", "Run 1 has cuda:0.", "Wait.")
        self.made.append(self)

    busy = False

    def start(self) -> None:
        self.say(api.MeasureStage("loading the model"))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeMeasurement]:
    FakeMeasurement.made, FakeMeasurement.busy = [], False
    monkeypatch.setattr(api, "MemoryMeasurement", FakeMeasurement)
    foretold(monkeypatch, lambda _: preflight())
    return FakeMeasurement


RESULT = api.MemoryMeasured("H100", 36 * GIB, 38 * GIB, 3 * GIB, 1.5, 9.2, 4, 16, 320, LAYOUT, 1000)


async def test_a_measurement_is_followed_and_stands_beside_the_estimate(
    workspace: api.Workspace, fake: type[FakeMeasurement]
) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await until(pilot, lambda: "Fits" in pane(pilot, "#memory"), "the estimate")
        await pilot.press("m")
        await until(pilot, lambda: "measuring: loading the model (esc" in pane(pilot, "#memory"), "it has begun")
        [measurement] = fake.made
        assert measurement.recipe == form_of(pilot).check.recipe
        await pilot.press("m")
        assert "A measurement is going on" in toasts(pilot)
        measurement.say(api.MeasureStep(2, 4, 1.5))
        await until(pilot, lambda: "measuring: step 2 of 4, 1.5 s" in pane(pilot, "#memory"), "progress")
        measurement.say(RESULT)
        await until(pilot, lambda: "Measured: it fits, with 38.0 GiB" in pane(pilot, "#memory"), "the result")
        text = " ".join(pane(pilot, "#memory").split())
        assert "GPU memory 38.0 GiB reserved, estimated 37.5 GiB" in text
        assert "step 1.5 s, estimated 1.23 s" in text
        await until(pilot, measurement.closed.is_set, "the process is let go")
        await type_into(pilot, "training.seed", "7")
        await until(pilot, lambda: "of the values before" in pane(pilot, "#memory"), "other values were not measured")
    assert len(fake.made) == 1


async def test_escape_ends_a_measurement_and_so_does_leaving(
    workspace: api.Workspace, fake: type[FakeMeasurement]
) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("m")
        await until(pilot, lambda: "loading the model" in pane(pilot, "#memory"), "it has begun")
        await until(pilot, lambda: on_top(pilot).measured._measurement is not None, "and is held")
        await pilot.press("escape")
        await until(pilot, fake.made[0].closed.is_set, "its process is ended")
        assert "measuring" not in pane(pilot, "#memory")
        fake.made[0].say(RESULT)
        await pilot.press("m")
        await until(pilot, lambda: on_top(pilot).measured._measurement is not None, "another one")
        assert "Measured" not in pane(pilot, "#memory")
    assert fake.made[1].closed.wait(10)


async def test_beside_a_job_it_is_measured_only_after_a_question(
    workspace: api.Workspace, fake: type[FakeMeasurement]
) -> None:
    fake.busy = True
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("m")
        await dialog(pilot, Confirm)
        assert "Run 1 has cuda:0" in screen_text(pilot.app)
        await pilot.press("n")
        await back(pilot)
        assert fake.made == []
        await pilot.press("m")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: fake.made and fake.made[0].forced, "it is forced now")


async def test_memory_that_ran_out_is_told_with_what_fits(
    workspace: api.Workspace, fake: type[FakeMeasurement], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "after_measuring", lambda *_words: too_large(warnings=["The estimate was too low"]))
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("m")
        await until(pilot, lambda: on_top(pilot).measured._measurement is not None, "it has begun")
        fake.made[0].say(replace(RESULT, out_of_memory="step 1", steps=0, step_seconds=None))
        await until(pilot, lambda: "memory ran out in step 1" in pane(pilot, "#memory"), "the result")
        await until(pilot, lambda: "a changes the recipe" in pane(pilot, "#memory"), "the proposal")
        assert "too large" in screen_text(pilot.app).splitlines()[1]
        await pilot.press("a")
        await until(pilot, lambda: text_of(pilot, "training.gradient_checkpointing") == "on", "it is taken")
        await until(pilot, lambda: "Fits: about" in pane(pilot, "#memory"), "other values, another estimate")


async def test_what_cannot_be_measured_says_why(workspace: api.Workspace, fake: type[FakeMeasurement]) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "data.dataset", "fetal")
        await pilot.press("m")
        await until(pilot, lambda: on_top(pilot).measured._measurement is not None, "it has begun")
        fake.made[0].say(api.SonotuneError("No model", "\x1b[2J[red]gone[/red]", "Look for it."))
        await until(pilot, lambda: "not measured: No model" in pane(pilot, "#memory"), "why")
        assert "[red]gone[/red]" in pane(pilot, "#memory") and "\x1b" not in pane(pilot, "#memory")
        assert "→ Look for it." in pane(pilot, "#memory")
        await type_into(pilot, "training.batch", "x")
        await pilot.press("m")
        assert "cannot be measured" in toasts(pilot)
    assert len(fake.made) == 1


# ----- presets


async def test_presets_are_chosen_in_a_dialog_where_they_have_no_room(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await pilot.press("p")
        await dialog(pilot, Choose)
        await until(pilot, lambda: "Experiment 0: normal or abnormal" in screen_text(pilot.app), "their words")
        await pilot.press("home", "enter")
        await back(pilot)
        await until(pilot, lambda: "preset baseline-q7-2b" in screen_text(pilot.app), "it is loaded")
        assert text_of(pilot, "model.id") == "Qwen/Qwen3-VL-2B-Instruct"
        assert isinstance(pilot.app.focused, Form)


async def test_changes_are_not_lost_without_a_question(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await type_into(pilot, "training.seed", "7")
        await pilot.press("p", "home")
        await until(pilot, lambda: "Qwen3-VL-2B" in pane(pilot, "#about"), "the words of the preset under the cursor")
        await pilot.press("enter")
        await dialog(pilot, Confirm)
        await pilot.press("n")
        await back(pilot)
        assert text_of(pilot, "training.seed") == "7"
        await pilot.press("p", "enter")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: form_of(pilot).source.preset == "baseline-q7-2b", "it is loaded")
        assert text_of(pilot, "training.seed") == "42"


async def test_the_keys_of_the_list_of_presets(workspace: api.Workspace) -> None:
    async with launch_screen(workspace, WIDE) as pilot:
        await pilot.press("p")
        table = pilot.app.focused
        names = [preset.name for preset in form_of(pilot).offers.presets]
        for key, at in (("end", -1), ("up", -2), ("k", -3), ("home", 0), ("j", 1), ("down", 2), ("g", 0), ("G", -1)):
            await pilot.press(key)
            assert table.cursor_key() == names[at], key
        await pilot.press("pageup")
        assert table.cursor_key() == names[0]
        await pilot.press("pagedown")
        assert table.cursor_key() == names[-1]


async def test_a_broken_preset_says_what_is_wrong_with_it(workspace: api.Workspace) -> None:
    folder = workspace.root / "assets" / "recipes"
    folder.mkdir(parents=True)
    (folder / "aaa.toml").write_text("name = 'x'\n[training]\nbatch = 'many'\n")
    async with launch_screen(workspace, WIDE) as pilot:
        await until(pilot, lambda: "aaa (broken)" in screen_text(pilot.app), "its name in the list")
        await pilot.press("p", "home", "enter")
        await until(pilot, lambda: "training.batch" in toasts(pilot), "the reason")
        assert form_of(pilot).source.preset == "demo"


async def test_presets_are_in_the_palette(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        found = {title: run for title, _, run in on_top(pilot).commands()}
        found["Preset baseline-q7-4b"]()
        await until(pilot, lambda: form_of(pilot).source.preset == "baseline-q7-4b", "it is loaded")


# ----- files


async def test_a_recipe_is_saved_and_is_there_as_a_preset(workspace: api.Workspace) -> None:
    file = workspace.root / "assets" / "recipes" / "mine.toml"
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "name", "mine")
        await go(pilot, "training.seed")
        await pilot.press("enter", "7", "ctrl+s")
        prompt = await dialog(pilot, Prompt)
        await pilot.press("enter")
        await until(pilot, lambda: "mine.toml" in toasts(pilot), "it is saved")
        await until(pilot, lambda: "recipe mine · no problems" in screen_text(pilot.app), "it is what differs from now")
        assert not prompt.is_current
        assert api.load_recipe(file) == form_of(pilot).check.recipe
        assert api.load_recipe(file).training.seed == 427
        await until(pilot, lambda: "mine" in {each.name for each in form_of(pilot).offers.presets}, "it is a preset")
        on_top(pilot).load_preset("demo")
        on_top(pilot).load_preset("mine")
        assert form_of(pilot).check.recipe == api.load_recipe(file)


async def test_a_saved_recipe_is_a_preset_though_the_list_was_being_read_meanwhile(
    workspace: api.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, late = threading.Event(), threading.Event()
    offers, save = api.recipe_offers, api.save_recipe

    def offers_of_before(place: api.Workspace) -> api.RecipeOffers:
        found = offers(place)
        read.set()
        late.wait(20)
        return found

    def save_after_that(*arguments: Any) -> Path:
        assert read.wait(20)
        return save(*arguments)

    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "name", "mine")
        await pilot.press("ctrl+s")
        await dialog(pilot, Prompt)
        monkeypatch.setattr(api, "recipe_offers", offers_of_before)
        monkeypatch.setattr(api, "save_recipe", save_after_that)
        await pilot.press("enter")
        await until(pilot, lambda: "mine.toml" in toasts(pilot), "it is saved")
        late.set()
        await until(pilot, lambda: "mine" in {each.name for each in form_of(pilot).offers.presets}, "it is a preset")


async def test_nothing_is_overwritten_without_a_question(workspace: api.Workspace) -> None:
    file = workspace.root / "assets" / "recipes" / "mine.toml"
    file.parent.mkdir(parents=True)
    file.write_text("name = 'old'\n")
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "name", "mine")
        for answer in ("n", "y"):
            await pilot.press("w")
            await dialog(pilot, Prompt)
            await pilot.press("enter")
            await dialog(pilot, Confirm)
            assert "take its place" in screen_text(pilot.app)
            await pilot.press(answer)
            if answer == "n":
                await back(pilot)
                assert file.read_text() == "name = 'old'\n"
        await until(pilot, lambda: "Saved" in toasts(pilot), "it is saved")
        assert api.load_recipe(file).name == "mine"


async def test_a_name_that_is_none_cannot_be_given(workspace: api.Workspace) -> None:
    async with launch_screen(workspace) as pilot:
        await pilot.press("w")
        await dialog(pilot, Prompt)
        await pilot.press("ctrl+u", "?", "enter")
        assert "no name for a recipe file" in screen_text(pilot.app)
        await pilot.press("ctrl+u", *"nowhere/a.toml", "enter")
        await until(pilot, lambda: "cannot be written" in toasts(pilot), "the reason is told")
        await pilot.press("w")
        await dialog(pilot, Prompt)
        await pilot.press("escape")
        await back(pilot)


# ----- clones


async def test_a_clone_comes_from_the_list_of_runs_and_knows_its_parent(workspace: api.Workspace) -> None:
    recipe = api.load_recipe(api.find_recipe("demo", workspace.root), ["data.dataset=fetal", "training.seed=5"])
    api.launch(workspace, recipe, start_worker=False, test_purpose="tests")
    async with workbench(workspace).run_test(size=NARROW) as pilot:
        await until(pilot, lambda: "0/240" in screen_text(pilot.app), "the run is listed")
        await pilot.press("c")
        await until(pilot, lambda: "clone of run 1 · no problems" in screen_text(pilot.app), "the clone is in the form")
        assert text_of(pilot, "name") == "demo-2"
        assert text_of(pilot, "training.seed") == "5"
        await type_into(pilot, "training.seed", "6")
        assert "clone of run 1 · 1 differs" in screen_text(pilot.app)
        await pilot.press("l")
        await until(pilot, lambda: "Run 2" in toasts(pilot), "it is queued")
    run = api.run_details(workspace, 2).run
    assert (run.parent_run_id, run.name) == (1, "demo-2")
    assert json.loads(run.recipe)["training"]["seed"] == 6


async def test_a_recipe_may_come_before_the_screen_is_there(workspace: api.Workspace) -> None:
    recipe = api.load_recipe(api.find_recipe("demo", workspace.root), ["name=early"])
    screen = LaunchScreen()
    screen.load_recipe(recipe, 3)
    async with workbench(workspace).run_test(size=NARROW) as pilot:
        pilot.app.push_screen(screen)
        await until(pilot, lambda: "clone of run 3" in screen_text(pilot.app), "the form begins with it")
        assert text_of(pilot, "name") == "early"


async def test_a_clone_does_not_take_the_place_of_changes_unasked(workspace: api.Workspace) -> None:
    recipe = api.load_recipe(api.find_recipe("demo", workspace.root), ["name=cloned"])
    async with launch_screen(workspace) as pilot:
        await type_into(pilot, "training.seed", "7")
        on_top(pilot).load_recipe(recipe, 3)
        await dialog(pilot, Confirm)
        assert "clone of run 3" in screen_text(pilot.app)
        await pilot.press("n")
        await back(pilot)
        assert text_of(pilot, "training.seed") == "7"
        on_top(pilot).load_recipe(recipe, 3)
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: text_of(pilot, "name") == "cloned", "it is loaded")
        assert form_of(pilot).source == Source("clone of run 3", parent_run_id=3)


# ----- untrusted text


async def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    folder = tmp_path / "assets" / "recipes"
    folder.mkdir(parents=True)
    name = "[red]x[/red]\u202egnp \x1b[2J".replace("/", "")
    (folder / f"{name}.toml").write_text(f'name = "evil"\ndescription = {json.dumps(HOSTILE, ensure_ascii=False)}\n')
    data = tmp_path / "datasets" / f"[b]{name}"
    data.mkdir(parents=True)
    (data / "manifest.json").write_text("{}")
    with no_worker(workspace):
        async with launch_screen(workspace, WIDE) as pilot:
            on_top(pilot).load_preset(name)
            await until(pilot, lambda: form_of(pilot).source.preset == name, "it is loaded")
            await go(pilot, "data.dataset")
            shown = await steady(pilot)
            assert "[red]x[red]" in shown
            assert "\x1b" not in shown
            assert "\u202e" not in shown
            await pilot.press("right")
            assert "[b][red]x" in await steady(pilot)
            await go(pilot, "description")
            await pilot.press("enter", "!", "enter")
            await steady(pilot)
            await pilot.press("u", "p")
            await steady(pilot)
            await pilot.press("l")
            assert "\x1b" not in toasts(pilot)
            await pilot.press("question_mark", "escape", "ctrl+p", *"evil", "escape")
        async with launch_screen(workspace, NARROW) as pilot:
            await pilot.press("p")
            await dialog(pilot, Choose)
            await steady(pilot)


async def steady(pilot: Pilot[Any]) -> str:
    """What is shown, with nothing in it that a terminal would obey."""
    await pilot.pause()
    shown = screen_text(pilot.app)
    assert {character for character in shown if not character.isprintable()} == {"\n"}
    return shown


async def test_a_value_that_was_not_changed_keeps_its_line_ends(workspace: api.Workspace) -> None:
    recipe = api.load_recipe(api.find_recipe("demo", workspace.root))
    recipe = recipe.model_copy(update={"description": "two\nlines"})
    async with launch_screen(workspace) as pilot:
        on_top(pilot).load_recipe(recipe, 1)
        await go(pilot, "description")
        await pilot.press("enter", "enter")
        assert form_of(pilot).check.recipe == recipe
        await pilot.press("enter", "!", "escape")
        assert form_of(pilot).check.recipe == recipe
