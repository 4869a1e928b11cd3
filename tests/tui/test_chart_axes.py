from __future__ import annotations

import math

import numpy as np
import pytest
from chart_helpers import drawn_run, noisy_loss
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tui.widgets.chart.axes import LABEL_CELLS, linear_ticks, log_ticks, number, tick_labels
from tui.widgets.chart.curves import Curve
from tui.widgets.chart.extent import Trace, central
from tui.widgets.chart.limits import LEAST, LEAST_FILL, Limits, StepRange
from tui.widgets.chart.series import Series
from tui.widgets.chart.view import FEWEST_STEPS, StepView

numbers = st.floats(-1e12, 1e12).filter(lambda value: value == 0 or abs(value) > 1e-12)
positive = st.floats(1e-30, 1e30)
counts = st.integers(1, 12)


@settings(deadline=None)
@given(numbers, numbers, counts)
def test_linear_ticks_rise_within_the_limits(one: float, other: float, most: int) -> None:
    low, high = sorted((one, other))
    assume(high - low > 1e-9 * max(abs(low), abs(high)))
    ticks = linear_ticks(low, high, most)
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= most + 7


@settings(deadline=None)
@given(positive, positive, counts)
def test_log_ticks_rise_within_the_limits(one: float, other: float, most: int) -> None:
    low, high = sorted((one, other))
    assume(high > low * 1.001)
    ticks = log_ticks(low, high, most)
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert 1 <= len(ticks) <= max(most, 2) + 7


@settings(deadline=None)
@given(numbers, numbers, st.booleans())
def test_limits_hold_the_data_and_are_filled_by_them(one: float, other: float, log: bool) -> None:
    low, high = sorted((abs(one) + 1e-9, abs(other) + 1e-9) if log else (one, other))
    limits = Limits()
    limits.fit(low, high, log=log)
    assert limits.low <= low <= high <= limits.high
    assert limits.low < limits.high
    assert not log or limits.low > 0
    assert not limits.fit(low, high, log=log), "the same data must not move the axis"


@settings(deadline=None)
@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=20), st.booleans())
def test_limits_hold_the_data_at_any_time(ranges: list[tuple[float, float]], log: bool) -> None:
    limits = Limits()
    for pair in ranges:
        low, high = sorted(pair)
        before = (limits.low, limits.high)
        changed = limits.fit(low, high, log=log)
        assert limits.low <= low <= high <= limits.high
        assert changed or before == (limits.low, limits.high)


def test_an_axis_grows_at_once_and_shrinks_late() -> None:
    limits = Limits()
    limits.fit(0.1, 2.0)
    assert (limits.low, limits.high) == (0.0, 2.5)
    assert not limits.fit(0.1, 2.4)
    assert limits.fit(0.1, 2.6)
    high = limits.high
    assert not limits.fit(0.1, high * (LEAST_FILL + 0.01))
    assert limits.fit(0.1, high * (LEAST_FILL - 0.01))
    assert limits.high < high


def test_an_axis_starts_at_zero_where_zero_is_near() -> None:
    limits = Limits()
    limits.fit(0.3, 1.0)
    assert limits.low == 0
    assert not limits.fit(0.55, 1.0), "an axis that starts at zero stays there for a while"
    limits.fit(0.97, 0.99)
    assert limits.low > 0.9
    limits.reset()
    limits.fit(-1.0, -0.1)
    assert limits.high == 0


@pytest.mark.parametrize("value", [0.0, 2.3, -2.3, 1e-150, 1e15])
def test_a_single_value_gets_an_axis(value: float) -> None:
    limits = Limits()
    limits.fit(value, value)
    assert limits.low < limits.high
    assert limits.low <= value <= limits.high


def test_a_logarithmic_axis_ends_where_floats_do() -> None:
    limits = Limits()
    limits.fit(1e-310, 1.0, log=True)
    assert 0 < limits.low <= LEAST
    limits.fit(1e-5, 9.0, log=True)
    assert (limits.low, limits.high) == (7e-6, 15.0)


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 0.05, 0.1, 0.15], ["0", "0.05", "0.10", "0.15"]),
        ([0, 5e-5, 1e-4, 1.5e-4, 2e-4], ["0", "5e-5", "1e-4", "1.5e-4", "2e-4"]),
        ([0, 1e-4, 2e-4], ["0", "0.0001", "0.0002"]),
        ([0, 4000, 8000, 12000], ["0", "4k", "8k", "12k"]),
        ([0, 2000, 4000], ["0", "2000", "4000"]),
        ([0, 500_000, 1_000_000], ["0", "0.5M", "1.0M"]),
        ([1_000_000, 1_000_001], ["1000000", "1000001"]),
        ([-1, -0.5, 0, 0.5], ["-1.0", "-0.5", "0", "0.5"]),
        ([3.0], ["3"]),
    ],
)
def test_labels_of_one_axis_are_alike_and_differ(ticks: list[float], labels: list[str]) -> None:
    assert tick_labels(ticks) == labels


def test_labels_of_a_logarithmic_axis() -> None:
    assert tick_labels([1e-5, 1e-3, 0.1, 1, 10], log=True) == ["1e-5", "0.001", "0.1", "1", "10"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0002, "0.0002"),
        (0.00012, "1.2e-4"),
        (0.00015, "1.5e-4"),
        (0.000123456, "1.23e-4"),
        (0.0464, "0.04640"),
        (12.3456, "12.35"),
        (1234.56, "1235"),
        (123_456, "123.5k"),
        (999_999, "1e6"),
        (1.5e9, "1.5G"),
        (-0.000123, "-1.2e-4"),
        (0, "0"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_are_short_and_readable(value: float, text: str) -> None:
    assert number(value) == text


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_numbers_fit_and_are_close(value: float) -> None:
    text = number(value)
    assert len(text) <= LABEL_CELLS
    factor = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1], 1.0)
    shown = float(text.rstrip("kMGT")) * factor
    size = abs(value)
    if 1e-3 <= size <= 1e5:
        assert shown == pytest.approx(value, rel=1e-3, abs=5.1e-5)
    else:  # seven characters leave few digits beside a sign and an exponent
        assert shown == pytest.approx(value, rel=0.06 if 1e-9 < size < 1e15 else 0.5, abs=0)


@settings(deadline=None)
@given(numbers, numbers, counts)
def test_labels_fit(one: float, other: float, most: int) -> None:
    low, high = sorted((one, other))
    assume(high - low > 1e-9 * max(abs(low), abs(high)))
    assert all(len(label) <= LABEL_CELLS for label in tick_labels(linear_ticks(low, high, most)))


def test_the_step_axis_is_fixed_where_the_end_is_planned() -> None:
    steps = StepRange()
    assert [steps.fit(1, last, 5214) for last in (1, 100, 5214)] == [(0.0, 5214.0)] * 3
    assert steps.fit(1, 5215, 5214) == (0.0, 10000.0)


def test_the_step_axis_grows_in_leaps_where_it_is_not() -> None:
    steps = StepRange()
    assert [steps.fit(1, last, None)[1] for last in (1, 10, 11, 20, 21, 51, 101)] == [10, 10, 20, 20, 50, 100, 200]
    steps.reset()
    assert steps.fit(1000, 1005, None) == (1000.0, 1010.0)
    assert steps.fit(1, 1005, None) == (0.0, 2000.0)


def trace_of(values: list[float], **options: bool) -> Trace:
    curve = Curve("loss")
    curve.extend(range(len(values)), values)
    return Trace(Series(curve, **options), 0.98)


def test_an_initial_spike_does_not_flatten_the_rest_for_ever() -> None:
    random = np.random.default_rng(0)
    values = [50.0, 20.0, 8.0, *(0.5 + 0.05 * random.standard_normal(2000))]
    for options in ({"shadow": True}, {"smooth": True}, {}):
        trace = trace_of(values, **options)
        extent = trace.extent((0, 2003), 200, log=False)
        assert extent is not None
        assert extent[0] < 0.5 < extent[1] < 1.0


def test_nothing_is_cut_off_where_there_are_no_outliers() -> None:
    values = (2 + np.sin(np.arange(2000) / 50)).tolist()
    assert trace_of(values).extent((0, 2000), 200, log=False) == pytest.approx((1.0, 3.0), abs=1e-3)


def test_a_curve_that_leaves_for_good_takes_the_axis_along() -> None:
    values = [1.0] * 5000 + [5.0] * 30
    for options in ({"shadow": True}, {}):
        extent = trace_of(values, **options).extent((0, 5030), 200, log=False)
        assert extent is not None
        assert extent[1] > 2.5


def test_points_are_always_on_the_axis() -> None:
    values = [1.0] * 500 + [9.0]
    assert trace_of(values, points=True).extent((0, 501), 200, log=False) == (1.0, 9.0)


def test_the_axis_holds_what_is_in_view_only() -> None:
    values = [9.0] * 100 + [1.0, 2.0] * 50
    assert trace_of(values, points=True).extent((120, 180), 200, log=False) == (1.0, 2.0)
    assert trace_of(values).extent((300, 400), 200, log=False) is None


def test_few_values_keep_room_for_the_next_ones() -> None:
    assert trace_of([1.0, 1.0]).extent((0, 10), 200, log=False) == pytest.approx((0.7, 1.3))


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), max_size=400))
def test_the_central_range_leaves_out_at_most_the_outliers(values: list[float]) -> None:
    known = sorted(value for value in values if not math.isnan(value))
    found = central(np.array(values, float))
    if not known:
        assert found is None
        return
    cut = len(known) // 100
    assert found == (known[cut], known[len(known) - 1 - cut])


def test_a_view_zooms_around_a_step_within_what_there_is() -> None:
    view = StepView()
    view.full = (0.0, 1000.0)
    assert view.zoom(0.5, 250.0)
    assert view.range == (125.0, 625.0)
    assert view.pan(-500)
    assert view.range == (0.0, 500.0)
    assert view.pan(9999)
    assert view.range == (500.0, 1000.0)
    assert not view.pan(1)
    assert view.zoom(99, 700.0)
    assert view.window is None
    assert not view.pan(5)
    for _ in range(50):
        view.zoom(0.5, 10.0)
    assert view.span == pytest.approx(FEWEST_STEPS)


def test_a_view_follows_by_leaps() -> None:
    view = StepView()
    view.full = (0.0, 1000.0)
    view.zoom(0.1, 0.0)
    view.following = True
    moves = sum(view.follow(step) for step in range(1001))
    assert view.range[1] == 1000
    assert 30 <= moves <= 40, "a quarter of a hundred steps at a time"


def test_a_noisy_run_redraws_few_cells_and_rescales_rarely() -> None:
    """The budget for a line over SSH: 5,214 steps, two an update, 150 x 35 cells."""
    steps, losses = noisy_loss(5214, seed=3)
    cells, rescales = drawn_run(steps, losses, planned=5214, size=(150, 35), every=2)
    assert rescales < 8
    assert np.mean(cells[1:]) <= 15
    assert np.median(cells) <= 6
