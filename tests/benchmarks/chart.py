"""What an update of a live chart costs, beside drawing the same chart anew: `python tests/benchmarks/chart.py`.

An update is two new points on every series, their moving averages, the limits of the axes, the dots, the lines of text
and the comparison with the lines before. The naive side gets the same points and draws the same lines, but keeps
nothing from one update to the next. Both are the median of many, in turns, in the same process.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from tui.themes import DARK, palette
from tui.widgets.cells import changed_regions
from tui.widgets.chart import Curve, Series, numerics
from tui.widgets.chart.glyphs import BRAILLE
from tui.widgets.chart.plot import Plot

T = TypeVar("T")
PALETTE = palette(DARK)
SERIES = 3
UPDATES = 120


def main() -> int:
    numerics.load()
    update, naive, cells = measure(100_000, SERIES, (200, 50))
    print(f"RESULT chart update {update:.2f} ms, naive {naive:.2f} ms, ratio {naive / update:.1f}")
    print(f"RESULT chart cells sent an update {cells:.1f} of {200 * 50}")
    update, naive, _ = measure(5_000, 1, (200, 50))
    print(f"RESULT chart live tick at 5,000 points {update:.2f} ms, naive {naive:.2f} ms, ratio {naive / update:.1f}")
    return 0


def measure(count: int, series: int, size: tuple[int, int]) -> tuple[float, float, float]:
    """Median milliseconds of an update and of a naive one, and the mean number of cells that an update sends."""
    steps = np.arange(count + 2 * UPDATES)
    values = [noisy(len(steps), seed) for seed in range(series)]
    curves = [Curve(f"loss {place}") for place in range(series)]
    for curve, numbers in zip(curves, values, strict=True):
        curve.extend(steps[:count], numbers[:count])
    plot = plot_of(curves, planned=len(steps))
    before = plot.draw(*size, PALETTE)
    kept, anew, cells = [], [], []
    for end in range(count + 2, len(steps) + 1, 2):
        seconds, (before, changed) = timed(update, plot, curves, steps[:end], values, size, before)
        kept.append(seconds)
        cells.append(changed)
        seconds, _ = timed(redraw, steps[:end], values, size)
        anew.append(seconds)
    return 1e3 * statistics.median(kept), 1e3 * statistics.median(anew), statistics.mean(cells)


def update(
    plot: Plot,
    curves: list[Curve],
    steps: NDArray[np.int64],
    values: list[NDArray[np.float64]],
    size: tuple[int, int],
    before: list[Strip],
) -> tuple[list[Strip], int]:
    """Give the curves their last two points and draw; the lines, and how many cells differ from those before."""
    for curve, numbers in zip(curves, values, strict=True):
        curve.extend(steps[-2:].tolist(), numbers[len(steps) - 2 : len(steps)].tolist())
    lines = plot.draw(*size, PALETTE)
    return lines, sum(region.area for region in changed_regions(before, lines))


def redraw(steps: NDArray[np.int64], values: list[NDArray[np.float64]], size: tuple[int, int]) -> list[Strip]:
    """The same lines from nothing."""
    curves = [Curve(f"loss {place}") for place in range(len(values))]
    for curve, numbers in zip(curves, values, strict=True):
        curve.extend(steps, numbers[: len(steps)])
    return plot_of(curves, planned=len(values[0])).draw(*size, PALETTE)


def timed(function: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


def plot_of(curves: list[Curve], *, planned: int) -> Plot:
    plot = Plot(BRAILLE)
    plot.title, plot.planned = "loss", planned
    plot.set_series([Series(curve, place, shadow=True) for place, curve in enumerate(curves)])
    return plot


def noisy(count: int, seed: int) -> NDArray[np.float64]:
    """A loss that falls, with noise."""
    random = np.random.default_rng(seed)
    return (seed + 1) * np.exp(-np.arange(count) / (count / 4)) + 0.1 + random.normal(0, 0.03, count)


if __name__ == "__main__":
    sys.exit(main())
