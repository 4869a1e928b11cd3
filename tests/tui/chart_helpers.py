"""Recorded runs, and what drawing them costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from tui.themes import DARK, palette
from tui.widgets.cells import changed_regions
from tui.widgets.chart import numerics
from tui.widgets.chart.curves import Curve
from tui.widgets.chart.glyphs import BRAILLE
from tui.widgets.chart.plot import Plot
from tui.widgets.chart.series import Series

PALETTE = palette(DARK)


def noisy_loss(count: int, seed: int, *, noise: float = 0.35) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps from 1, and a loss that falls fast, then slowly, with multiplicative noise and a spike now and then."""
    random = np.random.default_rng(seed)
    steps = np.arange(1, count + 1)
    base = 0.05 + 2.3 * np.exp(-steps / 60) + 0.35 * np.exp(-steps / 900)
    losses = base * np.exp(random.normal(0, noise, count))
    losses[random.random(count) < 0.002] *= 8
    return steps, losses


def plot_of(*series: Series, planned: int | None = None) -> Plot:
    """A plot of these series, with numpy at hand."""
    numerics.load()
    plot = Plot(BRAILLE)
    plot.title, plot.planned = "loss", planned
    plot.set_series(series)
    return plot


def texts(strips: list[Strip]) -> list[str]:
    """The characters of some lines."""
    return [strip.text for strip in strips]


def drawn_run(
    steps: NDArray[np.int64], losses: NDArray[np.float64], *, planned: int, size: tuple[int, int], every: int
) -> tuple[list[int], int]:
    """Draw a run as it grows: the cells sent at each update, and how often the value axis changed."""
    loss, score = Curve("loss", "train loss"), Curve("eval_loss", "eval loss")
    plot = plot_of(Series(loss, 0, shadow=True), Series(score, 1, points=True), planned=planned)
    before = plot.draw(*size, PALETTE)
    cells = []
    for start in range(0, len(steps), every):
        loss.extend(steps[start : start + every], losses[start : start + every])
        if start and start % 300 == 0:
            score.extend([start], [1.2 * float(np.mean(losses[start - 50 : start]))])
        after = plot.draw(*size, PALETTE)
        cells.append(sum(region.area for region in changed_regions(before, after)))
        before = after
    return cells, plot.rescales
