from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from chart_helpers import PALETTE, plot_of, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets.chart.canvas import Canvas
from tui.widgets.chart.columns import Columns, columns_grown, columns_of
from tui.widgets.chart.cursor import moved_step, nearest_step
from tui.widgets.chart.curves import Curve
from tui.widgets.chart.glyphs import BLOCK, BRAILLE, Glyphs, glyphs_of
from tui.widgets.chart.plot import Plot
from tui.widgets.chart.raster import Scale, Spans, codes_of, codes_renewed, spans_of
from tui.widgets.chart.series import Series

values = st.one_of(st.floats(-100, 100), st.just(math.nan))
points = st.dictionaries(st.integers(0, 300), values, max_size=60).map(lambda found: sorted(found.items()))
views = st.tuples(st.integers(-20, 320), st.integers(1, 300)).map(lambda pair: (float(pair[0]), float(sum(pair))))
widths = st.integers(2, 60)
NAMES = ("begin", "position", "first", "last", "low", "high")


def arrays(points: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([step for step, _ in points], np.int64), np.array([value for _, value in points], float)


def column_of(step: int, view: tuple[float, float], width: int) -> int:
    """By the definition: the nearest dot column, the later one half way between two."""
    return math.floor((step - view[0]) / ((view[1] - view[0]) / (width - 1)) + 0.5)


@settings(deadline=None)
@given(points, views, widths)
def test_columns_equal_those_found_point_by_point(
    points: list[tuple[int, float]], view: tuple[float, float], width: int
) -> None:
    columns = columns_of(*arrays(points), view, width)
    expected: dict[int, list[float]] = {}
    for step, value in points:
        exact = (step - view[0]) / ((view[1] - view[0]) / (width - 1)) + 0.5
        if abs(exact - round(exact)) < 1e-6:
            return  # on the edge of two columns either is right
        place = column_of(step, view, width)
        if 0 <= place < width:
            expected.setdefault(place, []).append(value)
    inside = columns.inside
    assert columns.position[inside].tolist() == list(expected)
    for found, group in zip(
        zip(*(getattr(columns, name)[inside] for name in NAMES[2:]), strict=True), expected.values(), strict=True
    ):
        known = [value for value in group if not math.isnan(value)]
        least, greatest = (min(known), max(known)) if known else (math.nan, math.nan)
        np.testing.assert_array_equal(found, (group[0], group[-1], least, greatest))


@settings(deadline=None)
@given(points, views, widths)
def test_the_next_points_outside_of_the_view_are_known(
    points: list[tuple[int, float]], view: tuple[float, float], width: int
) -> None:
    columns = columns_of(*arrays(points), view, width)
    outside = [place for place in columns.position.tolist() if not 0 <= place < width]
    before = [value for _, value in points[: columns.start]]
    after = [value for _, value in points[columns.stop :]]
    assert len(outside) == bool(before) + bool(after)
    if before:
        assert columns.position[0] < 0
        np.testing.assert_equal(columns.last[0], before[-1])
    if after:
        assert columns.position[-1] >= width
        np.testing.assert_equal(columns.first[-1], after[0])


@settings(deadline=None)
@given(points, views, widths, st.lists(st.integers(1, 20), max_size=6))
def test_columns_that_grew_equal_those_made_at_once(
    points: list[tuple[int, float]], view: tuple[float, float], width: int, sizes: list[int]
) -> None:
    steps, series = arrays(points)
    count, columns = 0, columns_of(steps[:0], series[:0], view, width)
    for size in [*sizes, len(points)]:
        count = min(count + size, len(points))
        columns = columns_grown(columns, steps[:count], series[:count], view, width)
        at_once = columns_of(steps[:count], series[:count], view, width)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(columns, name), getattr(at_once, name))
        assert (columns.start, columns.stop, columns.inside) == (at_once.start, at_once.stop, at_once.inside)


def test_columns_stay_the_same_object_when_only_points_out_of_view_come() -> None:
    steps, series = np.arange(100), np.ones(100)
    columns = columns_of(steps[:60], series[:60], (10.0, 50.0), 20)
    assert columns_grown(columns, steps, series, (10.0, 50.0), 20) is columns


def spans(points: list[tuple[int, float]], view: tuple[float, float], width: int, dots: int = 40) -> Spans:
    columns = columns_of(*arrays(points), view, width)
    return spans_of(columns, Scale(-100, 100, False, dots), width, 2)


@settings(deadline=None)
@given(points, views, st.integers(1, 30).map(lambda half: 2 * half))
def test_every_value_in_view_is_a_dot(points: list[tuple[int, float]], view: tuple[float, float], width: int) -> None:
    columns = columns_of(*arrays(points), view, width)
    scale = Scale(-100, 100, False, 40)
    found = spans_of(columns, scale, width, 2)
    inside = columns.inside
    for place, low, high in zip(columns.position[inside], columns.low[inside], columns.high[inside], strict=True):
        if not math.isnan(low):
            assert found.top[place] <= math.floor(scale.row(float(high)) + 0.5)
            assert found.bottom[place] >= math.floor(scale.row(float(low)) + 0.5)


@settings(deadline=None)
@given(points, views, st.integers(1, 30).map(lambda half: 2 * half))
def test_a_line_without_gaps_has_no_holes(
    points: list[tuple[int, float]], view: tuple[float, float], width: int
) -> None:
    """Within the first and the last column neighbouring columns touch, at least at a corner."""
    points = [(step, 0.0 if math.isnan(value) else value) for step, value in points]
    found = spans(points, view, width)
    drawn = np.flatnonzero(found.top <= found.bottom)
    if len(points) < 2:
        return
    assert drawn.tolist() == list(range(drawn[0], drawn[-1] + 1)) if len(drawn) else True
    for left, right in pairwise(drawn.tolist()):
        assert found.top[right] <= found.bottom[left] + 1
        assert found.top[left] <= found.bottom[right] + 1


def test_a_gap_is_not_bridged() -> None:
    found = spans([(0, 10.0), (10, 10.0), (20, math.nan), (30, 10.0), (39, 10.0)], (0.0, 39.0), 40)
    drawn = np.flatnonzero(found.top <= found.bottom)
    assert drawn.tolist() == [*range(11), *range(30, 40)]


def test_a_line_goes_on_to_the_points_outside_of_the_view() -> None:
    found = spans([(0, -100.0), (1000, 100.0)], (400.0, 600.0), 40)
    assert np.all(found.top <= found.bottom)
    assert found.bottom[0] > found.top[-1]
    assert (found.top[0], found.bottom[-1]) == (23, 16)


def test_a_value_that_stands_alone_is_four_dots() -> None:
    found = spans([(5, math.nan), (10, 0.0), (15, math.nan)], (0.0, 39.0), 40)
    assert np.flatnonzero(found.top <= found.bottom).tolist() == [10, 11]
    assert (found.bottom - found.top)[[10, 11]].tolist() == [1, 1]


def test_values_beyond_the_axis_are_marked_at_its_edge() -> None:
    found = spans([(0, 0.0), (1, 150.0), (2, 0.0), (3, -150.0)], (0.0, 3.0), 4)
    assert found.above.tolist() == [False, True, False, False]
    assert found.below.tolist() == [False, False, False, True]


def test_rows_of_a_logarithmic_axis() -> None:
    scale = Scale(0.01, 100, True, 41)
    assert scale.rows(np.array([100, 1, 0.01])).tolist() == pytest.approx([0, 20, 40])
    assert scale.row(10) == pytest.approx(10)


heights = st.integers(1, 8)
rows = st.integers(-10, 40)


@pytest.mark.parametrize("glyphs", [BRAILLE, BLOCK])
@settings(deadline=None)
@given(tops=st.lists(st.tuples(rows, rows), min_size=2, max_size=12), height=heights)
def test_cells_show_exactly_the_dots_of_the_spans(glyphs: Glyphs, tops: list[tuple[int, int]], height: int) -> None:
    tops = tops[: len(tops) // glyphs.across * glyphs.across]
    top, bottom = np.array([pair[0] for pair in tops]), np.array([pair[1] for pair in tops])
    codes = codes_of(top, bottom, glyphs, height)
    for row, column in np.ndindex(height * glyphs.down, len(tops)):
        bit = glyphs.bits[column % glyphs.across][row % glyphs.down]
        is_set = bool(codes[row // glyphs.down, column // glyphs.across] & bit)
        assert is_set == (top[column] <= row <= bottom[column])


pairs = st.lists(st.tuples(rows, rows), min_size=12, max_size=12)


@settings(deadline=None)
@given(pairs, pairs, st.lists(st.booleans(), min_size=12, max_size=12))
def test_renewed_cells_equal_those_made_at_once(
    before: list[tuple[int, int]], after: list[tuple[int, int]], kept: list[bool]
) -> None:
    after = [old if keep else new for old, new, keep in zip(before, after, kept, strict=True)]
    nowhere = np.zeros(12, np.bool_)
    old, new = (Spans(*np.array(each).T, nowhere, nowhere) for each in (before, after))
    codes = codes_of(old.top, old.bottom, BRAILLE, 5)
    copy = codes.copy()
    renewed = codes_renewed(codes, old, new, BRAILLE)
    np.testing.assert_array_equal(renewed, codes_of(new.top, new.bottom, BRAILLE, 5))
    np.testing.assert_array_equal(codes, copy)


def curve_of(points: dict[int, float], name: str = "loss") -> Curve:
    curve = Curve(name)
    curve.extend(list(points), list(points.values()))
    return curve


def test_the_last_series_owns_the_cells_that_it_touches() -> None:
    flat = dict.fromkeys(range(100), 1.0)
    below, above = Series(curve_of(flat), 0), Series(curve_of(flat), 1)
    lines = plot_of(below, above, planned=99).draw(60, 20, PALETTE)
    colours = {segment.style for line in lines[1:18] for segment in line if set(segment.text) - set(" ┈│┤")}
    assert PALETTE.series[1] in colours
    assert PALETTE.series[0] not in colours


def test_raw_values_lie_behind_every_line() -> None:
    random = np.random.default_rng(0)
    noisy = {step: float(value) for step, value in enumerate(random.uniform(0, 1, 400))}
    flat = Series(curve_of(dict.fromkeys(range(400), 0.5)), 1)
    lines = plot_of(flat, Series(curve_of(noisy), 0, shadow=True), planned=399).draw(60, 20, PALETTE)
    styles = [segment.style for line in lines[1:18] for segment in line for _ in segment.text]
    assert styles.count(PALETTE.shadow[0]) > 200
    assert styles.count(PALETTE.series[0]) + styles.count(PALETTE.series[1]) >= 50


def test_points_are_marked_and_joined() -> None:
    lines = texts(
        plot_of(Series(curve_of({0: 1.0, 50: 2.0, 99: 1.5}), 0, points=True), planned=99).draw(60, 20, PALETTE)
    )
    plot = "".join(lines[1:18])
    assert plot.count("●") == 3
    assert sum("⠀" <= character <= "⣿" for character in plot) > 40


def test_many_points_are_a_line() -> None:
    many = {step: float(step) for step in range(200)}
    lines = texts(plot_of(Series(curve_of(many), 0, points=True), planned=199).draw(60, 20, PALETTE))
    assert "●" not in "".join(lines[1:18])


def test_outliers_are_marked_in_the_edge_row() -> None:
    random = np.random.default_rng(0)
    noisy = {step: float(value) for step, value in enumerate(random.uniform(1, 2, 2000))}
    noisy |= {700: 90.0, 1400: -90.0}
    lines = texts(plot_of(Series(curve_of(noisy), 0, shadow=True), planned=1999).draw(60, 20, PALETTE))
    assert lines[1].count("▴") == 1
    assert lines[17].count("▾") == 1


def test_a_console_without_braille_gets_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, glyphs in (("linux", BLOCK), ("xterm-256color", BRAILLE), ("screen-256color", BRAILLE)):
        monkeypatch.setenv("TERM", name)
        assert glyphs_of("auto") is glyphs
    assert (glyphs_of("block"), glyphs_of("braille")) == (BLOCK, BRAILLE)


def test_blocks_and_dots_draw_the_same_chart_without_braille() -> None:
    random = np.random.default_rng(0)
    noisy = {step: float(value) for step, value in enumerate(random.uniform(1, 2, 2000))}
    plot = plot_of(Series(curve_of(noisy), 0, shadow=True), planned=1999)
    plot.glyphs = BLOCK
    drawn = "".join(texts(plot.draw(60, 20, PALETTE)))
    assert not any("\u2800" <= character <= "\u28ff" for character in drawn)
    assert drawn.count("·") > 100
    assert sum(drawn.count(each) for each in "▀▄█") > 40


def test_the_cursor_goes_behind_the_dots() -> None:
    canvas = Canvas(3, 2, BRAILLE)
    canvas.letter(0, 1, "x", 5)
    canvas.rule(1, 1)
    canvas.upright(1, 0, 10)
    assert canvas.characters[:, 1].tolist() == [ord("x"), ord("┊")]
    assert canvas.styles[:, 1].tolist() == [15, 10]


def test_the_cursor_finds_recorded_steps() -> None:
    curves = [curve_of({10: 1.0, 20: 1.0, 30: 1.0}), curve_of({14: 1.0})]
    assert [nearest_step(curves, target) for target in (0, 11, 13, 24, 26, 99)] == [10, 10, 14, 20, 30, 30]
    assert moved_step(curves, 20, 0.5) == 30
    assert moved_step(curves, 20, -0.5) == 14
    assert moved_step(curves, 14, -100) == 10
    assert moved_step(curves, 30, 1) is None
    assert moved_step(curves, 10, -1) is None
    assert nearest_step([], 3) is None


def test_an_empty_curve_has_no_columns() -> None:
    columns = columns_of(*arrays([]), (0.0, 10.0), 10)
    assert isinstance(columns, Columns)
    assert len(columns.position) == 0
    found = spans([], (0.0, 10.0), 10)
    assert not np.any(found.top <= found.bottom)


def changed_at_random(plot: Plot, curve: Curve, random: np.random.Generator) -> None:
    """Do one of the things that happen to a live chart."""
    newest = curve.last_step or 0
    count = int(random.integers(1, 40))
    fresh = np.where(random.random(count) < 0.05, np.nan, random.normal(1, 0.5, count))
    match int(random.integers(0, 8)):
        case 0 | 1 | 2 | 3:
            curve.extend(newest + np.arange(1, count + 1), fresh)
        case 4:
            curve.extend(np.maximum(newest - 5 + np.arange(count), 0), fresh)
        case 5:
            plot.view.zoom(float(random.choice([0.5, 3.0])), float(random.integers(0, newest + 1)))
        case 6:
            plot.set_log(not plot.log)
        case _:
            plot.smooth([None, 0.9, 0.98][int(random.integers(0, 3))])


@pytest.mark.parametrize("seed", range(5))
def test_a_live_chart_equals_one_drawn_from_nothing(seed: int) -> None:
    """What is kept from one update to the next must never show."""
    random = np.random.default_rng(seed)
    curve, scores = curve_of({1: 1.0}), curve_of({1: 2.0}, "eval")
    series = Series(curve, 0, shadow=True), Series(scores, 1, points=True)
    plot = plot_of(*series, planned=900 if seed % 2 else None)
    for turn in range(60):
        changed_at_random(plot, curve, random)
        if turn % 10 == 0:
            scores.extend([curve.last_step or 0], [1.5])
        other = plot_of(*series, planned=plot.planned)
        other.log, other.strength = plot.log, plot.strength
        other.set_series([])
        other.set_series(series)
        other.view.full, other.view.window = plot.view.full, plot.view.window
        plot.look_closely()
        plot.draw(70, 20, PALETTE)
        other.view.window = plot.view.window
        assert texts(plot.draw(70, 20, PALETTE)) == texts(other.draw(70, 20, PALETTE)), turn
