"""The preview of augmentation and degradation on the Dataset screen."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from quality_helpers import dataset_of, encoded, phantom
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.workspace import Workspace
from tui.screens.dataset import DatasetScreen
from tui.screens.dataset_changes import ChangesScreen, drawn_paragraphs
from tui.widgets.image import ImagePreview
from tui.widgets.lines import Lines

pytestmark = pytest.mark.usefixtures("brisk")
NARROW, MEDIUM, WIDE = (80, 24), (120, 35), (200, 50)
PATHS = ("Abdomen/Abdomen_1.png", "Abdomen/Abdomen_2.png", "Femur/Femur_1.png")
Q2 = dict(
    zip(
        PATHS,
        ("Axial upper abdomen, vertebral column to left", "left lateral decubitus", "Femur horizontal"),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Not to be changed."""
    files = {path: encoded(phantom(number, 96)) for number, path in enumerate(PATHS)}
    return dataset_of(tmp_path_factory.mktemp("changes"), files, Q2=Q2)


@asynccontextmanager
async def changes(workspace: Workspace, size: tuple[int, int], image: int = 0) -> AsyncIterator[Pilot[Any]]:
    """The changes of one image, the first one drawn."""
    async with workbench(workspace).run_test(size=size, notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "the screen")
        dataset = pilot.app.screen
        assert isinstance(dataset, DatasetScreen)
        await until(pilot, lambda: dataset._images.items, "the images")
        for _ in range(image):
            await pilot.press("down")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen), "the changes")
        await until(pilot, lambda: page_of(pilot).shown is not None, "the first picture")
        yield pilot


def page_of(pilot: Pilot[Any]) -> ChangesScreen:
    assert isinstance(pilot.app.screen, ChangesScreen)
    return pilot.app.screen


async def go_to(pilot: Pilot[Any], choice: str) -> None:
    """Step to a change, and wait for its picture."""
    ids = [each.id for each in api.change_choices()]
    for _ in range(ids.index(choice) - ids.index(page_of(pilot).choice.id)):
        await pilot.press("right")
    await until(pilot, lambda: shown(pilot) == choice, f"the picture of {choice}")


def shown(pilot: Pilot[Any]) -> str:
    look = page_of(pilot).shown
    return "" if look is None else look.choice


def preview(pilot: Pilot[Any], side: str) -> ImagePreview:
    return page_of(pilot).query_one(f"#{side}", ImagePreview)


def pixels(pilot: Pilot[Any], side: str) -> bytes:
    found = preview(pilot, side)._preview
    return b"" if found is None else found.pixels


def words(pilot: Pilot[Any]) -> str:
    return widget_text(page_of(pilot).query_one(Lines))


async def test_a_narrow_window_shows_the_changed_picture_alone_with_its_name(workspace: Workspace) -> None:
    async with changes(workspace, NARROW) as pilot:
        assert not preview(pilot, "original").display
        await go_to(pilot, "alone:speckle")
        text = screen_text(pilot.app)
        assert "speckle alone · preview, not diagnostic" in text
        assert "version 1: speckle" in words(pilot)
        assert f"{PATHS[0]} · 8 of 27 changes" in text
        assert all(key in text for key in ("esc back", "→ next", "n another", "? help"))


async def test_a_wide_window_shows_the_original_beside_it_and_the_list_of_changes(workspace: Workspace) -> None:
    async with changes(workspace, WIDE) as pilot:
        await go_to(pilot, "alone:brightness")
        text = screen_text(pilot.app)
        assert "original, 96×96 stretched" in text
        assert "low resolution, severity 3" in text
        assert len(pixels(pilot, "original")) == len(pixels(pilot, "changed")) > 0
        assert pixels(pilot, "original") != pixels(pilot, "changed"), "the stretch does not undo it"
        await pilot.resize_terminal(*MEDIUM)
        await until(pilot, lambda: "low resolution, severity 3" not in screen_text(pilot.app), "no room for the list")
        assert preview(pilot, "original").display
        await pilot.resize_terminal(60, 16)
        await until(pilot, lambda: not preview(pilot, "original").display, "no room for it")


async def test_another_version_is_drawn_and_the_first_comes_again(workspace: Workspace) -> None:
    async with changes(workspace, NARROW) as pilot:
        await go_to(pilot, "level:advanced")
        first = pixels(pilot, "changed")
        seen, said = {first}, {words(pilot)}
        for version in (2, 3, 4, 5):
            await pilot.press("n")
            await until(pilot, lambda version=version: f"version {version}: " in words(pilot), "the next version")  # type: ignore[misc]
            seen.add(pixels(pilot, "changed"))
            said.add(words(pilot))
        assert len(seen) == len(said) == 5
    async with changes(workspace, NARROW) as pilot:
        await go_to(pilot, "level:advanced")
        assert pixels(pilot, "changed") == first


async def test_a_mirrored_image_tells_what_q2_becomes(workspace: Workspace) -> None:
    async with changes(workspace, NARROW) as pilot:
        await go_to(pilot, "alone:mirror")
        assert "Q2 becomes: Axial upper abdomen, vertebral column to right" in words(pilot)
        assert "Q7" not in words(pilot)


@pytest.mark.parametrize(
    ("image", "choice", "told"),
    [(1, "alone:mirror", "never mirrors this image while it asks Q2: left lateral decubitus"),
     (2, "alone:rotation", "never turns this image while it asks Q2: Femur horizontal")],
)  # fmt: skip
async def test_what_training_would_not_do_is_told(workspace: Workspace, image: int, choice: str, told: str) -> None:
    async with changes(workspace, WIDE, image) as pilot:
        await go_to(pilot, choice)
        assert told in words(pilot)


async def test_a_degradation_is_always_the_same_and_has_no_other_version(workspace: Workspace) -> None:
    async with changes(workspace, NARROW) as pilot:
        await pilot.press("left")
        await until(pilot, lambda: shown(pilot) == "degradation:low_resolution:3", "round at the end")
        assert "always the same for this image" in words(pilot)
        assert "another" not in screen_text(pilot.app)
        before = page_of(pilot).shown
        await pilot.press("n")
        await pilot.pause()
        assert page_of(pilot).shown == before


async def test_raw_levels_and_the_way_back_and_the_change_looked_at_last(workspace: Workspace) -> None:
    async with changes(workspace, MEDIUM) as pilot:
        await go_to(pilot, "alone:contrast")
        stretched = pixels(pilot, "original")
        await pilot.press("w")
        await until(pilot, lambda: "96×96 raw" in screen_text(pilot.app), "raw levels")
        assert pixels(pilot, "original") != stretched
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "back")
        assert "e effects" in screen_text(pilot.app)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen), "again")
        await until(pilot, lambda: shown(pilot) == "alone:contrast", "where one was")


async def test_help_lists_the_keys(workspace: Workspace) -> None:
    async with changes(workspace, WIDE) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "Draw the next random version" in screen_text(pilot.app), "the help")


async def test_a_held_key_makes_one_picture_at_a_time_and_ends_at_the_last(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    at_once: list[int] = []
    gate, lock = threading.Event(), threading.Lock()
    real = api.changed_preview
    working = 0

    def slow(file: Path, choice: str, *others: Any, **named: Any) -> Any:
        nonlocal working
        with lock:
            working += 1
            at_once.append(working)
        asked.append(choice)
        gate.wait(10)
        try:
            return real(file, choice, *others, **named)
        finally:
            with lock:
                working -= 1

    async with changes(workspace, NARROW) as pilot:
        monkeypatch.setattr(api, "changed_preview", slow)
        for _ in range(8):
            await pilot.press("right")
        assert "shadow alone" in screen_text(pilot.app), "the name is there while the picture is being made"
        gate.set()
        await until(pilot, lambda: shown(pilot) == "alone:shadow", "the last one")
        assert asked == ["level:advanced", "alone:shadow"]
        assert max(at_once) == 1


async def test_an_image_that_is_gone_says_so(tmp_path: Path) -> None:
    workspace = dataset_of(tmp_path, {path: encoded(phantom(number, 96)) for number, path in enumerate(PATHS)})
    images = next(tmp_path.rglob(PATHS[0]))
    async with changes(workspace, NARROW) as pilot:
        images.unlink()
        await pilot.press("right")
        await until(pilot, lambda: "missing" in screen_text(pilot.app).casefold(), "why there is no picture")
        await pilot.press("right")
        await until(pilot, lambda: shown(pilot) == "alone:rotation", "one can go on")


async def test_nothing_is_written(workspace: Workspace) -> None:
    def state() -> dict[str, int]:
        found = (each for each in workspace.root.rglob("*") if each.is_file() and "runs.db" not in each.name)
        return {str(each): each.stat().st_mtime_ns for each in found}

    before = state()
    async with changes(workspace, NARROW) as pilot:
        await go_to(pilot, "synthetic")
        await pilot.press("n")
        await until(pilot, lambda: "version 2: " in words(pilot), "another one")
    assert state() == before


async def test_answers_are_untrusted_and_shown_on_one_line(workspace: Workspace) -> None:
    picture = api.Preview(1, 1, b"0", False, 1, 1, api.PreviewMode.RAW)
    change = api.AnswerChange("Q2", api.AnswerFate.REWRITTEN, HOSTILE, HOSTILE)
    both = api.ChangedPreview(picture, picture, "mirrored", (change,))
    async with changes(workspace, NARROW) as pilot:
        page = page_of(pilot)
        page.query_one(Lines).show_paragraphs(drawn_paragraphs(page.choice, both, 1))
        await until(pilot, lambda: "[red]x[/red]" in words(pilot), "markup is text")
        assert "Q2 becomes: " in words(pilot)
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(screen_text(pilot.app))
