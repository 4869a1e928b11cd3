"""Dialogs: every key of them, and that nothing is done by accident."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
from store_helpers import workspace_at
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, workbench

from engine.text import plain
from tui.compositor import TightCompositor
from tui.dialogs.base import Dialog
from tui.dialogs.choose import Choose, Option
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.painting import FRAME_SECONDS
from tui.themes import themes
from tui.widgets.table import Table

pytestmark = pytest.mark.usefixtures("brisk")
OPEN = object()
FRUITS = [Option(1, "apple", "green"), Option(2, "pear", "yellow, green"), Option(3, "[b]plum[/b]", "blue")]


class DialogApp(App[None]):
    CSS_PATH = "../../tui/app.tcss"

    def __init__(self, dialog: Dialog[Any]) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "sonotune-dark"
        self.dialog = dialog
        self.answer: Any = OPEN

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.answered)

    def answered(self, answer: Any) -> None:
        self.answer = answer


async def ready(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "╭" in screen_text(pilot.app), "the dialog is drawn")


async def answer_to(dialog: Dialog[Any], *keys: str, size: tuple[int, int] = (80, 24)) -> Any:
    """What a dialog answers after some keys; OPEN where it stays."""
    app = DialogApp(dialog)
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        return app.answer


# ----- all of them


async def test_screens_and_dialogs_are_painted_tightly_and_soon(tmp_path: Path) -> None:
    app = workbench(workspace_at(tmp_path))
    async with app.run_test() as pilot:
        below = app.screen
        app.push_screen(Confirm("Delete it?", "For good."))
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the dialog")
        for screen in (below, app.screen):
            assert isinstance(screen._compositor, TightCompositor)
            assert screen._update_timer._interval == FRAME_SECONDS


# ----- Confirm


@pytest.mark.parametrize(
    ("key", "answer"),
    [("y", True), ("n", None), ("escape", None), ("enter", OPEN), ("space", OPEN), ("tab", OPEN), ("q", OPEN)],
)
async def test_only_y_is_a_yes(key: str, answer: Any) -> None:
    assert await answer_to(Confirm("Delete it?", "For good."), key) is answer


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10)])
async def test_question_detail_and_keys_are_in_sight(size: tuple[int, int]) -> None:
    app = DialogApp(Confirm(f"Cancel {HOSTILE[:60]}?", "It ends [b]without[/b] saving.", "cancel it"))
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        text = screen_text(app)
        assert "y  cancel it" in text and "n  no" in text
        assert "[2J" in text and plain(text) == text
        assert "[b]without[/b]" in text


async def test_a_question_that_is_too_long_can_be_scrolled() -> None:
    app = DialogApp(Confirm("Sure?", " ".join(f"word{number}" for number in range(200))))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert "word199" not in screen_text(app) and "y  yes" in screen_text(app)
        await pilot.press("end")
        assert "word199" in screen_text(app) and "y  yes" in screen_text(app)
        await pilot.press("y")
        assert app.answer is True


# ----- Prompt


async def test_enter_answers_with_the_text_and_escape_with_none() -> None:
    assert await answer_to(Prompt("a name", "old"), "end", "2", "enter") == "old2"
    assert await answer_to(Prompt("a name", "old"), "x", "escape") is None
    assert await answer_to(Prompt("a name"), "enter") == ""
    assert await answer_to(Prompt("a name"), "q", "question_mark", "y", "enter") == "q?y", "keys are text here"


async def test_a_text_that_is_wrong_is_told_and_not_taken() -> None:
    def check(value: str) -> str:
        return "" if value.isdigit() else f"{value} is [b]no[/b] number"

    app = DialogApp(Prompt("how many", "x", "some digits", check))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert "x is [b]no[/b] number" in screen_text(app)
        await pilot.press("enter")
        assert app.answer is OPEN
        await pilot.press("backspace", "7")
        await until(pilot, lambda: "some digits" in screen_text(app), "all is well")
        assert "number" not in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.answer == "7", "taken")


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_a_prompt_shows_hostile_text_as_text(size: tuple[int, int]) -> None:
    app = DialogApp(Prompt(f"tags of {HOSTILE}", "ok", hint=HOSTILE))
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        assert plain(screen_text(app)) == screen_text(app)
        assert "[red]x[/red]" in screen_text(app)


# ----- Choose


def chosen(answer: Any) -> list[Hashable] | None:
    assert answer is not OPEN
    return answer  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("enter",), [1]),
        (("down", "enter"), [2]),
        (("end", "enter"), [3]),
        (("down", "space", "enter"), [2]),
        (("escape",), None),
        (("slash", "p", "l", "u", "enter"), [3]),
        (("slash", "g", "r", "e", "e", "n", "enter", "down", "enter"), [2]),
        (("slash", "y", "e", "l", "space", "g", "r", "enter"), [2]),
        (("slash", "p", "down", "down", "enter"), [2]),
        (("slash", "escape"), None),
    ],
)
async def test_one_of_many(keys: tuple[str, ...], answer: list[int] | None) -> None:
    assert chosen(await answer_to(Choose("a fruit", FRUITS), *keys)) == answer


async def test_where_nothing_fits_nothing_is_taken() -> None:
    app = DialogApp(Choose("a fruit", FRUITS))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("slash", "z")
        await until(pilot, lambda: "nothing fits" in screen_text(app), "it says so")
        await pilot.press("enter", "enter", "space")
        assert app.answer is OPEN
        await pilot.press("slash", "backspace", "enter", "enter")
        await until(pilot, lambda: app.answer == [1], "all are there again")


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("enter",), [2]),
        (("space", "enter"), []),
        (("home", "space", "enter"), [2, 1]),
        (("home", "space", "space", "enter"), [2]),
        (("escape",), None),
        (("slash", "p", "l", "u", "down", "space", "enter"), [2, 3]),
    ],
)
async def test_several_of_many(keys: tuple[str, ...], answer: list[int] | None) -> None:
    dialog = Choose("fruits", FRUITS, chosen=[2], several=True)
    assert chosen(await answer_to(dialog, *keys)) == answer


async def test_no_more_than_allowed_are_marked() -> None:
    app = DialogApp(Choose("fruits", FRUITS, several=True, most=2))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("space", "down", "space", "down", "space")
        assert [each.message for each in app._notifications] == ["At most 2 can be marked."]
        assert screen_text(app).count("●") == 2
        await pilot.press("up", "space", "down", "space", "enter")
        await until(pilot, lambda: app.answer == [1, 3], "another instead")


async def test_the_cursor_starts_on_what_is_chosen() -> None:
    app = DialogApp(Choose("a fruit", FRUITS, chosen=[3]))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert app.dialog.query_one(Table).cursor_key() == 3


async def test_a_double_click_takes() -> None:
    app = DialogApp(Choose("a fruit", FRUITS))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.click(app.dialog.query_one(Table), offset=(5, 2), times=2)
        await until(pilot, lambda: app.answer == [2], "taken")


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_options_with_hostile_text(size: tuple[int, int]) -> None:
    app = DialogApp(Choose(HOSTILE, [Option(1, HOSTILE, HOSTILE)], several=True))
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        assert plain(screen_text(app)) == screen_text(app) and "[2J" in screen_text(app)
        await pilot.press("space", "enter")
        await until(pilot, lambda: app.answer == [1], "taken")


@pytest.mark.parametrize("dialog", [Prompt("x"), Choose("x", FRUITS)])
async def test_no_cursor_blinks(dialog: Dialog[Any]) -> None:
    app = DialogApp(dialog)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert not app.dialog.query_one(Input).cursor_blink
