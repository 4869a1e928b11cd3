from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets.chart.averages import LARGEST_EXPONENT, SMALL, decay_of
from tui.widgets.chart.curves import Curve
from tui.widgets.chart.spark import BLOCKS, sparkline

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "tui.widgets.chart"

values = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.none())
points = st.tuples(st.integers(0, 60), values)
batches = st.lists(st.lists(points, min_size=1, max_size=12), max_size=8)
strengths = st.sampled_from([0.1, 0.5, 0.9, 0.98, 0.995, 3.0, 50.0])


def filled(batches: list[list[tuple[int, float | None]]]) -> tuple[Curve, dict[int, float]]:
    """A curve that was given all batches, and what it should hold: of equal steps the newest value."""
    curve, expected = Curve("loss"), {}
    for batch in batches:
        curve.extend([step for step, _ in batch], [value for _, value in batch])
        expected.update({step: math.nan if value is None else value for step, value in batch})
    return curve, dict(sorted(expected.items()))


def recursive(points: dict[int, float], decay: float) -> list[float]:
    """The definition of the average, point by point."""
    total = weight = 0.0
    before, averages = 0, []
    for step, value in points.items():
        fade = decay ** (step - before)
        total, weight, before = total * fade, weight * fade, step
        if not math.isnan(value):
            total, weight = total + value, weight + 1
        averages.append(math.nan if math.isnan(value) else total / weight)
    return averages


@settings(deadline=None)
@given(batches)
def test_a_curve_holds_the_newest_value_of_each_step(batches: list[list[tuple[int, float | None]]]) -> None:
    curve, expected = filled(batches)
    assert curve.steps.tolist() == list(expected)
    np.testing.assert_array_equal(curve.values, list(expected.values()))
    assert len(curve) == len(expected)


@settings(deadline=None)
@given(batches, strengths)
def test_the_average_equals_its_definition_when_asked_once(
    batches: list[list[tuple[int, float | None]]], strength: float
) -> None:
    curve, expected = filled(batches)
    np.testing.assert_allclose(curve.ema(strength), recursive(expected, decay_of(strength)), rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(batches, strengths)
def test_the_average_equals_its_definition_when_asked_after_every_batch(
    batches: list[list[tuple[int, float | None]]], strength: float
) -> None:
    curve = Curve("loss")
    for count, batch in enumerate(batches, 1):
        curve.extend([step for step, _ in batch], [value for _, value in batch])
        expected = recursive(filled(batches[:count])[1], decay_of(strength))
        np.testing.assert_allclose(curve.ema(strength), expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 900), min_size=1, max_size=5), strengths)
def test_long_averages_in_blocks_equal_the_definition(seed: int, sizes: list[int], strength: float) -> None:
    """Chunks on both sides of SMALL, holes that are wider than a block, and gaps."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.choice([1, 1, 1, 7, 5000], sum(sizes)))
    series = random.normal(0.5, 1, len(steps))
    series[random.random(len(steps)) < 0.1] = np.nan
    curve, start = Curve("loss"), 0
    for size in sizes:
        curve.extend(steps[start : start + size], series[start : start + size])
        average = curve.ema(strength)
        start += size
    expected = recursive(dict(zip(steps.tolist(), series.tolist(), strict=True)), decay_of(strength))
    np.testing.assert_allclose(average, expected, rtol=1e-7, atol=1e-9)


def test_the_average_of_one_step_each_is_the_usual_debiased_one() -> None:
    curve = Curve("loss")
    curve.extend(range(5), [1.0, 2.0, 3.0, 4.0, 5.0])
    biased, expected = 0.0, []
    for count, value in enumerate([1.0, 2.0, 3.0, 4.0, 5.0], 1):
        biased = 0.9 * biased + 0.1 * value
        expected.append(biased / (1 - 0.9**count))
    np.testing.assert_allclose(curve.ema(0.9), expected)


def test_only_the_new_tail_of_an_average_is_computed() -> None:
    curve = Curve("loss")
    curve.extend(range(1000), [1.0] * 1000)
    before = curve.ema(0.9)
    before[:] = 7.0  # a mark that a second computation would wipe out
    curve.extend([1000], [1.0])
    after = curve.ema(0.9)
    assert after[:1000].tolist() == [7.0] * 1000
    assert after[1000] == pytest.approx(1.0)


def test_a_resumed_run_replaces_the_steps_that_it_repeats() -> None:
    curve = Curve("loss")
    curve.extend(range(100), [1.0] * 100)
    assert curve.ema(0.9)[-1] == pytest.approx(1.0)
    rewritten, version = curve.rewritten, curve.version
    curve.extend(range(80, 90), [2.0] * 10)
    assert curve.values[79:91].tolist() == [1.0] + [2.0] * 10 + [1.0]
    assert (curve.last_step, len(curve)) == (99, 100)
    expected = recursive(dict(enumerate([1.0] * 80 + [2.0] * 10 + [1.0] * 10)), 0.9)
    np.testing.assert_allclose(curve.ema(0.9), expected)
    assert curve.rewritten > rewritten
    assert curve.version > version


def test_appending_is_no_rewriting() -> None:
    curve = Curve("loss")
    curve.extend([1, 2], [1.0, 2.0])
    rewritten, version = curve.rewritten, curve.version
    curve.extend([3], [3.0])
    assert curve.version > version
    assert curve.rewritten == rewritten


def test_figures_pass_over_gaps_and_count_them() -> None:
    curve = Curve("loss")
    curve.extend([1, 2, 3, 4, 5], [3.0, math.nan, -1.0, math.inf, None])
    assert (curve.minimum, curve.maximum, curve.gaps, curve.nonpositive) == (-1.0, 3.0, 3, 1)
    curve.extend([6, 7], [0.0, 9.0])
    assert (curve.minimum, curve.maximum, curve.gaps, curve.nonpositive) == (-1.0, 9.0, 3, 2)
    curve.extend([3], [4.0])
    assert (curve.minimum, curve.maximum, curve.gaps, curve.nonpositive) == (0.0, 9.0, 3, 1)


def test_values_beyond_all_measure_are_gaps_and_poison_nothing() -> None:
    curve = Curve("loss")
    curve.extend([1, 2, 3], [1.0, 1e308, 3.0])
    assert curve.gaps == 1
    assert curve.ema(0.9)[-1] == pytest.approx((0.81 + 3) / 1.81)


def test_the_newest_value_is_shown_even_if_it_is_nan() -> None:
    curve = Curve("loss")
    assert math.isnan(curve.last)
    assert curve.last_step is None
    assert curve.first_step is None
    curve.extend([1, 2], [1.0, math.nan])
    assert math.isnan(curve.last)
    assert (curve.first_step, curve.last_step) == (1, 2)


def test_the_index_of_the_point_at_or_before_a_step() -> None:
    curve = Curve("loss")
    curve.extend([10, 20], [1.0, 2.0])
    assert [curve.index_at(step) for step in (9.9, 10, 19.9, 20, 99)] == [None, 0, 0, 1, 1]


def test_clearing_forgets_everything_and_counts_as_a_change() -> None:
    curve = Curve("loss")
    curve.extend([1, 2], [0.0, math.nan])
    version, rewritten = curve.version, curve.rewritten
    curve.ema(0.9)
    curve.clear()
    assert (len(curve), curve.gaps, curve.nonpositive, len(curve.ema(0.9))) == (0, 0, 0, 0)
    assert curve.version > version
    assert curve.rewritten > rewritten


def test_a_curve_keeps_what_it_was_given_even_if_the_caller_reuses_the_lists() -> None:
    curve, steps, numbers = Curve("loss"), [1, 2], [1.0, 2.0]
    curve.extend(steps, numbers)
    steps.clear()
    numbers.clear()
    assert curve.values.tolist() == [1.0, 2.0]


def test_steps_and_values_must_match() -> None:
    with pytest.raises(ValueError, match="2 steps for 1 values"):
        Curve("loss").extend([1, 2], [1.0])


@pytest.mark.parametrize("strength", [0.0, -1.0, math.nan])
def test_a_smoothing_strength_is_above_zero(strength: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        decay_of(strength)


def test_a_strength_from_one_on_is_a_time_constant() -> None:
    assert decay_of(0.98) == 0.98
    assert decay_of(50) == pytest.approx(math.exp(-1 / 50))
    assert decay_of(1e300) < 1
    assert math.log(sys.float_info.max) / 2 > LARGEST_EXPONENT
    assert SMALL > 1


def test_importing_the_charts_does_not_import_numpy() -> None:
    code = f"""
import importlib, pkgutil, sys
package = importlib.import_module({PACKAGE!r})
names = [each.name for each in pkgutil.walk_packages(package.__path__, {PACKAGE!r} + ".")]
for name in names:
    importlib.import_module(name)
curve = package.Curve("loss")
curve.extend([1], [2.0])
package.sparkline([1.0, 2.0], 5)
print(len(names), "numpy" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert result.returncode == 0, result.stderr
    count, numpy_is_there = result.stdout.split()
    assert int(count) > 10
    assert numpy_is_there == "False"


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == BLOCKS
    assert sparkline([0, 7], 4) == "▁█  "
    assert sparkline([0, 1], 2, low=0, high=2) == "▁▅"
    assert sparkline([-5, 99], 2, low=0, high=1) == "▁█"
    assert sparkline([0, 1, 2, 3], 2, glyphs="braille") == "⡠⠊"


@pytest.mark.parametrize("glyphs", ["block", "braille"])
def test_a_sparkline_leaves_holes_where_nothing_is_known(glyphs: str) -> None:
    assert sparkline([], 3, glyphs=glyphs) == "   "  # type: ignore[arg-type]
    assert sparkline([math.nan, None, math.inf], 3, glyphs=glyphs) == "   "  # type: ignore[arg-type]
    assert sparkline([1.0], 0, glyphs=glyphs) == ""  # type: ignore[arg-type]
    assert sparkline([0.0, math.nan, 1.0], 3)[1] == " "


@settings(deadline=None)
@given(st.lists(values, max_size=200), st.integers(1, 30), st.sampled_from(["block", "braille"]))
def test_a_sparkline_is_as_wide_as_asked(series: list[float | None], width: int, glyphs: str) -> None:
    line = sparkline(series, width, glyphs=glyphs)  # type: ignore[arg-type]
    assert len(line) == width
    assert set(line) <= set(BLOCKS) | {" "} | set(map(chr, range(0x2801, 0x2900)))


def test_a_long_sparkline_looks_at_few_values_a_place() -> None:
    class Counting(list[float]):
        read = 0

        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            part = super().__getitem__(key)
            self.read += len(part)
            return part

    series = Counting(float(value) for value in range(100_000))
    assert sparkline(series, 8) == BLOCKS
    assert series.read <= 8 * 9
