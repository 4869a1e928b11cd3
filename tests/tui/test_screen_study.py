"""One study: its panes, its answers, its charts, the runs behind its cells, hostile text, both sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import study_result_helpers as results
from cli_helpers import control_characters, no_worker
from store_helpers import add_run
from study_screen_helpers import augmentation, cell, row, state
from test_snapshots import FOLDER, SIZES, compare
from textual.pilot import Pilot
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.store.writer import Writer
from engine.study.answering import WORDS
from engine.workspace import Workspace
from tui.screens import studies_data
from tui.screens.help import help_text
from tui.screens.run import RunScreen
from tui.screens.studies_model import StudyRow
from tui.screens.study import CELLS, PANES, StudyScreen
from tui.screens.study_answers import SIGNS, answers, difference_bar, mark, p_text, scale_limit
from tui.screens.study_cells import NARROW, CellsModel
from tui.screens.study_charts import charts
from tui.screens.study_field import Field, round_scale
from tui.screens.study_figures import figures
from tui.themes import palette
from tui.widgets.lines import Lines, Paragraph
from tui.widgets.table import Table
from tui.widgets.tabstrip import TabStrip

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Three runs, in which nothing is started."""
    found = Workspace(tmp_path)
    with no_worker(found), Writer.open(found) as writer:
        for number in (1, 2, 3):
            add_run(writer, f"augmentation none s{41 + number}")
        yield found


class Shown:
    """What the poller finds, and what is worked out, in place of the engine."""

    def __init__(self) -> None:
        self.row = augmentation()
        self.scales: list[str] = []
        self.worked_out: list[tuple[str, str]] = []

    def read_study(self, _workspace: Workspace, name: str, scale: str) -> StudyRow:
        self.scales.append(scale)
        found = self.row
        return found if found.state is None else replace(found, state=replace(found.state, scale=scale))

    def study_result(self, _workspace: Workspace, name: str, scale: str) -> api.StudyResult:
        self.worked_out.append((name, scale))
        self.row = replace(self.row, result=results.rich())
        return results.rich()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    found = Shown()
    monkeypatch.setattr(studies_data, "read_study", found.read_study)
    monkeypatch.setattr(api, "study_result", found.study_result, raising=False)
    return found


async def opened(pilot: Pilot[Any], found: StudyRow) -> StudyScreen:
    pilot.app.poller._poll = 0.02  # type: ignore[attr-defined]
    screen = StudyScreen(found)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and "Research only" in screen_text(pilot.app), "the study")
    return screen


def running(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> Any:
    return workbench(workspace).run_test(size=size, notifications=True)


def told(pilot: Pilot[Any]) -> str:
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


def plain(paragraphs: list[Paragraph]) -> str:
    return "\n".join("".join(text for text, _ in paragraph) for paragraph in paragraphs)


async def to_pane(pilot: Pilot[Any], screen: StudyScreen, name: str) -> None:
    for _ in PANES:
        if screen._pane == name:
            return
        await pilot.press("tab")
    raise AssertionError(name)


# ----- the panes


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_study_looks_as_it_did(workspace: Workspace, shown: Shown, size: tuple[int, int]) -> None:
    async with running(workspace, size) as pilot:
        await opened(pilot, shown.row)
        await until(pilot, lambda: "3 queued" in screen_text(pilot.app), "the status")
        await until(pilot, lambda: "0.002" in screen_text(pilot.app), "the answers")
        await pilot.pause(0.2)
        compare(screen_text(pilot.app), FOLDER / f"study-{size[0]}x{size[1]}.txt")


async def test_every_pane_by_keys_and_by_a_click(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        for key, words in (
            ("tab", "interval of th"),
            ("right_square_bracket", "majority_by_view"),
            ("tab", "samples/s"),
            ("tab", "AUROC by severity"),
            ("tab", "declared in the study file"),
            ("tab", "basic is better than none"),
            ("shift+tab", "declared in the study file"),
            ("left_square_bracket", "AUROC by severity"),
        ):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(pilot.app), f"{key}: {words}")
        await pilot.click(TabStrip, offset=(12, 0))
        await until(pilot, lambda: screen._pane == CELLS and "✓ done" in screen_text(pilot.app), "the cells")


async def test_in_a_wide_window_the_cells_stand_beside_the_answers(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace, (200, 50)) as pilot:
        await opened(pilot, shown.row)
        await until(pilot, lambda: "basic is better than none" in screen_text(pilot.app), "the answers")
        assert "advanced" in screen_text(pilot.app) and "✓ done" in screen_text(pilot.app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "✓ done" not in screen_text(pilot.app), "a narrow window has room for one")


async def test_what_must_be_known_first_stands_over_the_panes(workspace: Workspace, shown: Shown) -> None:
    found = row("layers", "Layer ablation", 3, ["done", "failed"], results.rich(), warnings=("Declared late.",))
    shown.row = found
    async with running(workspace, (100, 30)) as pilot:
        screen = await opened(pilot, found)
        await until(pilot, lambda: "! Declared late.  (+2: about)" in screen_text(pilot.app), "the first")
        await to_pane(pilot, screen, "about")
        await until(pilot, lambda: "out of memory" in screen_text(pilot.app), "why a cell failed")
        assert "The rule of decision was changed" in screen_text(pilot.app)
        assert "1/2 cells · 1 failed" in screen_text(pilot.app)


async def test_tables_are_turned_and_keep_their_place(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await pilot.press("t")
        assert screen.tables.place == 0, "the key acts among the tables alone"
        await to_pane(pilot, screen, "tables")
        await until(pilot, lambda: "Cost   1 of 2, t turns" in screen_text(pilot.app), "the first")
        assert "memory of the host" in screen_text(pilot.app)
        await pilot.press("t")
        await until(pilot, lambda: "Mean drop on degraded images   2 of 2" in screen_text(pilot.app), "the second")
        screen._show(replace(shown.row, result=replace(results.rich(), warnings=())))
        assert screen.tables.place == 1, "other figures leave it where it is"
        await pilot.press("T")
        await until(pilot, lambda: "samples/s" in screen_text(pilot.app), "back")


async def test_a_wide_table_is_scrolled(workspace: Workspace, shown: Shown) -> None:
    wide = api.StudyTable("wide", "Wide", "", tuple(f"column {n}" for n in range(20)),
                          (tuple(f"value {n}" for n in range(20)),))  # fmt: skip
    shown.row = replace(shown.row, result=replace(results.rich(), tables=(wide,)))
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await to_pane(pilot, screen, "tables")
        await until(pilot, lambda: "value 1" in screen_text(pilot.app), "its beginning")
        assert "value 19" not in screen_text(pilot.app)
        await pilot.press(*["right"] * 18)
        await until(pilot, lambda: "value 19" in screen_text(pilot.app), "its end")
        assert "value 0" in screen_text(pilot.app), "what names the row stays"


# ----- cells and runs


async def test_enter_opens_the_run_of_a_cell(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await pilot.press("enter")
        assert pilot.app.screen is screen, "among the answers there is nothing to open"
        await to_pane(pilot, screen, CELLS)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        await until(pilot, lambda: "Augmentation @demo › run 2" in screen_text(pilot.app), "of the second seed")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen, "back")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not screen, "back to where it was opened")


async def test_a_cell_without_a_run_says_why(workspace: Workspace, shown: Shown) -> None:
    cells = [cell("untuned one", "done", untuned=True, run_id=None), cell("new", "missing")]
    shown.row = StudyRow("x", state("x", "X", 1, cells))
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await to_pane(pilot, screen, CELLS)
        await pilot.press("enter")
        await until(pilot, lambda: "is the untuned model" in told(pilot), "nothing is trained")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "new, seed 42 has no run yet" in told(pilot), "not launched")
        assert "base" in screen_text(pilot.app) and "· missing" in screen_text(pilot.app)


def test_a_cell_shows_its_own_seed_in_the_interval_of_its_arm() -> None:
    model = CellsModel(lambda: palette("sonotune-dark"))
    model.show(augmentation(), results.rich())
    keys = [column.key for column in NARROW]
    cells = [model.row_cells(place, NARROW, [60] * len(NARROW)) for place in range(3)]
    texts = [dict(zip(keys, (text for text, _ in each), strict=True)) for each in cells]
    assert [each["figure"] for each in texts] == ["0.70", "0.71", "0.72"], "every seed is listed, none is picked"
    places = [each["interval"].index("●") for each in texts]
    assert places == sorted(places) and places[0] < places[2]
    assert {each["interval"].index("┤") for each in texts} == {texts[0]["interval"].index("┤")}


def test_a_running_cell_has_a_bar_and_a_failed_one_its_sign() -> None:
    model = CellsModel(lambda: palette("sonotune-dark"))
    model.show(row("x", "X", 1, ["running", "failed", "measuring"]), None)
    keys = [column.key for column in NARROW]
    cells = [model.row_cells(place, NARROW, [20] * len(NARROW)) for place in range(3)]
    running, failed, measuring = (dict(zip(keys, (text for text, _ in each), strict=True)) for each in cells)
    assert "42%" in running["state"] and "█" in running["state"]
    assert failed["state"] == "✗ failed" and failed["figure"] == ""
    assert measuring["measured"] == "1/3"


# ----- answers that are worked out


async def test_answers_are_worked_out_and_shown_without_waiting(workspace: Workspace, shown: Shown) -> None:
    shown.row = replace(shown.row, result=None)
    async with running(workspace) as pilot:
        await opened(pilot, shown.row)
        await until(pilot, lambda: "basic is better than none" in screen_text(pilot.app), "the answers come")
        assert shown.worked_out == [("augmentation", "demo")]


async def test_nothing_is_worked_out_before_something_is_measured(workspace: Workspace, shown: Shown) -> None:
    shown.row = row("x", "X", 1, ["queued", "missing"])
    async with running(workspace) as pilot:
        await opened(pilot, shown.row)
        await until(pilot, lambda: "L queues what is missing" in screen_text(pilot.app), "it says what to do")
        await pilot.pause(0.3)
        assert shown.worked_out == []


async def test_another_scale_shows_no_figure_of_this_one(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        shown.row = replace(row("augmentation", "Augmentation", 8, ["missing"]), result=None)
        await pilot.press("s")
        await until(pilot, lambda: shown.scales[-1] == "full", "the other scale is asked for")
        await until(pilot, lambda: "@full" in screen_text(pilot.app), "its name")
        await until(pilot, lambda: "basic is better" not in screen_text(pilot.app), "nothing is known of it")
        assert screen.result is None


async def test_the_report_says_where_its_files_are(
    workspace: Workspace, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[tuple[api.StudyResult, str]] = []

    def export_study(_workspace: Workspace, result: api.StudyResult, *, definition: str) -> Any:
        exported.append((result, definition))
        folder = workspace.root / "reports" / "study-augmentation-demo"
        return type("Exported", (), {"markdown": folder / "report.md", "html": folder / "report.html", "plots": (1, 2)})

    monkeypatch.setattr(api, "export_study", export_study, raising=False)
    async with running(workspace) as pilot:
        await opened(pilot, shown.row)
        await pilot.press("x")
        await until(pilot, lambda: "report.html" in told(pilot), "where they are")
        assert "2 plots" in told(pilot) and "not complete" not in told(pilot)
        [(result, definition)] = exported
        assert result == results.rich()
        assert definition == api.study_definition(workspace, "augmentation", "demo") and "[arms" in definition


async def test_without_anything_measured_there_is_no_report(workspace: Workspace, shown: Shown) -> None:
    shown.row = row("x", "X", 1, ["queued", "missing"])
    async with running(workspace) as pilot:
        await opened(pilot, shown.row)
        await pilot.press("x")
        await until(pilot, lambda: "nothing is measured yet" in told(pilot), "it says so")
        assert not (workspace.root / "reports").exists() and shown.worked_out == []


async def test_a_file_that_breaks_while_it_is_open_says_so(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        await opened(pilot, shown.row)
        shown.row = StudyRow("augmentation", None, problems=("seeds: found 0",))
        await until(pilot, lambda: "seeds: found 0" in screen_text(pilot.app), "its fault")
        for key in ("L", "p", "a", "x", "s", "tab", "tab", "tab", "tab", "tab"):
            await pilot.press(key)
        assert isinstance(pilot.app.screen, StudyScreen)


@pytest.mark.parametrize("size", [*SIZES, (40, 10)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_hostile_text_stays_text_in_every_pane(workspace: Workspace, shown: Shown, size: tuple[int, int]) -> None:
    cells = [cell(f"{results.HOSTILE} none", "failed", note=HOSTILE, trouble=HOSTILE)]
    hostile = state("evil", HOSTILE, 1, cells, question=HOSTILE, machine=HOSTILE, warnings=(HOSTILE,))
    shown.row = StudyRow("evil", hostile, results.hostile(), varies=(HOSTILE,), rules=(HOSTILE,))
    async with running(workspace, size) as pilot:
        screen = await opened(pilot, shown.row)
        for pane in PANES:
            await to_pane(pilot, screen, pane)
            await pilot.press("end", "home")
            await pilot.pause()
            text = screen_text(pilot.app)
            assert not control_characters(text) - {"\n"}, pane
            assert all(len(line) <= size[0] for line in text.split("\n")), pane


async def test_help_names_every_key(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await to_pane(pilot, screen, "tables")
        text = "\n".join("".join(piece for piece, _ in line) for line in help_text(screen))
        for name in ("back", "next_pane", "next_table", "launch", "plan", "arms", "report", "scale"):
            assert f"study.{name}" in text


# ----- words and drawings


def test_every_answer_has_its_mark_its_sentence_and_its_difference() -> None:
    text = plain(answers(results.rich(), 100))
    for words in (
        "✓ yes       basic is better than none",
        "≈ open      advanced and basic are not distinguishable",
        "? undecided Cannot be decided",
        "Q7 AUROC +0.12 (+0.07 to +0.17) n 240, p 0.002 of 4 tests",
        "p < 0.001 of 4 tests",
        "Q7 AUROC 0.84 (0.79 to 0.90) n 240",
        "from -0.50 to +0.50",
    ):
        assert words in text, words
    assert text.count("Does augmentation change the figure?") == 1, "what is asked of several arms stands once"


def test_every_word_has_a_sign_of_its_own_and_a_tone() -> None:
    whole = results.answers()
    worse = replace(whole[1], difference=results.difference(-0.2), holds=False, p_adjusted=0.01)
    found = (*whole, worse, replace(worse, difference=results.difference(0.2), holds=True),
             results.incomplete().answers[1])  # fmt: skip
    marks = {mark(answer) for answer in found}
    assert {text for text, _ in marks} == {
        "✓ yes", "✗ no", "▲ better", "▼ worse", "≈ open", "? undecided", "… waits",
    }  # fmt: skip
    assert "≈ not distinguishable" in {mark(answer, 160)[0] for answer in found}
    assert set(SIGNS) == set(WORDS) and len({character for character, _ in SIGNS.values()}) == len(WORDS)
    text = plain(answers(replace(results.rich(), answers=found), 160))
    assert "≈ not distinguishable advanced and basic" in text and "▼ worse               advanced" in text
    assert "≈ open: what cannot" in plain(answers(results.rich(), 97)), "a short word is explained"


def test_what_an_interval_is_held_against_stands_on_its_scale() -> None:
    worse = replace(results.answers()[3], bound=-0.25)
    assert difference_bar(worse, 0.5, 41)[10] == "╎"
    assert "╎" not in difference_bar(replace(worse, bound=-0.015), 0.5, 41), "the figure itself is not written over"
    assert "╎" not in difference_bar(replace(worse, bound=None), 0.5, 41)
    alone = results.answers()[6]
    assert difference_bar(alone, 0.5, 41)[32] == "╎", "of an arm alone, from 0 to 1"
    assert scale_limit([replace(worse, bound=-0.9)]) == 1.0, "a margin has room on the scale"
    assert "╎ is the margin or threshold" in plain(answers(results.rich(), 97))


def test_unfinished_studies_say_so_before_any_answer() -> None:
    text = plain(answers(results.incomplete(), 100))
    assert text.startswith("! Answers so far, not the last word. Missing: advanced, seed 44: training (+1 more)")
    assert "Waiting for advanced" in text


def test_bars_of_differences_share_a_scale_with_nothing_in_its_middle() -> None:
    found = results.answers()
    limit = scale_limit(found)
    assert limit == 0.5, "the first round end that has room for all"
    better, same = difference_bar(found[0], limit, 41), difference_bar(found[1], limit, 41)
    assert better[20] == "¦" and better.index("├") > 20, "an interval without nothing in it lies beside the middle"
    assert same.index("├") < 20 < same.index("┤")
    assert len(better) == 41 and len(difference_bar(found[0], limit, 40)) == 39, "an odd number has a middle"
    wide = replace(found[1], difference=results.difference(0.2, 0.4))
    assert difference_bar(wide, limit, 41)[20] == "┼", "an interval with nothing in it shows where it is"
    assert scale_limit(found[5:7]) == 0.05, "a figure of one arm alone is no difference"


def test_p_values_promise_no_more_than_they_hold() -> None:
    assert [p_text(p) for p in (0.0, 0.0004, 0.0421, 1.0)] == ["< 0.001", "< 0.001", "0.042", "1.000"]


def test_figures_show_seeds_references_and_marks() -> None:
    text = plain(figures(results.rich(), 120))
    assert "0.66–0.76   n 240  3 seeds ±0.010" in text
    assert "! collapsed" in text and "majority_by_view" in text
    assert "not measured yet" in plain(figures(results.incomplete(), 120))
    assert "No arm has been measured" in plain(figures(results.barely_begun(), 120))


@pytest.mark.parametrize("width", [40, 78, 97, 160])
def test_charts_fit_their_window(width: int) -> None:
    for result in (results.rich(), results.many_arms()):
        paragraphs = charts(result, width)
        drawn = [sum(len(text) for text, _ in line[:-1]) for line in paragraphs if len(line) > 1]
        assert max(drawn) <= max(width, 60)
        text = plain(paragraphs)
        assert "AUROC by severity" in text and "samples a second" in text
    assert "Alone and together" in plain(charts(results.rich(), width))


@pytest.mark.parametrize("width", [72, 78, 97, 160])
def test_rows_of_intervals_fit_however_long_their_figures_are(width: int) -> None:
    points = (api.Estimate(0.998, 0.996, 1.0, 160), api.Estimate(-0.123, -0.204, -0.0412, 12_160))
    series = tuple(
        replace(each, points=tuple(replace(point, estimate=points[place]) for point in each.points[:2]))
        for place, each in enumerate(results.forgetting_chart().series)
    )
    chart = replace(results.forgetting_chart(), note="", series=series)
    lines = plain(charts(replace(results.rich(), charts=(chart,)), width)).split("\n")[1:]
    assert any("0.996–1.00 n 160" in line for line in lines)
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) >= min(width, 98) - 1, "the bars take all of the room that there is"


def test_curves_have_a_letter_for_every_point_and_their_figures_below() -> None:
    text = plain(charts(replace(results.rich(), charts=results.charts()[:1]), 97))
    field = text.split(" a none")[0]
    assert [sum(line.count(letter) for line in field.split("\n")[2:-1]) for letter in "abc"] == [4, 4, 4]
    assert "0.85   0.83   0.81   0.79" in text


def test_bars_of_single_points_are_named_by_their_series_alone() -> None:
    one = replace(results.forgetting_chart(), series=tuple(
        replace(series, points=series.points[place : place + 1])
        for place, series in enumerate(results.forgetting_chart().series)
    ))  # fmt: skip
    text = plain(charts(replace(results.rich(), charts=(one,)), 97))
    assert text.count("one question alone") == 1 and "\n Q1\n" not in text
    assert "\n Q1\n" in plain(charts(replace(results.rich(), charts=(results.forgetting_chart(),)), 97))


def test_charts_of_a_panel_with_other_axes_say_so() -> None:
    speed = replace(results.scatter_chart(), panel="cost", y_label="balanced_accuracy")
    memory = replace(speed, name="memory", title="Against memory", x_label="GiB")
    text = plain(charts(replace(results.rich(), charts=(speed, memory)), 97))
    assert "cost   balanced accuracy by samples a second" in text
    assert "Against memory   balanced accuracy by GiB" in text


def test_points_that_lie_on_each_other_stand_beside_each_other() -> None:
    field = Field(3, 7, (0.0, 1.0), (0.0, 1.0))
    for letter in "abc":
        field.point(0.5, 0.5, letter)
    assert "".join(text for text, _ in field.row(1)) == "  bac  "
    field.line((0.0, 0.0), (1.0, 0.0))
    assert "".join(text for text, _ in field.row(2)) == " ····· "


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0.47, 0.85, (0.45, 0.85)), (0.0, 1.0, (0.0, 1.0)), (4.92, 5.0, (4.92, 5.0)), (120, 980, (100, 1000))],
)
def test_scales_end_at_round_figures(low: float, high: float, wanted: tuple[float, float]) -> None:
    assert round_scale(low, high) == pytest.approx(wanted)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0])
def test_a_scale_is_never_empty(value: float) -> None:
    low, high = round_scale(value, value)
    assert low <= value <= high and low < high


async def test_lines_of_the_answers_scroll_with_the_keys(workspace: Workspace, shown: Shown) -> None:
    async with running(workspace) as pilot:
        screen = await opened(pilot, shown.row)
        await until(pilot, lambda: "basic is better than none" in screen_text(pilot.app), "the answers")
        await until(pilot, lambda: screen.query_one("#alarms").size.height == 2, "all has its place")
        await pilot.pause(0.1)
        await pilot.press("end")
        await until(pilot, lambda: "therefore equal" in widget_text(screen.query_one("#answers", Lines)), "their end")
        assert screen.query_one(f"#{CELLS}", Table).display is False
