from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest
from chart_helpers import noisy_loss, texts
from rich.cells import cell_len
from rich.color import Color
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.pilot import Pilot

from tui.themes import CONTRAST, DARK, LIGHT, palette, themes
from tui.widgets.chart import Chart, Curve, Series, numerics
from tui.widgets.chart.frame import GUTTER
from tui.widgets.chart.view import FEWEST_STEPS

SIZE = (100, 30)
PLANNED = 1000


class ChartApp(App[None]):
    """Charts above each other, kept together as a screen would."""

    CSS = "Chart { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "note('escape')", "Back"),
        Binding("left", "note('left')", "Left"),
    ]

    def __init__(self, *charts: Chart, theme: str = DARK) -> None:
        super().__init__()
        for each in themes():
            self.register_theme(each)
        self.theme = theme
        self.charts = charts
        self.heard: list[Chart.RangeChanged | Chart.CursorMoved] = []
        self.notes: list[str] = []

    def compose(self) -> ComposeResult:
        yield from self.charts

    def action_note(self, what: str) -> None:
        self.notes.append(what)

    def on_chart_range_changed(self, message: Chart.RangeChanged) -> None:
        self.heard.append(message)
        for chart in self.charts:
            chart.set_range(message.first, message.last, message.chart)

    def on_chart_cursor_moved(self, message: Chart.CursorMoved) -> None:
        self.heard.append(message)
        for chart in self.charts:
            chart.set_cursor(message.step, message.chart)


def filled(count: int = 600, *, label: str = "train loss", title: str = "loss") -> tuple[Chart, Curve]:
    """A chart of a run that has written so many steps."""
    curve = Curve("loss", label)
    if count:
        curve.extend(*noisy_loss(count, seed=1))
    chart = Chart(title, planned=PLANNED, glyphs="braille")
    chart.set_series([Series(curve, 0, shadow=True)])
    return chart, curve


def lines(chart: Chart) -> list[str]:
    return texts([chart.render_line(y) for y in range(chart.size.height)])


def colours(chart: Chart) -> set[Color | None]:
    """Those of all characters; the ground is the widget's."""
    segments = (segment for y in range(chart.size.height) for segment in chart.render_line(y))
    return {segment.style.color for segment in segments if segment.style is not None}


@contextmanager
def refreshed(chart: Chart, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Region, ...]]]:
    """The regions of every refresh that the chart asks for; an empty tuple is all of it."""
    calls: list[tuple[Region, ...]] = []
    original = chart.refresh
    with monkeypatch.context() as patch:
        patch.setattr(chart, "refresh", lambda *regions, **options: calls.append(regions) or original(*regions))
        yield calls


async def wheel(pilot: Pilot[None], chart: Chart, x: int, event: type[events.MouseEvent]) -> None:
    region = chart.content_region
    chart.post_message(event(chart, x, 5, 0, 0, 0, False, False, False, region.x + x, region.y + 5))
    await pilot.pause()


async def test_it_shows_a_legend_axes_and_a_line() -> None:
    chart, _ = filled()
    async with ChartApp(chart).run_test(size=SIZE):
        shown = lines(chart)
        assert "loss" in shown[0]
        assert "━ train loss 0." in shown[0]
        assert shown[0].rstrip().endswith("EMA 0.98")
        assert any("┤" in line for line in shown)
        assert shown[-2].startswith(" " * (GUTTER - 1) + "└")
        assert shown[-1].split()[:2] == ["step", "0"]
        assert sum("⠀" <= character <= "⣿" for line in shown for character in line) > 200


@pytest.mark.parametrize(
    "size", [(1, 1), (3, 2), (19, 5), (20, 4), (20, 5), (21, 6), (40, 10), (80, 24), (200, 50), (300, 9), (20, 60)]
)
async def test_lines_fit_any_size_and_every_segment_has_a_style(size: tuple[int, int]) -> None:
    hostile = "[bold]\x1b[31m\u202eé日本語🎉" + "x" * 500
    chart, curve = filled(label=hostile, title=hostile)
    chart.set_series([Series(curve, place, shadow=place == 4, label=hostile) for place in range(5)])
    async with ChartApp(chart).run_test(size=size) as pilot:
        for key in ("none", "l", "x", "plus"):
            await pilot.press(key)
            strips = [chart.render_line(y) for y in range(chart.size.height)]
            for strip in strips:
                assert sum(cell_len(segment.text) for segment in strip) == size[0]
                assert all(segment.style is not None for segment in strip)
                assert not {"\x1b", "\u202e", "\n"} & set(strip.text)
        if size[0] < 20 or size[1] < 5:
            assert "too small"[: size[0] - 1] in "\n".join(texts(strips)), "it says so as well as it can"


async def test_it_waits_for_the_first_step() -> None:
    chart, curve = filled(0)
    async with ChartApp(chart).run_test(size=SIZE):
        assert "waiting for the first step" in "\n".join(lines(chart))
        chart.empty_text = "queued"
        assert "queued" in "\n".join(lines(chart))
        curve.extend([1], [2.0])
        chart.update()
        assert "queued" not in "\n".join(lines(chart))
        assert "train loss 2.0" in lines(chart)[0]


async def test_an_update_repaints_a_few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, curve = filled(600)
    async with ChartApp(chart).run_test(size=SIZE):
        with refreshed(chart, monkeypatch) as calls:
            for step in range(601, 641, 2):
                curve.extend([step, step + 1], [0.3, 0.31])
                chart.update()
        assert len(calls) == 20
        assert all(calls), "none of them repaints everything"
        assert np.mean([sum(region.area for region in regions) for regions in calls]) <= 15


async def test_an_update_without_news_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, _ = filled()
    async with ChartApp(chart).run_test(size=SIZE):
        with refreshed(chart, monkeypatch) as calls:
            chart.update()
        assert calls == []


async def test_title_unit_and_planned_steps_can_change() -> None:
    chart, _ = filled()
    async with ChartApp(chart).run_test(size=SIZE):
        chart.title, chart.unit, chart.planned = "gradient norm", "L2", 20_000
        assert lines(chart)[0].startswith("▌gradient norm L2")
        assert "20k" in lines(chart)[-1]
        chart.planned = None
        assert "20k" not in lines(chart)[-1]


async def test_zooming_by_keys_keeps_the_middle_and_tells() -> None:
    chart, _ = filled(1000)
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("plus")
        assert chart.plot.view.range == pytest.approx((150, 850))
        assert "150–850" in lines(chart)[0]
        await pilot.press("equals_sign", "minus")
        assert chart.plot.view.range == pytest.approx((150, 850))
        await pilot.press("minus")
        assert chart.plot.view.window is None
        await pilot.press("plus", "0")
        assert [(message.first, message.last) for message in app.heard][-2:] == [(150, 850), (None, None)]
        await pilot.press("plus", "home")
        assert chart.plot.view.window is None


async def test_zooming_in_early_in_a_run_stays_with_the_data() -> None:
    chart, _ = filled(20)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        for _ in range(12):
            await pilot.press("plus")
            first, last = chart.plot.view.range
            assert first <= 20 <= last
        for _ in range(30):
            await pilot.press("plus")
        assert chart.plot.view.span == pytest.approx(FEWEST_STEPS)


async def test_the_value_axis_follows_what_is_in_view() -> None:
    curve = Curve("loss")
    curve.extend(range(1001), [9.0] * 500 + [1.0, 1.1, 1.05] * 167)
    chart = Chart("loss", planned=PLANNED, glyphs="braille")
    chart.set_series([Series(curve, points=False)])
    async with ChartApp(chart).run_test(size=SIZE):
        assert any(line.strip().startswith("10") or " 8┤" in line for line in lines(chart))
        chart.set_range(600, 900)
        labels = [line[:GUTTER] for line in lines(chart) if "┤" in line]
        assert all(0.9 < float(label.strip("┤ ")) < 1.2 for label in labels)


async def test_the_window_moves_by_keys_within_the_steps() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.press("plus", "right")
        assert chart.plot.view.range == pytest.approx((220, 920))
        await pilot.press("left", "left")
        assert chart.plot.view.range == pytest.approx((80, 780))
        await pilot.press("shift+right")
        assert chart.plot.view.range == pytest.approx((300, 1000))
        await pilot.press("shift+left")
        assert chart.plot.view.range == pytest.approx((0, 700))


async def test_keys_that_would_do_nothing_are_left_to_others() -> None:
    chart, _ = filled()
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("left", "escape")
        assert app.notes == ["left", "escape"]
        await pilot.press("x", "left", "escape")
        assert app.notes == ["left", "escape"]
        assert chart.plot.cursor is None
        await pilot.press("escape")
        assert app.notes == ["left", "escape", "escape"]


async def test_a_zoomed_chart_follows_the_newest_steps() -> None:
    chart, curve = filled(200)
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        chart.set_range(100, 200)
        await pilot.press("f")
        assert "follow" in lines(chart)[0]
        for step in range(201, 402):
            curve.extend([step], [0.3])
            chart.update()
        await pilot.pause()
        first, last = chart.plot.view.range
        assert first <= 401 <= last
        leaps = [message for message in app.heard if isinstance(message, Chart.RangeChanged)]
        assert 6 <= len(leaps) <= 10
        await pilot.press("f")
        assert "follow" not in lines(chart)[0]


async def test_the_cursor_reads_every_series() -> None:
    chart, curve = filled(1000)
    scores = Curve("eval_loss", "eval loss")
    scores.extend([300, 600, 900], [0.31, 0.2, 0.1])
    chart.set_series([Series(curve, 0, shadow=True), Series(scores, 1, points=True)])
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("x")
        assert chart.plot.cursor == 1000
        await pilot.press("shift+left", "left")
        step = chart.plot.cursor
        assert step is not None
        assert 860 < step < 900
        legend = lines(chart)[0]
        index = curve.index_at(step)
        assert f"step {step}" in legend
        assert f"{curve.ema(0.98)[index]:.4f}"[:5] in legend
        assert f"({curve.values[index]:.4g}"[:5] in legend
        assert "0.2000 @600" in legend
        assert any("┊" in line for line in lines(chart))
        moved = [message.step for message in app.heard if isinstance(message, Chart.CursorMoved)]
        assert moved[0] == 1000
        assert moved[-1] == step
        await pilot.press("x")
        assert chart.plot.cursor is None
        assert not any("┊" in line for line in lines(chart))


async def test_the_cursor_goes_step_by_step_where_steps_are_far_apart_and_takes_the_window_along() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        chart.set_range(500, 520)
        await pilot.press("x")
        assert chart.plot.cursor == 520
        await pilot.press("right")
        assert chart.plot.cursor == 521
        assert chart.plot.view.range == pytest.approx((501, 521))
        await pilot.press("left")
        assert chart.plot.cursor == 520


async def test_a_cursor_before_the_first_point_reads_nothing() -> None:
    chart, curve = filled(1000)
    late = Curve("eval_loss", "eval loss")
    late.extend([900], [0.1])
    chart.set_series([Series(curve, 0), Series(late, 1, points=True)])
    async with ChartApp(chart).run_test(size=SIZE):
        chart.set_cursor(100)
        assert "eval loss –" in lines(chart)[0]


async def test_a_logarithmic_axis_says_what_it_leaves_out() -> None:
    chart, curve = filled(0)
    curve.extend(range(1, 101), [0.0, -1.0, *np.geomspace(10, 0.01, 98)])
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        assert "≤ 0" not in lines(chart)[0]
        await pilot.press("l")
        assert "2 ≤ 0" in lines(chart)[0]
        assert " log" in lines(chart)[0]
        labels = [float(line[:GUTTER].strip("┤ ")) for line in lines(chart) if "┤" in line]
        assert 0.01 <= min(labels) < 0.1
        assert min(labels) * 100 <= max(labels)
        await pilot.press("l")
        assert " log" not in lines(chart)[0]


async def test_only_values_below_zero_leave_a_logarithmic_axis_empty() -> None:
    chart, curve = filled(0)
    curve.extend(range(1, 101), [-1.0] * 100)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.press("l")
        assert "100 ≤ 0" in lines(chart)[0]


async def test_gaps_are_counted_and_a_nan_is_shown() -> None:
    chart, curve = filled(100)
    curve.extend([101, 102], [math.nan, math.inf])
    async with ChartApp(chart).run_test(size=SIZE):
        assert "train loss NaN" in lines(chart)[0]
        assert "2 NaN" in lines(chart)[0]


async def test_smoothing_goes_round() -> None:
    chart, curve = filled()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        seen = []
        for _ in range(4):
            await pilot.press("e")
            seen.append(lines(chart)[0].rstrip().rpartition("  ")[2])
        assert seen == ["EMA 0.995", "raw", "EMA 0.9", "EMA 0.98"]
        await pilot.press("e", "e")
        assert f"{curve.last:.4g}"[:5] in lines(chart)[0]


async def test_a_smooth_series_shows_its_average_alone() -> None:
    chart, curve = filled()
    chart.set_series([Series(curve, 0, smooth=True)])
    async with ChartApp(chart).run_test(size=SIZE):
        assert palette(DARK).series[0].color in colours(chart)
        assert palette(DARK).shadow[0].color not in colours(chart)


async def test_the_wheel_zooms_at_the_pointer() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        x = GUTTER + 20
        before = chart.plot.scale.step(20)
        await wheel(pilot, chart, x, events.MouseScrollUp)
        assert chart.plot.view.span == pytest.approx(700)
        assert chart.plot.scale.step(20) == pytest.approx(before, abs=3)
        await wheel(pilot, chart, x, events.MouseScrollDown)
        assert chart.plot.view.window is None


async def test_dragging_moves_the_window_and_is_no_click() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.press("plus")
        await pilot.mouse_down(chart, offset=(60, 10))
        await pilot.hover(chart, offset=(50, 10))
        await pilot.mouse_up(chart, offset=(50, 10))
        shift = 10 * chart.plot.scale.cell_steps
        assert chart.plot.view.range == pytest.approx((150 + shift, 850 + shift))
        assert chart.plot.cursor is None


async def test_a_click_starts_the_cursor_and_another_one_there_leaves_it() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.click(chart, offset=(GUTTER + 40, 10))
        assert chart.plot.cursor is not None
        assert chart.plot.scale.cell(chart.plot.cursor) == 40
        await pilot.click(chart, offset=(GUTTER + 50, 10))
        assert chart.plot.scale.cell(chart.plot.cursor) == 50
        await pilot.click(chart, offset=(GUTTER + 50, 12))
        assert chart.plot.cursor is None
        await pilot.click(chart, offset=(2, 10))
        assert chart.plot.cursor is None, "beside the plot"


async def test_charts_of_a_screen_keep_the_same_steps_and_cursor() -> None:
    one, _ = filled(1000)
    two, _ = filled(0, title="eval")
    app = ChartApp(one, two)
    async with app.run_test(size=SIZE) as pilot:
        one.focus()
        await pilot.press("plus", "plus", "right", "x", "left")
        await pilot.pause()
        assert two.plot.view.window == one.plot.view.window
        assert two.plot.cursor == one.plot.cursor
        assert {message.chart for message in app.heard} == {one}, "a chart that is told says nothing"
        await pilot.press("0", "escape")
        await pilot.pause()
        assert (two.plot.view.window, two.plot.cursor) == (None, None)


async def test_set_range_without_an_end_goes_to_the_end() -> None:
    chart, _ = filled(1000)
    async with ChartApp(chart).run_test(size=SIZE):
        chart.set_range(400, None)
        assert chart.plot.view.range == (400, 1000)
        chart.set_range(None, None)
        assert chart.plot.view.window is None
        chart.set_range(1, 2, origin=chart)
        assert chart.plot.view.window is None


async def test_another_theme_gives_other_colours() -> None:
    chart, _ = filled()
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        for theme in (LIGHT, CONTRAST, DARK):
            app.theme = theme
            await pilot.pause()
            expected = palette(theme).series[0], palette(theme).shadow[0], palette(theme).dim
            assert {style.color for style in expected} <= colours(chart)


async def test_without_colour_lines_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    chart, curve = filled(600)
    other = Curve("loss", "other")
    other.extend(range(1, 301), [1.5] * 300)
    chart.set_series([Series(curve, 0, shadow=True), Series(other, 1)])
    app = ChartApp(chart)
    async with app.run_test(size=SIZE):
        shown = lines(chart)
        assert "━1 train loss" in shown[0]
        assert "━2 other" in shown[0]
        plot = "".join(line[GUTTER:] for line in shown[1:-2])
        assert (plot.count("1"), plot.count("2")) == (1, 1)
        assert app.export_screenshot(), "Textual's filter for NO_COLOR takes all segments"


async def test_the_focus_is_marked() -> None:
    one, _ = filled()
    two, _ = filled()
    async with ChartApp(one, two).run_test(size=SIZE) as pilot:
        one.focus()
        await pilot.pause()
        assert [lines(chart)[0][0] for chart in (one, two)] == ["▌", " "]
        two.focus()
        await pilot.pause()
        assert [lines(chart)[0][0] for chart in (one, two)] == [" ", "▌"]


async def test_a_hidden_chart_draws_when_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, curve = filled(600)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        chart.display = False
        await pilot.pause()
        drawn: list[int] = []
        original = chart.plot.draw
        monkeypatch.setattr(chart.plot, "draw", lambda *args, **options: drawn.append(1) or original(*args, **options))
        curve.extend([601], [0.5])
        chart.update()
        assert drawn == []
        chart.display = True
        await pilot.pause()
        assert drawn
        curve.extend([602], [math.nan])
        chart.update()
        assert "NaN" in lines(chart)[0]


async def test_numpy_is_loaded_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    ready: list[bool] = []
    monkeypatch.setattr(numerics, "loaded", lambda: bool(ready))
    monkeypatch.setattr(numerics, "load", lambda: ready.append(True))
    chart, _ = filled(600)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.app.workers.wait_for_complete()
        assert ready == [True]
        assert "train loss 0." in lines(chart)[0]


async def test_without_numpy_a_chart_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "loaded", lambda: False)
    chart, _ = filled(600)
    async with ChartApp(chart).run_test(size=SIZE):
        chart.update()
        assert "waiting for the first step" in "\n".join(lines(chart))


async def test_many_series_are_counted_where_they_do_not_fit() -> None:
    chart, curve = filled(600)
    chart.set_series([Series(curve, place, label=f"run number {place}") for place in range(5)])
    async with ChartApp(chart).run_test(size=(60, 20)):
        legend = lines(chart)[0]
        assert "+2" in legend
        assert legend.count("━ run") == 3, "no value without a label"


def test_every_key_has_an_id_a_tooltip_and_a_description() -> None:
    bindings = [binding for binding in Chart.BINDINGS if isinstance(binding, Binding)]
    assert len(bindings) == len(Chart.BINDINGS) > 10
    assert all(binding.id and binding.id.startswith("chart.") and binding.tooltip for binding in bindings)
    assert len({binding.id for binding in bindings}) == len(bindings)
    assert all(hasattr(Chart, f"action_{binding.action.partition('(')[0]}") for binding in bindings)
