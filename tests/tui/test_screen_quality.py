"""The check of the images on the Dataset screen, and the quality page: every pane, every key, both sizes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_helpers import eight_lines, write_image, write_lines
from PIL import Image
from quality_helpers import dataset_of, encoded, phantom
from test_snapshots import FOLDER, SIZES, compare, settled
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.api import CheckState, CheckStatus, Split
from engine.workspace import Workspace
from tui.screens.ask_picture import AskPicture
from tui.screens.dataset import DatasetScreen
from tui.screens.dataset_check import OneLine, check_pieces
from tui.screens.dataset_image import ImagePane
from tui.screens.dataset_reading import CheckData, Entry
from tui.screens.dataset_text import answer_paragraphs
from tui.screens.help import help_text
from tui.screens.quality import PANES, QualityScreen
from tui.screens.quality_pair import PairScreen, pair_pieces
from tui.screens.quality_reading import read_quality, read_readings, view_labels
from tui.screens.quality_rows import all_pairs
from tui.screens.quality_text import label_paragraphs
from tui.widgets.filterbar import FilterBar
from tui.widgets.image import DISCLAIMER
from tui.widgets.lines import Lines
from tui.widgets.table import Table

pytestmark = pytest.mark.usefixtures("brisk")
NARROW, WIDE = SIZES
VIEWS = ("Abdomen", "Femur", "NT-View", "Standard_NT")
ENTRY = Entry("fetal", "jsonl", 66, 0, 0.0, "content", "split")


def flawed(folder: Path) -> Workspace:
    """48 phantoms in four views and 16 near-duplicates of them, a blank image and a tiny one; strange answers to Q5."""
    files = {f"{VIEWS[n % 4]}/{VIEWS[n % 4]}_{n:03}.png": encoded(phantom(n, 96)) for n in range(48)}
    paths = list(files)
    files |= {path.replace("/", "/copy_"): encoded(phantom(n, 96).rotate(1)) for n, path in enumerate(paths[:16])}
    files["Femur/black.png"] = encoded(Image.new("L", (90, 90), 0))
    files["Femur/small.png"] = encoded(phantom(70, 80).resize((50, 90)))
    sick = dict.fromkeys(paths[::9], "Abnormal NT thickening")
    weeks = {paths[0]: "18-200 weeks", paths[1]: "2023-05-08", paths[3]: "18-200 weeks"}
    return dataset_of(folder, files, Q7=sick, Q5=weeks, Q8={paths[2]: "Folow upp please"})


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Checked, and not to be changed."""
    workspace = flawed(tmp_path_factory.mktemp("flawed"))
    api.check_images(workspace, "fetal")
    return workspace


@pytest.fixture
def unchecked(tmp_path: Path) -> Workspace:
    files = {f"Femur/Femur_{n}.png": encoded(phantom(n, 80)) for n in range(8)}
    files |= {f"Femur/again_{n}.png": encoded(phantom(n, 80).rotate(1)) for n in range(8)}
    return dataset_of(tmp_path, files)


@asynccontextmanager
async def dataset(workspace: Workspace, size: tuple[int, int] = NARROW) -> AsyncIterator[Pilot[Any]]:
    """The Dataset screen, with its images."""
    async with workbench(workspace).run_test(size=size, notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "the screen")
        await until(pilot, lambda: pilot.app.screen._images.items, "the images")  # type: ignore[attr-defined]
        yield pilot


@asynccontextmanager
async def quality(workspace: Workspace, size: tuple[int, int] = NARROW) -> AsyncIterator[Pilot[Any]]:
    """The quality page, with its report."""
    async with dataset(workspace, size) as pilot:
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QualityScreen), "the page")
        page = page_of(pilot)
        await until(pilot, lambda: page.data is not None or page.error is not None, "the report")
        yield pilot


def page_of(pilot: Pilot[Any]) -> QualityScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, QualityScreen))


def images_of(pilot: Pilot[Any]) -> DatasetScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, DatasetScreen))


def line_of(pilot: Pilot[Any], name: str = "check") -> str:
    return widget_text(pilot.app.screen.query_one(f"#{name}", OneLine))


async def shows(pilot: Pilot[Any], words: str) -> None:
    await until(pilot, lambda: words in screen_text(pilot.app), words)


async def goes_to(pilot: Pilot[Any], pane: str) -> None:
    while page_of(pilot)._pane != pane:
        await pilot.press("right_square_bracket")


def words_of(
    status: CheckStatus | None, flags: api.ImageFlags | api.SonotuneError | None = None, trouble: str = ""
) -> str:
    return " · ".join(text for text, _ in check_pieces(CheckData(ENTRY, status, trouble), flags))


# ----- the line of the check


def test_the_line_says_how_far_the_check_is_and_which_key_comes_next() -> None:
    assert words_of(CheckStatus(CheckState.NOT_RUN)) == "images not checked: K starts it"
    running = CheckStatus(CheckState.RUNNING, 3200, 15446, 210.4)
    assert words_of(running) == "checking 3,200 of 15,446 images · 210 images/s · K stops it"
    assert words_of(replace(running, done=0, total=0, images_per_second=0.0)).startswith("checking: reading the list")
    broken = words_of(CheckStatus(CheckState.INTERRUPTED, 3200, 15446), trouble="MemoryError")
    assert broken.startswith("! check interrupted after 3,200 of 15,446 images · K goes on · MemoryError")
    assert words_of(CheckStatus(CheckState.OUTDATED)) == "! images changed since the check · K checks them"
    done = CheckStatus(CheckState.DONE, 15446, 15446, 0.0)
    assert words_of(done) == "✓ 15,446 images checked · looking for near-duplicates …"
    assert words_of(done, api.ImageFlags({}, 0)) == "✓ 15,446 images checked · nothing found"
    found = {"a": api.ImageFlag(api.FlagKind.UNREADABLE, "x"), "b": api.ImageFlag(api.FlagKind.TINY, "x")}
    words = words_of(done, api.ImageFlags(found, 1))
    assert words.endswith("≈ 1 pair across splits · ✗ 1 unreadable · ! 1 tiny")
    assert words_of(done, api.SonotuneError("The case file is gone")).endswith("✗ The case file is gone")
    assert words_of(None, trouble="no such dataset") == "✗ no such dataset"
    assert check_pieces(None, None) == []


async def test_k_starts_the_check_and_what_it_finds_is_marked_in_the_list(unchecked: Workspace) -> None:
    async with dataset(unchecked, WIDE) as pilot:
        await until(pilot, lambda: "images not checked: K starts it" in line_of(pilot), "what can be done")
        assert "flagged" not in screen_text(pilot.app)
        await pilot.press("K")
        await shows(pilot, "The check runs in the background")
        await until(pilot, lambda: "✓ 16 images checked" in line_of(pilot), "it has ended")
        await until(pilot, lambda: "across splits" in line_of(pilot), "near-duplicates are found")
        crossing = api.quality_report(unchecked, "fetal").duplicates.near_crossing
        assert crossing > 0
        assert f"≈ {crossing} pair" in line_of(pilot)
        await shows(pilot, f"{2 * crossing} flagged")
        assert widget_text(images_of(pilot).query_one("#images", Table)).count("near-dupl") == 2 * crossing
        await pilot.press("K")
        await shows(pilot, "Nothing to do")


async def test_k_stops_a_check_that_runs(unchecked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    running = CheckStatus(CheckState.RUNNING, 5, 16, 3.0)
    monkeypatch.setattr(api, "background_check_status", lambda *_: running)
    monkeypatch.setattr(api, "stop_background_check", lambda _, name: not stopped.append(name) and len(stopped) < 2)
    async with dataset(unchecked) as pilot:
        await until(pilot, lambda: "checking 5 of 16 images · 3 images/s · K stops it" in line_of(pilot), "it runs")
        assert "Q quality" in line_of(pilot)
        await pilot.press("K")
        await shows(pilot, "The check is being stopped")
        await pilot.press("K")
        await shows(pilot, "belongs to another terminal")
        assert stopped == ["fetal", "fetal"]


async def test_a_check_that_cannot_be_read_is_told_in_its_line(
    unchecked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> CheckStatus:
        raise api.SonotuneError("The dataset fetal is damaged.")

    monkeypatch.setattr(api, "background_check_status", gone)
    async with dataset(unchecked) as pilot:
        await until(pilot, lambda: "✗ The dataset fetal is damaged." in line_of(pilot), "why nothing is known")
        assert images_of(pilot)._images.items, "the images are there all the same"


async def test_the_line_leaves_out_what_has_no_room(checked: Workspace) -> None:
    async with dataset(checked) as pilot:
        await until(pilot, lambda: "across splits" in line_of(pilot), "the line")
        text = line_of(pilot)
        assert text.startswith(" ✓ 66 images checked · Q quality · ≈ 8 pairs across splits · ! 1 blank")
        await pilot.resize_terminal(50, 24)
        await until(pilot, lambda: pilot.app.size.width == 50 and "blank" not in line_of(pilot), "less room")
        assert line_of(pilot).rstrip() == " ✓ 66 images checked · Q quality …", "nothing graver is passed over"
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: not pilot.app.screen.query_one("#check").display, "a low window has no line")


# ----- flagged images in the list


async def test_flagged_images_have_a_sign_and_a_reason(checked: Workspace) -> None:
    async with dataset(checked) as pilot:
        await shows(pilot, "66 images · 18 flagged")
        screen = images_of(pilot)
        table = screen.query_one("#images", Table)
        assert "≈ Abdomen_000.png" in widget_text(table)
        answers = screen.query_one("#answers", Lines)
        await until(pilot, lambda: "≈ near-duplicate of" in widget_text(answers), "which one it resembles")
        assert "0.98" in widget_text(answers)
        await pilot.press("p")
        await shows(pilot, "18 unusable or flagged")
        assert len(screen._images.items) == 18
        assert "! black.png" in widget_text(table)
        assert "blank: grey levels" in widget_text(table)
        await pilot.press("p")
        await until(pilot, lambda: len(screen._images.items) == 66, "all again")


async def test_an_unreadable_image_is_a_problem(tmp_path: Path) -> None:
    from test_quality_checking import damaged_pixels

    files = {f"Femur/Femur_{n}.png": encoded(phantom(n, 80)) for n in range(4)}
    files["Femur/Femur_1.png"] = damaged_pixels(files["Femur/Femur_1.png"])
    workspace = dataset_of(tmp_path, files)
    api.check_images(workspace, "fetal")
    async with dataset(workspace, WIDE) as pilot:
        await shows(pilot, "4 images · 1 problem")
        await until(pilot, lambda: "✗ 1 unreadable" in line_of(pilot), "in the line")
        await shows(pilot, "✗ Femur_1.png")
        await pilot.press("down")
        pane = images_of(pilot).query_one(ImagePane)
        await until(pilot, lambda: "damaged or cut off" in widget_text(pane.query_one("#answers", Lines)), "why")


async def test_another_dataset_has_other_flags(checked: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "two")
    shutil.copytree(checked.root, workspace.root)
    lines = [line for n in range(3) for line in eight_lines(write_image(tmp_path / "images", f"Femur/{n}.png"))]
    api.import_chat_file(workspace, "second", write_lines(tmp_path / "b.jsonl", lines), tmp_path / "images")
    async with dataset(workspace) as pilot:
        await until(pilot, lambda: "not checked" in line_of(pilot), "the newest has not been checked")
        images_of(pilot).open_dataset("fetal")
        await shows(pilot, "18 flagged")
        images_of(pilot).open_dataset("second")
        await until(pilot, lambda: "not checked" in line_of(pilot), "and back")
        assert "flagged" not in screen_text(pilot.app)
        images_of(pilot).open_dataset("fetal")
        await shows(pilot, "18 flagged")


# ----- what answers are read as


async def test_answers_stand_beside_what_they_are_read_as(checked: Workspace) -> None:
    async with dataset(checked, WIDE) as pilot:
        answers = images_of(pilot).query_one("#answers", Lines)
        await until(pilot, lambda: "Abnormal NT thickening" in widget_text(answers), "the answers")
        text = widget_text(answers)
        assert "→ abnormal" in text
        assert "Good image quality → good" in text
        assert "? not understood: 18-200 weeks: impossible" in " ".join(text.split())
        assert "AC →" not in text, "nothing is said where an answer is read as what it says"


def test_a_small_pane_has_all_answers_before_any_reading_that_has_no_room(checked: Workspace) -> None:
    items = api.browse(checked, api.ImageQuery("fetal")).items
    details = api.image_details(checked, items[0].id)
    readings = api.image_readings(details)
    small = ["".join(text for text, _ in line) for line in answer_paragraphs(details, readings, 38, False)]
    assert [line[:2] for line in small[:8]] == [f"Q{n}" for n in range(1, 9)]
    assert any(line.startswith("Q5") and "not understood" in line for line in small[8:])
    large = ["".join(text for text, _ in line) for line in answer_paragraphs(details, readings, 60, True)]
    at = next(place for place, line in enumerate(large) if line.startswith("Q5"))
    assert "not understood" in large[at + 1]


# ----- the quality page


async def test_findings_by_severity_and_one_in_full(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        text = screen_text(pilot.app)
        assert "✗ 1 error · ! 6 warnings · ○ 3 notes" in text
        listed = [row.split()[1] for row in widget_text(pilot.app.screen.query_one("#findings")).splitlines()[1:8]]
        assert listed == ["error"] + ["warning"] * 6
        finding = pilot.app.screen.query_one("#finding", Lines)
        said = " ".join(widget_text(finding).replace("┃", " ").split())
        assert "8 pairs of near-duplicate images in different splits" in said
        assert "sonotune data split fetal" in said
        assert "Two frames of one examination" in said
        assert "count 8" in said
        assert "Abdomen/Abdomen_000.png (train)" in said
        await pilot.press("down")
        await until(pilot, lambda: "1 image blank" in widget_text(finding), "the next one")


async def test_enter_on_a_finding_goes_to_the_pane_that_lists_it_all(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        page = page_of(pilot)
        assert page.data is not None
        codes = [finding.code for finding in page.data.report.findings]
        wanted = {"near_duplicates_cross": "pairs", "blank": "images", "odd_Q5": "unusual", "few_abnormal": "labels"}
        for code, pane in wanted.items():
            await goes_to(pilot, "findings")
            page.query_one("#findings", Table).move_to_key(codes.index(code))
            await pilot.press("enter")
            await until(pilot, lambda pane=pane: page._pane == pane, f"{code} leads to {pane}")


async def test_panes_go_round_in_both_directions(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        page = page_of(pilot)
        for key, order in (("right_square_bracket", PANES[1:]), ("tab", PANES[:1])):
            for pane in order:
                await pilot.press(key)
                assert page._pane == pane
                assert page.focused is page.query_one(f"#{pane}")
        for key, pane in (("left_square_bracket", "images"), ("shift+tab", "readings")):
            await pilot.press(key)
            assert page._pane == pane
        await pilot.click("TabStrip", offset=(3, 0))
        await until(pilot, lambda: page._pane == "findings", "a click chooses one")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "back")


async def test_labels_by_view_the_nt_views_first(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "labels")
        labels = page_of(pilot).query_one("#labels", Lines)
        await until(pilot, lambda: "█" in widget_text(labels), "bars")
        heads = [row for row in widget_text(labels).splitlines() if row[:1].isalpha()]
        assert [row.split()[0] for row in heads] == ["all", "NT-View", "Standard_NT", "Abdomen", "Femur"]
        assert "normal                            60  90.9% █" in widget_text(labels)
        await pilot.press("b", "b", "b", "b", "b", "b")
        await until(pilot, lambda: "Q5 age" in line_of(pilot, "about"), "six questions on")
        await until(pilot, lambda: "18-200 weeks" in widget_text(labels), "its answers")
        await pilot.press("B")
        await until(pilot, lambda: "Q4 measures" in line_of(pilot, "about"), "one back")
        await goes_to(pilot, "pairs")
        assert "question" not in screen_text(pilot.app).splitlines()[-1], "no key without a meaning"


def test_many_answers_are_summed_up(checked: Workspace) -> None:
    report = api.quality_report(checked, "fetal")
    rows = tuple(
        replace(report.answers.distribution[0], question="Q1", canonical=f"organ {n}", count=n, by_view={"Femur": n})
        for n in range(1, 10)
    )
    report = replace(report, answers=replace(report.answers, distribution=rows))
    labels = view_labels(report, "Q1")
    femur = next(each for each in labels if each.view == "Femur")
    assert (femur.answered, femur.others, femur.on_others) == (45, 3, 6)
    assert femur.frequent[0] == ("organ 9", 9)
    text = "\n".join("".join(piece for piece, _ in line) for line in label_paragraphs(labels, 76))
    assert "3 other answers, on 6 images" in text
    assert "Femur  45 answers\n" in text, "more answers than images: nothing is said to be missing"
    assert "NT-View  0 answers · 16 unanswered" in text
    assert "Nobody has answered" in label_paragraphs(view_labels(report, "Q2"), 76)[0][0][0]


async def test_pairs_across_splits_come_first_and_enter_shows_both_images(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "pairs")
        page = page_of(pilot)
        table = page.query_one("#pairs", Table)
        signs = ["✗"] * 8 + [" "] * 8
        await until(pilot, lambda: [row[:1] for row in widget_text(table).splitlines()[1:17]] == signs, "the pairs")
        await until(
            pilot,
            lambda: "✗ 8 pairs across splits · 16 pairs in all" in line_of(pilot, "about"),
            "✗ 8 pairs across splits · 16 pairs in all",
        )
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PairScreen), "the pair")
        pairs = all_pairs(api.quality_report(checked, "fetal"))
        for key, place in (("right", 2), ("down", 3), ("l", 4), ("j", 5), ("left", 4), ("up", 3), ("h", 2), ("k", 1)):
            await pilot.press(key)
            pair = pairs[place]
            await until(pilot, lambda pair=pair: drawn(pilot) == [pair.path_a, pair.path_b], f"pair {place}")
            words = f"{place + 1} of 16 pairs"
            await until(pilot, lambda words=words: words in screen_text(pilot.app), words)
        await until(pilot, lambda: screen_text(pilot.app).count(DISCLAIMER) == 2, "both pictures")
        text = screen_text(pilot.app)
        assert "✗ test and train · near-duplicates, similarity 0.97" in text
        assert "test  Abdomen/Abdomen_012.png" in text
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is page, "back")
        assert table.cursor == 1, "the cursor is on the pair that was looked at last"
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PairScreen), "again")
        await pilot.press("left", "enter")
        await until(pilot, lambda: pilot.app.screen is page, "enter closes it too")


def drawn(pilot: Pilot[Any]) -> list[str]:
    return [each.drawn.path for each in pilot.app.screen.query(AskPicture) if each.drawn is not None]


def test_equal_images_are_called_so() -> None:
    pair = api.Pair("a.png", "b.png", Split.TRAIN, Split.TRAIN, 0, 1.0, exact=True)
    assert pair_pieces(pair) == [("both in train", "text"), ("equal, byte for byte", "text")]


async def test_strange_answers_lead_to_their_images(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "unusual")
        await shows(pilot, "near: follow up")
        text = screen_text(pilot.app)
        assert "! 2 answers cannot be read · 1 of one or two images" in text
        assert "a date where weeks belong" in text
        assert "Folow upp please" in text
        assert "near: follow up" in text
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "the list of images")
        assert images_of(pilot).query_one(FilterBar).value == 'Q5 = "18-200 weeks"'
        await until(pilot, lambda: len(images_of(pilot)._images.items) == 2, "both images that have it")


async def test_what_became_what_and_what_was_left_alone(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "readings")
        await until(pilot, lambda: "Q7 normality · 2 texts became 2 answers" in line_of(pilot, "about"), "Q7")
        await pilot.press("b", "b", "b", "b", "b", "b")
        words = "Q5 age · 3 texts became 1 answer · ? 2 left alone"
        await until(pilot, lambda: words in line_of(pilot, "about"), "Q5")
        rows = widget_text(page_of(pilot).query_one("#readings", Table)).splitlines()[1:4]
        assert rows[0].split()[:3] == ["?", "2", "18-200"]
        assert "left alone" in rows[0]
        assert "20-25" in rows[2].replace("20-25 weeks", "", 1)
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "its images")
        await until(pilot, lambda: len(images_of(pilot)._images.items) == 63, "all that have it")


async def test_images_that_cannot_be_used_lead_to_the_list(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "images")
        await until(
            pilot,
            lambda: "66 of 66 images decoded · 2 listed" in line_of(pilot, "about"),
            "66 of 66 images decoded · 2 listed",
        )
        await shows(pilot, "! blank      Femur/black.png")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen), "the list")
        await until(pilot, lambda: len(images_of(pilot)._images.items) == 1, "the image alone")
        assert images_of(pilot)._images.items[0].path == "Femur/black.png"


async def test_the_page_is_read_again_when_the_check_has_ended(unchecked: Workspace) -> None:
    async with quality(unchecked) as pilot:
        await shows(pilot, "16 images not checked yet")
        await goes_to(pilot, "pairs")
        await until(
            pilot,
            lambda: "no image has been compared yet: K checks them" in line_of(pilot, "about"),
            "no image has been compared yet: K checks them",
        )
        await goes_to(pilot, "images")
        await until(
            pilot, lambda: "! 16 not checked: K starts it" in line_of(pilot, "about"), "! 16 not checked: K starts it"
        )
        await pilot.press("K")
        await until(pilot, lambda: "16 of 16 images decoded" in line_of(pilot, "about"), "the new report")
        await goes_to(pilot, "pairs")
        await shows(pilot, "8 pairs in all")


async def test_a_dataset_that_is_damaged_says_so_on_every_pane(unchecked: Workspace) -> None:
    (unchecked.dataset("fetal") / "cases.arrow").write_bytes(b"x")
    async with quality(unchecked) as pilot:
        await shows(pilot, "cannot be used")
        await shows(pilot, "→ Import the dataset again")
        for pane in PANES:
            await goes_to(pilot, pane)
            if pane != "readings":  # they come from runs.db
                await pilot.press("enter")
            assert isinstance(pilot.app.screen, QualityScreen), "there is nothing to open"
        assert "looking for" not in line_of(pilot)
        await goes_to(pilot, "labels")
        labels = page_of(pilot).query_one("#labels", Lines)
        await until(pilot, lambda: "✗ The case file" in widget_text(labels), "in full")


async def test_a_check_whose_result_cannot_be_read_says_so_in_its_line(unchecked: Workspace) -> None:
    api.check_images(unchecked, "fetal")
    (unchecked.dataset("fetal") / "cases.arrow").write_bytes(b"x")
    async with dataset(unchecked, WIDE) as pilot:
        await until(pilot, lambda: "✓ 16 images checked · Q quality · ✗ The case file" in line_of(pilot), "why")


async def test_hostile_answers_and_paths_are_text(tmp_path: Path) -> None:
    names = ("[bold]x[/] [@click=app.quit]y[/]", "\x1b[31mred\x07", "שלום \u202egnp", "x" * 200)
    files = {f"[red]View[/red]/{name}.png": encoded(Image.new("L", (30, 30), n)) for n, name in enumerate(names)}
    same = dict.fromkeys(files, HOSTILE)
    workspace = dataset_of(tmp_path, files, Q1=same, Q5=same)
    api.check_images(workspace, "fetal")
    for size in (NARROW, WIDE, (40, 12)):
        async with quality(workspace, size) as pilot:
            for pane in PANES:
                await goes_to(pilot, pane)
                await pilot.pause()
                text = screen_text(pilot.app)
                assert not [character for character in text if ord(character) < 32 and character != "\n"]
                assert "\u202e" not in text
            await goes_to(pilot, "unusual")
            await pilot.press("enter")
            await shows(pilot, "cannot be written")


def test_reading_runs_without_a_screen(checked: Workspace) -> None:
    data = read_quality(checked, "fetal")
    assert {len(data.rows["pairs"]), len(data.pairs)} == {16}
    assert (data.root / data.pairs[0].path_a).is_file()
    found = read_readings(checked, "fetal", "Q8")
    assert (len(found.rows), found.meanings, found.left_alone) == (2, 2, 0)


async def test_the_help_names_every_key(checked: Workspace) -> None:
    async with quality(checked) as pilot:
        await goes_to(pilot, "labels")
        words = str(help_text(pilot.app.screen))
        for each in ("Decode every image in the background", "Next pane: findings", "Labels or readings of the next"):
            assert each in words


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_page_looks_as_it_did(size: tuple[int, int], checked: Workspace) -> None:
    async with quality(checked, size) as pilot:
        for pane, ready in READY.items():
            await goes_to(pilot, pane)
            await until(pilot, lambda ready=ready: ready(pilot), pane)
            compare(
                await settled(pilot, lambda: screen_text(pilot.app), 4),
                FOLDER / f"quality-{pane}-{size[0]}x{size[1]}.txt",
            )


READY: dict[str, Callable[[Pilot[Any]], object]] = {
    "findings": lambda pilot: "across splits" in line_of(pilot),
    "labels": lambda pilot: "█" in screen_text(pilot.app),
    "pairs": lambda pilot: "pairs in all" in line_of(pilot, "about"),
}
