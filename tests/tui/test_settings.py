"""What the user has set: read with all its problems at once, used by the app, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_helpers import add_run, workspace_at
from tui_helpers import screen_text, until, workbench

from engine.store.writer import Writer
from tui.app import Workbench
from tui.keys import binding_ids, character_of, key_problems
from tui.screens.help import HelpScreen
from tui.screens.runs import RunsScreen
from tui.settings import Settings, read_settings, remember_theme, settings_file, state_file
from tui.themes import CONTRAST, DARK, LIGHT

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment of a user of whom nothing is known."""
    return {"HOME": str(tmp_path / "home")}


def write(environment: dict[str, str], text: str) -> Settings:
    file = settings_file(environment)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return read_settings(environment)


def test_without_a_file_everything_is_at_its_default(home: dict[str, str]) -> None:
    assert read_settings(home) == Settings()
    assert Settings().theme == DARK


def test_where_the_files_lie(tmp_path: Path) -> None:
    assert settings_file({"HOME": "/h"}) == Path("/h/.config/sonotune/config.toml")
    assert settings_file({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/sonotune/config.toml")
    assert settings_file({"SONOTUNE_CONFIG": str(tmp_path / "mine.toml")}) == tmp_path / "mine.toml"
    assert state_file({"HOME": "/h"}) == Path("/h/.local/state/sonotune/state.json")
    assert state_file({"HOME": "/h", "XDG_STATE_HOME": "/s"}) == Path("/s/sonotune/state.json")


def test_what_is_set_is_taken(home: dict[str, str]) -> None:
    found = write(home, 'theme = "light"\nimages = "kitty"\nglyphs = "block"\n[keys]\n"runs.open" = "o"\n')
    assert found == Settings(theme=LIGHT, images="kitty", glyphs="block", keys={"runs.open": "o"})


def test_all_problems_are_told_at_once_and_the_rest_is_used(home: dict[str, str]) -> None:
    text = "theme = 'pink'\nimages = 7\nglyphs = 'block'\ncolour = 'red'\n[keys]\n"
    text += "runs.open = 3\nruns.mark = 'm'\na.b = ''\n"
    found = write(home, text)
    assert (found.theme, found.images, found.glyphs, found.keys) == (DARK, "cells", "block", {"runs.mark": "m"})
    assert found.problems == (
        "unknown setting colour",
        "theme = 'pink': choose dark, light, contrast",
        "images = 7: choose cells, kitty, sixel",
        '[keys] runs.open = 3: write a key, such as "o" or "ctrl+o,f5"',
        '[keys] a.b = \'\': write a key, such as "o" or "ctrl+o,f5"',
    )


def test_keys_may_be_written_without_quotes(home: dict[str, str]) -> None:
    assert write(home, '[keys]\nruns.open = "o"\nruns.mark = "m"\n').keys == {"runs.open": "o", "runs.mark": "m"}


@pytest.mark.parametrize(
    "text", ["theme = [", "\x00", 'keys = "o"', "[keys]\nruns = [1]", "theme = ['dark']", "[theme]\nx = 1"]
)
def test_a_file_that_makes_no_sense_is_a_problem_in_words(home: dict[str, str], text: str) -> None:
    found = write(home, text)
    assert len(found.problems) == 1 and len(found.problems[0]) > 20
    assert (found.theme, found.keys) == (DARK, {})


def test_a_file_that_cannot_be_read_is_a_problem_in_words(home: dict[str, str]) -> None:
    settings_file(home).mkdir(parents=True)
    assert "config.toml" in read_settings(home).problems[0]
    file = settings_file(home)
    file.rmdir()
    file.write_bytes(b"theme = '\xff'")
    assert "config.toml" in read_settings(home).problems[0]


# ----- what is remembered


def test_the_theme_is_remembered_unless_the_file_sets_one(home: dict[str, str]) -> None:
    remember_theme(CONTRAST, home)
    assert read_settings(home).theme == CONTRAST
    assert write(home, 'images = "cells"').theme == CONTRAST
    assert write(home, 'theme = "light"').theme == LIGHT


@pytest.mark.parametrize("content", ["", "[]", "{", '{"theme": "dracula"}', '{"theme": 3}', "null"])
def test_a_state_file_that_makes_no_sense_is_ignored(home: dict[str, str], content: str) -> None:
    file = state_file(home)
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert read_settings(home) == Settings()


# ----- keys


def test_every_binding_has_an_id_of_its_own_kind() -> None:
    ids = binding_ids()
    assert {"app.quit", "runs.open", "run.stop", "table.open", "chart.zoom_in", "choose.take", "lines.up"} <= ids
    assert all(name.count(".") == 1 for name in ids)


def test_keys_that_cannot_be_set_are_told_in_words() -> None:
    assert key_problems({"runs.open": "p,ctrl+o, f5", "runs.overlay": "O", "app.quit": "Q", "run.stop": "é"}) == []
    assert key_problems({"runs.opn": "o", "zzz": "o", "runs.open": "entr", "app.quit": "ctrl+"}) == [
        "[keys] there is no runs.opn; did you mean runs.open?",
        "[keys] there is no zzz: ? shows the names",
        "[keys] runs.open: there is no key entr",
        "[keys] app.quit: there is no key ctrl+",
    ]


@pytest.mark.parametrize(("key", "character"), [("slash", "/"), ("a", "a"), ("question_mark", "?"), ("f5", None)])
def test_the_character_that_a_key_types(key: str, character: str | None) -> None:
    assert character_of(key) == character


def toasts(app: Workbench) -> list[str]:
    return [notification.message for notification in app._notifications]


async def test_a_key_that_was_set_acts_and_the_old_one_does_not(tmp_path: Path) -> None:
    app = workbench(workspace_at(tmp_path), keys={"app.help": "f9", "app.queue": "Q,f10"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert not isinstance(app.screen, HelpScreen)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "the new key helps")
        await pilot.press("escape", "4")
        assert app.current_mode == "runs"
        await pilot.press("Q")
        await until(pilot, lambda: app.current_mode == "queue", "the new key switches")
        assert not toasts(app)


async def test_keys_of_screens_and_tables_can_be_set_and_the_footer_shows_them(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    with Writer.open(workspace) as writer:
        for name in ("a", "b"):
            add_run(writer, name)
    app = workbench(workspace, keys={"runs.mark": "m", "table.down": "ctrl+d"})
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "queued" in screen_text(app), "the runs are listed")
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        await pilot.press("ctrl+d")
        await until(pilot, lambda: screen.chosen_run() == 1, "down by the new key")
        await pilot.press("space")
        assert not screen._model.marked
        await pilot.press("m")
        assert screen._model.marked == [1]
        assert "m mark" in screen_text(app).splitlines()[-1]


async def test_unknown_names_and_clashes_are_told_once(tmp_path: Path) -> None:
    app = workbench(
        workspace_at(tmp_path), keys={"runs.opn": "o", "runs.mark": "slash"}, problems=("from the [b]file",)
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: any("runs.opn" in toast for toast in toasts(app)), "the unknown name is told")
        await until(pilot, lambda: any("slash was Filter (runs.filter)" in toast for toast in toasts(app)), "the clash")
        await pilot.press("down", "up", "down")
        assert sorted(toasts(app)) == sorted(set(toasts(app)))
        assert "from the [b]file" in toasts(app)


# ----- themes


async def test_the_theme_is_changed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = workbench(workspace_at(tmp_path / "w"))
    async with app.run_test(size=(80, 24)) as pilot:
        for theme in (LIGHT, CONTRAST, DARK, LIGHT):
            await pilot.press("ctrl+t")
            assert app.theme == theme
        await until(pilot, lambda: state_file().exists() and read_settings({"XDG_STATE_HOME": str(tmp_path)}), "kept")
        await until(
            pilot, lambda: read_settings({"XDG_STATE_HOME": str(tmp_path)}).theme == LIGHT, "the last one is kept"
        )


async def test_a_state_folder_that_cannot_be_written_is_told_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = workbench(workspace_at(tmp_path / "w"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+t")
        assert app.theme == LIGHT
        await until(pilot, lambda: toasts(app), "it is told")
        assert "theme" in str(next(iter(app._notifications)).title)
        await pilot.press("ctrl+t")
        assert app.theme == CONTRAST
