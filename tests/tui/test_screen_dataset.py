from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from data_helpers import ABNORMAL, chat_line, eight_lines, png_bytes, write_image, write_lines
from store_helpers import add_run, raw, wait_until, workspace_at
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.data.importers.jsonl import import_jsonl
from engine.store.writer import Writer
from engine.workspace import Workspace
from tui.dialogs.choose import Choose
from tui.dialogs.confirm import Confirm
from tui.screens import dataset_image, dataset_tasks
from tui.screens.dataset import DatasetScreen
from tui.screens.dataset_answers import Answers
from tui.screens.dataset_findings import Findings
from tui.screens.dataset_image import ImagePane
from tui.screens.dataset_lists import end_of
from tui.screens.dataset_pictures import Picture, Pictures, Wish
from tui.screens.dataset_reading import DatasetFeed, Wanted
from tui.screens.dataset_views import VIEW_COLUMNS, label_bar, view_columns_for
from tui.widgets.filterbar import FilterBar
from tui.widgets.image import DISCLAIMER, ImagePreview
from tui.widgets.lines import Lines
from tui.widgets.table import Table

THICK = "Abnormal NT thickening"
NARROW, MEDIUM, WIDE = (80, 24), (120, 30), (200, 50)


def import_lines(workspace: Workspace, name: str, root: Path, lines: list[str], **options: Any) -> None:
    file = write_lines(root.parent / f"{name}.jsonl", lines)
    with Writer.open(workspace) as writer:
        import_jsonl(workspace, name, file, root, recorder=writer.record_dataset, **options)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """20 femurs of which every fifth is abnormal, 8 NT images of another size, and four problems."""
    root, lines = tmp_path / "images", []
    for number in range(1, 21):
        path = write_image(root, f"Femur/Femur_{number}.png")
        lines += eight_lines(path, **({"Q7": ABNORMAL} if number % 5 == 0 else {}))
    for number in range(1, 9):
        path = write_image(root, f"NT-View/NT_{number}.png", png_bytes(1000 + number, 64, 48))
        lines += eight_lines(path, Q7=THICK if number > 6 else "cannot be assessed" if number > 5 else "Normal")
    write_image(root, "Femur/cut.png", png_bytes(77)[:-20])
    lines += [chat_line("Femur/cut.png"), chat_line("NT-View/missing.png"), "{broken", chat_line("../../etc/passwd")]
    place = Workspace(tmp_path / "workspace")
    import_lines(place, "fetal", root, lines)
    return place


class Sight:
    """The dataset screen as a user sees it."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self.pilot = pilot
        self.app: App[Any] = pilot.app

    @property
    def screen(self) -> DatasetScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, DatasetScreen))

    @property
    def images(self) -> Table:
        return self.screen.query_one("#images", Table)

    @property
    def views(self) -> Table:
        return self.screen.query_one("#views", Table)

    @property
    def preview(self) -> str:
        return widget_text(self.screen.query_one(ImagePreview))

    @property
    def answers(self) -> str:
        return widget_text(self.screen.query_one("#answers", Lines))

    @property
    def facts(self) -> str:
        return screen_text(self.app).splitlines()[1]

    @property
    def drawn(self) -> str:
        """Path of the image whose picture is to be seen."""
        wish = self.screen.query_one(ImagePane).drawn
        return "" if wish is None else wish.path

    def paths(self) -> list[str]:
        return [item.path for item in self.screen._images.items]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object], what: str) -> None:
        await until(self.pilot, holds, what)

    async def until_drawn(self, path: str) -> None:
        await self.until(lambda: self.drawn == path, f"{path} is drawn")

    async def dialog(self, kind: type[Any]) -> Any:
        await self.until(lambda: isinstance(self.app.screen, kind), f"a {kind.__name__} is open")
        return self.app.screen


@asynccontextmanager
async def opened(workspace: Workspace, size: tuple[int, int] = NARROW, **settings: Any) -> AsyncIterator[Sight]:
    async with workbench(workspace, **settings).run_test(size=size, notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "the screen is open")
        sight = Sight(pilot)
        await sight.until(
            lambda: sight.screen._images.items or sight.screen.has_class("-empty"), "the dataset has been read"
        )
        yield sight


# ----- without a dataset


async def test_an_empty_workspace_says_how_to_import_and_draws_phantoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_tasks, "COUNT", 12)
    monkeypatch.setattr(dataset_tasks, "SIZE", 32)
    async with opened(workspace_at(tmp_path)) as sight:
        await sight.until(lambda: "sonotune data import phantoms" in screen_text(sight.app), "what to do")
        await sight.until(lambda: "no dataset" in sight.facts, "what is missing")
        for key in ("d", "b", "p", "z", "w", "s", "S", "v", "c", "P", "K", "Q", "[", "]", "down"):
            await sight.press(key)
            if isinstance(sight.app.screen, Choose):
                await sight.press("escape")
        await sight.press("i")
        await sight.dialog(Confirm)
        await sight.press("n")
        await sight.until(lambda: sight.app.screen is sight.screen, "a no does nothing")
        assert not sight.screen._busy
        await sight.press("i")
        await sight.dialog(Confirm)
        await sight.press("y")
        await sight.until(lambda: len(sight.paths()) == 12, "the phantoms are listed")
        await sight.until(lambda: "phantoms · all views · 12 images" in sight.facts, "and counted")
        await sight.until(lambda: "12 phantoms are imported" in screen_text(sight.app), "and announced")
        await sight.press("i")
        assert sight.app.screen is sight.screen, "the key acts only where there is no dataset"


async def test_a_failed_import_is_told_and_the_screen_is_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_tasks, "SIZE", 1)
    async with opened(workspace_at(tmp_path), WIDE) as sight:
        await sight.press("i")
        await sight.dialog(Confirm)
        await sight.press("y")
        await sight.until(lambda: "32 to 2048 pixels are possible" in screen_text(sight.app), "the reason is shown")
        await sight.until(lambda: not sight.screen._busy, "nothing goes on")


# ----- list, picture, answers


async def test_the_list_the_picture_and_the_answers_follow_the_cursor(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        assert "fetal · all views · 30 images · 4 problems" in sight.facts
        assert "▀" in sight.preview
        assert "40×30 stretched" in sight.preview
        assert DISCLAIMER in sight.preview
        await sight.until(lambda: "aorta, liver, stomach" in sight.answers, "the answers are shown")
        await sight.press("down", "down", "down", "down")
        await sight.until_drawn("Femur/Femur_5.png")
        await sight.until(lambda: "Q7 abnormal · Femur" in sight.answers, "those of the fifth image")
        assert "Abnormal dilated" in sight.answers
        assert "Q8 advice    Follow up" in sight.answers
        await sight.press("tab")
        await sight.until(lambda: sight.screen.query_one("#answers").has_focus, "tab leads to the answers")
        await sight.press("end")
        await sight.until(lambda: "sha256  " in sight.answers, "the rest can be scrolled to")


async def test_neighbours_are_loaded_ahead_in_the_direction_of_travel(workspace: Workspace) -> None:
    asked: list[str] = []

    class Listening(api.PreviewLoader):
        def get(self, file: Path, width: int, height: int, mode: Any = "stretched") -> api.Preview:
            asked.append(file.name)
            return super().get(file, width, height, mode)

    async with opened(workspace) as sight:
        sight.screen.query_one(ImagePane)._loader = Listening()
        sight.screen.query_one(ImagePane).forget()
        await sight.press("down", "down")
        await sight.until(lambda: asked[-3:] == ["Femur_3.png", "Femur_4.png", "Femur_2.png"], "the next one first")
        await sight.press("up")
        await sight.until(lambda: asked[-3:] == ["Femur_2.png", "Femur_1.png", "Femur_3.png"], "and back")
        await sight.press("end")
        await sight.until(lambda: asked[-2:] == ["missing.png", "NT_8.png"] or asked[-1] == "NT_8.png", "at the end")


async def test_a_picture_in_memory_is_shown_before_anything_is_read(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        pane = sight.screen.query_one(ImagePane)
        pictures = pane._pictures
        assert pictures is not None
        second = Wish(pane._root, "Femur/Femur_2.png", sight.screen.query_one(ImagePreview).box, "stretched")
        await sight.until(lambda: pictures.cached(second), "the neighbour is loaded ahead")
        pictures.want = lambda *_: None  # type: ignore[method-assign] - nothing is read any more
        await sight.press("down")
        await sight.until_drawn("Femur/Femur_2.png")


async def test_an_image_that_takes_long_never_stands_under_another_name(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_image, "GRACE_SECONDS", 0.01)
    gate = threading.Event()

    class Slow(api.PreviewLoader):
        def get(self, file: Path, width: int, height: int, mode: Any = "stretched") -> api.Preview:
            gate.wait(30.0)
            return super().get(file, width, height, mode)

    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        sight.screen.query_one(ImagePane)._loader = Slow()
        sight.screen.query_one(ImagePane).forget()
        await sight.press("end", "home", "down")
        await sight.until(lambda: dataset_image.READING in sight.preview, "it says that it reads")
        assert "Femur/Femur_2.png" in sight.preview
        assert "▀" not in sight.preview
        gate.set()
        await sight.until_drawn("Femur/Femur_2.png")


async def test_raw_and_stretched(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        await sight.press("w")
        await sight.until(lambda: "40×30 raw" in sight.preview, "raw")
        await sight.press("down")
        await sight.until(lambda: sight.drawn == "Femur/Femur_2.png" and "raw" in sight.preview, "it stays raw")
        await sight.press("w")
        await sight.until(lambda: "40×30 stretched" in sight.preview, "stretched again")


async def test_the_picture_alone_and_its_neighbours(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        small = sight.screen.query_one(ImagePreview).box
        await sight.press("z")
        await sight.until(lambda: sight.screen.query_one(ImagePreview).box > small, "it is larger")
        assert not sight.images.display
        assert sight.screen.query_one(ImagePreview).size.width == 80
        for key, number in (("right", 2), ("down", 3), ("j", 4), ("l", 5), ("left", 4), ("up", 3), ("k", 2), ("h", 1)):
            await sight.press(key)
            await sight.until_drawn(f"Femur/Femur_{number}.png")
        await sight.until(lambda: "Femur_1.png, " in sight.preview, "the caption names the image")
        await sight.press("escape")
        await sight.until(lambda: sight.images.display and sight.images.has_focus, "back")
        await sight.press("enter")
        await sight.until(lambda: not sight.images.display, "enter enlarges too")
        await sight.press("slash")
        await sight.until(lambda: isinstance(sight.screen.focused, Input), "a filter needs the list")
        assert sight.images.display
        await sight.press("escape", "z", "z")
        await sight.until(lambda: sight.images.display and sight.images.has_focus, "z goes back too")


async def test_the_arrow_keys_step_only_where_the_picture_stands_alone(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        sight.screen.set_focus(None)
        await sight.press("down", "right", "j", "l")
        assert sight.images.cursor == 0


async def test_the_settings_choose_how_pixels_are_sent(workspace: Workspace) -> None:
    async with opened(workspace, images="kitty") as sight:
        assert sight.screen.query_one(ImagePreview).protocol == "kitty"


# ----- panes by the size of the window


async def test_every_size_of_window_has_its_panes(workspace: Workspace) -> None:
    async with opened(workspace, WIDE) as sight:
        pane = sight.screen.query_one(ImagePane)

        def panes() -> tuple[bool, bool, bool]:
            answers = sight.screen.query_one("#answers")
            return sight.views.is_on_screen, pane.display, bool(pane.display and answers.display)

        async def resized(width: int, height: int, views: bool, image: bool, answers: bool) -> None:
            await sight.pilot.resize_terminal(width, height)
            await sight.until(lambda: sight.app.size == (width, height), "the new size")
            await sight.until(lambda: panes() == (views, image, answers), f"the panes of {width}x{height}")

        await resized(200, 50, views=True, image=True, answers=True)
        assert sight.views.region.right <= sight.images.region.x < pane.region.x
        await resized(120, 30, views=False, image=True, answers=True)
        await resized(80, 24, views=False, image=True, answers=True)
        await sight.until(lambda: 34 <= sight.images.size.width <= 36, "a list of names and no more")
        await resized(80, 12, views=False, image=True, answers=False)
        await resized(40, 10, views=False, image=False, answers=False)
        await sight.press("down", "z", "right", "z", "b", "escape", "v", "escape", "c", "P")
        await resized(200, 50, views=True, image=True, answers=True)


# ----- views


async def test_the_views_have_counts_and_bars(workspace: Workspace) -> None:
    async with opened(workspace, WIDE) as sight:
        rows = widget_text(sight.views).splitlines()
        assert [row.split()[0] for row in rows[1:4]] == ["all", "Femur", "NT-View"]
        assert "░ norm" in rows[0]
        assert "▒ uncl" in rows[0]
        femur = rows[2].split()
        assert femur[1:2] + femur[3:6] == ["20", "16", "4", "0"]
        assert femur[2] == "░" * 8 + "█" * 2
        await sight.press("v", "down", "down")
        await sight.until(lambda: len(sight.paths()) == 9, "the list follows the pane")
        assert all(path.startswith("NT-View/") for path in sight.paths())
        assert "fetal · NT-View · 9 of 30 images" in sight.facts
        assert "NT_1.png" in widget_text(sight.images)
        await sight.press("enter")
        await sight.until(lambda: sight.images.has_focus, "enter goes to the list")
        await sight.press("v", "v")
        await sight.until(lambda: sight.images.has_focus, "there and back")


async def test_the_view_before_and_after(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("right_square_bracket")
        await sight.until(lambda: "fetal · Femur · 21 of 30" in sight.facts, "the first view")
        await sight.press("right_square_bracket", "right_square_bracket")
        await sight.until(lambda: "fetal · NT-View · 9 of 30" in sight.facts, "the last one stays")
        await sight.press("left_square_bracket", "left_square_bracket")
        await sight.until(lambda: "fetal · all views · 30 images" in sight.facts, "all")


async def test_a_narrow_window_has_the_views_in_a_list(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("v")
        await sight.dialog(Choose)
        text = screen_text(sight.app)
        assert "20 · 4 abnormal" in text
        assert "8 · 2 abnormal · 1 unclear" in text
        await sight.press("down", "down", "enter")
        await sight.until(lambda: "fetal · NT-View" in sight.facts, "the chosen view")
        await sight.press("v")
        dialog = await sight.dialog(Choose)
        assert dialog.query_one(Table).cursor_key() == "NT-View"
        await sight.press("escape")


def test_a_label_bar_shows_every_label_that_occurs() -> None:
    assert label_bar((0, 0, 0, 0), 10) == " " * 10
    assert label_bar((5, 5, 0, 0), 10) == "░" * 5 + "█" * 5
    assert label_bar((10_000, 1, 1, 1), 10) == "░" * 7 + "█▒·"
    assert label_bar((0, 0, 0, 3), 4) == "····"
    assert len(label_bar((1, 1, 1, 1), 3)) == 3


def test_columns_that_would_hold_only_noughts_are_left_out() -> None:
    healthy = api.ViewSummary("Femur", 8, 1, 1, 9, 1, 0, 0, 0, 0)
    keys = [column.key for column in view_columns_for([healthy])]
    assert keys == ["view", "images", "bar", "normal", "abnormal", "train", "validation", "test"]
    odd = api.ViewSummary("Odd", 2, 0, 0, 0, 0, 0, 1, 1, 1)
    assert view_columns_for([healthy, odd]) == VIEW_COLUMNS


def test_a_long_path_keeps_its_end() -> None:
    assert end_of("Femur/Femur_1.png", 20) == "Femur/Femur_1.png"
    assert end_of("Femur/Femur_1.png", 8) == "…r_1.png"
    assert end_of("超音波/超音波.png", 7) == "…波.png"


# ----- filter, order, problems


async def test_a_filter_narrows_the_list_while_it_is_typed(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("slash", *"Femur_1")
        await sight.until(lambda: len(sight.paths()) == 11, "words are looked for in the path")
        bar = sight.screen.query_one(FilterBar)
        bar.value = "Q7 contains thickening"
        await sight.until(lambda: sight.paths() == ["NT-View/NT_7.png", "NT-View/NT_8.png"], "answers are looked into")
        await sight.until_drawn("NT-View/NT_7.png")
        assert "2 of 30 images" in sight.facts
        bar.value = "Q7 contains"
        await sight.until(lambda: bar.has_class("-invalid"), "an unfinished filter is called so")
        assert len(sight.paths()) == 2, "the list stays"
        bar.value = "nothing_has_this_name"
        await sight.until(lambda: "no image fits the filter" in widget_text(sight.images), "nothing fits")
        await sight.until(lambda: "no image chosen" in sight.preview, "and nothing is shown")
        assert sight.answers.strip() == ""
        await sight.press("escape")
        await sight.until(lambda: len(sight.paths()) == 30 and sight.images.has_focus, "escape takes it away")


async def test_the_list_is_sorted_by_keys_and_by_its_heads(workspace: Workspace) -> None:
    async with opened(workspace, WIDE) as sight:
        await sight.press("s")
        await sight.until(lambda: sight.paths()[0] == "Femur/Femur_5.png", "abnormal before normal")
        assert "by Q7 ▲" in sight.facts
        await sight.press("S")
        await sight.until(lambda: sight.paths()[0] == "NT-View/NT_6.png", "unclear first")
        assert "by Q7 ▼" in sight.facts
        for words in ("by split ▲", "by view ▲", "by size ▲", "by problem ▲"):
            await sight.press("s")
            await sight.until(lambda words=words: words in sight.facts, words)
        await sight.press("s")
        await sight.until(lambda: sight.paths()[:2] == ["Femur/Femur_1.png", "Femur/Femur_2.png"], "by path again")
        await sight.pilot.click("#images", offset=(4, 0))
        await sight.until(lambda: sight.paths()[0] == "NT-View/missing.png", "the same head turns it round")
        size = widget_text(sight.images).splitlines()[0].index("size")
        await sight.pilot.click("#images", offset=(size, 0))
        await sight.until(lambda: "by size ▲" in sight.facts, "another head sorts by it")
        await sight.pilot.click("#images", offset=(0, 0))
        await sight.until(lambda: "by problem ▲" in sight.facts, "the head of the marks brings problems together")


async def test_problems_stand_in_the_list_with_their_reasons(workspace: Workspace) -> None:
    async with opened(workspace, WIDE) as sight:
        await sight.until(lambda: "truncated" in widget_text(sight.images), "beside the image")
        await sight.press("p")
        await sight.until(lambda: sight.paths() == ["Femur/cut.png", "NT-View/missing.png"], "alone")
        text = widget_text(sight.images)
        assert "the image file is missing" in text
        assert "✗ cut.png" in text
        assert "2 unusable · P: all 4 problems" in sight.facts
        await sight.press("end")
        await sight.until(lambda: "left out: the image file is missing" in sight.answers, "what is wrong")
        await sight.until(lambda: "the image file is missing" in sight.preview, "instead of the picture")
        assert "4 problems" in sight.facts, "an image that was left out is counted once"
        await sight.press("p")
        await sight.until(lambda: len(sight.paths()) == 30, "all again")


async def test_everything_that_was_left_out_is_listed_lines_too(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("P")
        await sight.dialog(Findings)
        text = screen_text(sight.app)
        for words in ("4 entries were left out of fetal", "{broken", "../../etc/passwd", "fetal.jsonl:"):
            assert words in text
        await sight.press("escape")
        await sight.until(lambda: sight.app.screen is sight.screen, "closed")


async def test_a_file_that_is_gone_since_the_import_is_a_problem_too(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "images/Femur/Femur_2.png").unlink()
    (tmp_path / "images/Femur/Femur_3.png").write_bytes(png_bytes(3)[:60])
    async with opened(workspace) as sight:
        await sight.press("down")
        await sight.until(lambda: "the image file is missing" in sight.preview, "the reason stands there")
        await sight.press("down")
        await sight.until(lambda: "damaged or cut off" in " ".join(sight.preview.split()), "so does another one")
        await sight.until(lambda: "6 problems" in sight.facts, "both are counted")
        assert "✗ Femur_2.png" in widget_text(sight.images)
        await sight.press("p")
        await sight.until(
            lambda: (
                sight.paths()
                == [f"Femur/{name}.png" for name in ("Femur_2", "Femur_3", "cut")] + ["NT-View/missing.png"]
            ),
            "they are among the problems",
        )
        await sight.press("p", "home", "down")
        write_image(tmp_path / "images", "Femur/Femur_2.png")
        await sight.press("up", "down")
        await sight.until(lambda: "5 problems" in sight.facts, "a file that is back is none")


# ----- answers


async def test_bars_of_the_answers_question_by_question(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("b")
        dialog = await sight.dialog(Answers)
        await sight.until(lambda: THICK in screen_text(sight.app), "the answers to Q7")
        text = screen_text(sight.app)
        assert "answers to Q7: normality" in text
        assert "28 answers, 5 different ones; 0 unanswered" in text
        assert "fetal · all views" in text
        for key, question in (("b", "Q8"), ("b", "Q1"), ("right_square_bracket", "Q2"), ("tab", "Q3")):
            await sight.press(key)
            await sight.until(lambda q=question: dialog.counts.question == q, question)
        for key, question in (("B", "Q2"), ("left_square_bracket", "Q1"), ("shift+tab", "Q8"), ("B", "Q7")):
            await sight.press(key)
            await sight.until(lambda q=question: dialog.counts.question == q, question)
        dialog.query_one(Table).move_to_key(THICK)
        await sight.press("enter")
        await sight.until(lambda: sight.paths() == ["NT-View/NT_7.png", "NT-View/NT_8.png"], "enter lists the images")
        assert sight.screen.query_one(FilterBar).value == f'Q7 = "{THICK}"'
        assert sight.images.has_focus


async def test_the_answers_are_those_of_the_view(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("right_square_bracket")
        await sight.until(lambda: "fetal · Femur" in sight.facts, "the view")
        await sight.press("b")
        await sight.dialog(Answers)
        await sight.until(lambda: "20 answers, 2 different" in screen_text(sight.app), "its answers")
        await sight.press("escape")
        await sight.until(lambda: sight.app.screen is sight.screen, "closed")
        assert sight.screen._asked.filter == ""


# ----- check of files


async def test_a_check_finds_what_has_changed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "images/Femur/Femur_7.png").unlink()
    write_image(tmp_path / "images", "Femur/Femur_9.png", png_bytes(9999))
    async with opened(workspace) as sight:
        await sight.press("c")
        await sight.dialog(Findings)
        text = screen_text(sight.app)
        assert "2 differences between fetal and its import" in text
        assert "the image's bytes have changed since the import" in text
        await sight.press("escape")
        await sight.until(lambda: "6 problems" in sight.facts, "they are counted")
        assert "✗ Femur_9.png" in widget_text(sight.images)
        await sight.press(*["down"] * 8)
        await sight.until_drawn("Femur/Femur_9.png")
        await sight.until(lambda: "have changed" in sight.answers, "what is wrong with it")
        assert "6 problems" in sight.facts, "that it can be shown does not make it the old one"


async def test_a_check_that_finds_nothing_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, real = threading.Event(), api.check_dataset

    def slowly(place: Workspace, name: str, progress: Callable[[int, int], None]) -> list[api.Problem]:
        progress(1, 4)
        gate.wait(30.0)
        return real(place, name, progress)

    monkeypatch.setattr(api, "check_dataset", slowly)
    async with opened(workspace) as sight:
        await sight.press("c")
        await sight.until(lambda: "checking files 25 %" in sight.facts, "how far it is")
        await sight.press("c")
        await sight.until(lambda: "One thing at a time" in screen_text(sight.app), "not twice")
        await sight.press("down")
        await sight.until_drawn("Femur/Femur_2.png")
        gate.set()
        await sight.until(lambda: "as it was imported" in screen_text(sight.app), "nothing was found")
        await sight.until(lambda: "checking" not in sight.facts, "over")


async def test_a_check_does_not_hold_up_who_leaves(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, ended = threading.Event(), threading.Event()

    def endless(_place: Workspace, _name: str, progress: Callable[[int, int], None]) -> list[api.Problem]:
        try:
            progress(0, 2)
            gate.wait(30.0)
            progress(1, 2)
        except api.SonotuneError:
            ended.set()
            raise
        return []

    monkeypatch.setattr(api, "check_dataset", endless)
    async with opened(workspace) as sight:
        await sight.press("c")
        await sight.until(lambda: "checking files 0 %" in sight.facts, "it runs")
    gate.set()
    wait_until(ended.is_set, "it has ended at its next step")


# ----- several datasets, other imports


async def test_the_newest_dataset_comes_first_and_others_can_be_chosen(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "more" / "images"
    paths = [write_image(root, f"{view}/{view}_{n}.png") for view in ("Aorta", "Femur") for n in range(3)]
    import_lines(workspace, "second", root, [line for path in paths for line in eight_lines(path)])
    async with opened(workspace, WIDE) as sight:
        assert "second · all views · 6 images" in sight.facts
        await sight.press("right_square_bracket", "right_square_bracket")
        await sight.until(lambda: "second · Femur · 3 of 6" in sight.facts, "a view of it")
        await sight.press("d")
        dialog = await sight.dialog(Choose)
        assert dialog.query_one(Table).cursor_key() == "second"
        assert "28 images · jsonl" in screen_text(sight.app)
        await sight.press("down", "enter")
        await sight.until(lambda: "fetal · all views · 30 images" in sight.facts, "the other one, all views")
        await sight.until_drawn("Femur/Femur_1.png")
        titles = {title for title, _, _ in sight.screen.commands()}
        assert titles >= {"View: Femur", "Dataset: second", "Dataset: fetal"}
        next(run for title, _, run in sight.screen.commands() if title == "View: NT-View")()
        await sight.until(lambda: "fetal · NT-View" in sight.facts, "from the palette")
        next(run for title, _, run in sight.screen.commands() if title == "Dataset: second")()
        await sight.until(lambda: "second · all views" in sight.facts, "a dataset too")


async def test_one_dataset_leaves_no_choice(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("d")
        await sight.until(lambda: "There is one dataset" in screen_text(sight.app), "it says so")


async def test_another_import_replaces_what_is_shown(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "images"
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        lines = []
        for number in range(1, 4):
            write_image(root, f"Femur/Femur_{number}.png", png_bytes(500 + number, 64, 20))
            lines += eight_lines(f"Femur/Femur_{number}.png", Q1="something else")
        import_lines(workspace, "fetal", root, lines, replace=True)
        await sight.until(lambda: "fetal · all views · 3 images" in sight.facts, "the new list")
        await sight.until(lambda: "64×20" in sight.preview, "the new picture of the same path")
        await sight.until(lambda: "something else" in sight.answers, "the new answers")


async def test_a_list_whose_numbers_mean_other_images_is_read_again(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until(lambda: "aorta" in sight.answers, "the answers of the first image")
        connection = raw(workspace)
        connection.execute("UPDATE images SET id = -id")
        connection.execute("UPDATE images SET id = 100 + (SELECT MAX(-id) FROM images) + id")
        connection.close()
        before = sight.screen._images.items
        await sight.press("down")
        await sight.until(lambda: sight.screen._images.items != before, "the list is read again")
        await sight.press("home")
        await sight.until_drawn("Femur/Femur_1.png")
        await sight.until(lambda: "Femur/Femur_1.png" in sight.answers or "aorta" in sight.answers, "and it fits")


def test_a_training_that_writes_costs_no_reading(workspace: Workspace) -> None:
    feed, live = DatasetFeed(), api.Live(workspace)
    first = feed.read(live, Wanted())
    with Writer.open(workspace) as writer:
        add_run(writer, "writes")
    assert feed.read(live, Wanted()) is first
    assert feed.read(live, Wanted(view="Femur")) is not first
    live.close()


# ----- the thread of the pictures


class Gated:
    """A loader that decodes when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Semaphore(0)

    def get(self, file: Path, width: int, height: int, mode: Any) -> api.Preview:
        self.asked.append(file.name)
        assert self.gate.acquire(timeout=30.0)
        if file.name == "odd.png":
            raise ZeroDivisionError("odd")
        return api.Preview(1, 1, b"\0", False, width, height, api.PreviewMode(mode))

    def cached(self, file: Path, width: int, height: int, mode: Any) -> api.Preview | None:
        return None


def test_the_newest_wish_is_the_next_that_is_loaded(tmp_path: Path) -> None:
    for name in [*(f"{number}.png" for number in range(9)), "odd.png"]:
        (tmp_path / name).touch()
    loader, told = Gated(), list[Picture]()
    pictures = Pictures(told.append, loader)
    wishes = [Wish(tmp_path, f"{number}.png", (8, 8), "raw") for number in range(9)]
    pictures.start()
    try:
        pictures.want(wishes[0], [wishes[8]])
        wait_until(lambda: loader.asked == ["0.png"], "the first is begun")
        for wish in wishes[1:8]:
            pictures.want(wish)
        loader.gate.release(2)
        wait_until(lambda: told, "the last one is told")
        assert loader.asked == ["0.png", "7.png"]
        assert [picture.wish for picture in told] == [wishes[7]], "stale ones are not"
        pictures.want(Wish(tmp_path, "odd.png", (8, 8), "raw"))
        loader.gate.release()
        wait_until(lambda: len(told) == 2, "a fault of the decoder is told, and the thread lives on")
        assert told[1].preview is None
        assert "ZeroDivisionError" in told[1].reason
        pictures.want(Wish(tmp_path, "../out.png", (8, 8), "raw"))
        wait_until(lambda: len(told) == 3, "so is a path that leads out")
        assert told[2].reason
    finally:
        pictures.stop()
    pictures.join(30.0)
    assert not pictures.is_alive()


async def test_no_thread_is_left_behind(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.until_drawn("Femur/Femur_1.png")
        pictures = sight.screen.query_one(ImagePane)._pictures
        assert pictures is not None
    wait_until(lambda: not pictures.is_alive(), "the thread ends with the screen")


# ----- hostile text


async def test_hostile_names_and_answers_are_text(tmp_path: Path) -> None:
    root = tmp_path / "images"
    view = "[red]View[/red]\x1b[1m\u202e"
    names = (
        "[bold]x[/] [@click=app.quit]y[/]",
        "\x1b[31mred\x1b]0;owned\x07",
        "👩‍👩‍👧‍👦❤️",
        "שלום \u202egnp.exe",
        "x" * 240,
        "a\nb",
    )
    lines: list[str] = []
    for name in names:
        lines += eight_lines(write_image(root, f"{view}/{name}.png"), Q1=HOSTILE, Q7=HOSTILE)
    lines += ["[red]{broken[/red] \x1b[2J"]
    workspace = Workspace(tmp_path / "workspace")
    import_lines(workspace, "fetal", root, lines)
    for size in (NARROW, WIDE, (40, 10)):
        async with opened(workspace, size) as sight:
            for _ in names:
                await sight.press("down")
            await sight.press("z", "left", "z", "right_square_bracket", "slash", *"bold", "enter")
            await sight.until(lambda sight=sight: len(sight.paths()) == 1, "found by its markup")
            if size[0] > 64:
                await sight.until_drawn(f"{view}/[bold]x[/] [@click=app.quit]y[/].png")
            for key in ("b", "v", "P"):
                await sight.press(key)
                await sight.pilot.pause()
                written = screen_text(sight.app)
                assert not [character for character in written if ord(character) < 32 and character != "\n"]
                assert "\u202e" not in written
                if sight.app.screen is not sight.screen:
                    await sight.press("escape")
            await sight.press("c")
            await sight.until(lambda sight=sight: not sight.screen._busy, "the check is over")
    async with opened(workspace, WIDE) as sight:
        assert "[red]View[" in widget_text(sight.views)
        await sight.until(lambda: "[red]x[/red]" in sight.answers, "markup of an answer is shown as it is")
        await sight.press("b")
        dialog = await sight.dialog(Answers)
        await sight.until(lambda: dialog.counts is not None, "the answers")
        await sight.press("enter")
        await sight.until(lambda: "cannot be written as a filter" in screen_text(sight.app), "controls are no filter")
