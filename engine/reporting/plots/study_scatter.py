"""Scatters: what a figure costs. Every point carries its name, so that nothing must be looked up in a legend."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite
from textwrap import fill
from typing import Any

from engine.reporting.plots.canvas import WIDTH, drawn, errors, grid_of
from engine.reporting.plots.picture import Picture
from engine.reporting.plots.study_axes import ends, fitting, names_of, padded, series_style
from engine.reporting.plots.study_labels import Labelled, place_labels
from engine.reporting.study.captions import all_estimates, chart_caption, chart_words
from engine.reporting.study.forms import axis_title, defined, short_arm
from engine.study.results import Estimate, Point, StudyChart

COLUMNS = 2
LINE = 20
"""Characters of a line of a label; a longer name has several lines."""
WIDE = 30
"""How many times the largest x is the smallest one from which on the axis is logarithmic."""
Placed = tuple[float, Estimate, str]
"""An x, a defined figure, a label."""


def scatter_chart(charts: Sequence[StudyChart], name: str) -> Picture:
    """One panel a chart; all have the same y axis."""
    names = names_of(charts)
    columns = min(COLUMNS, len(charts))
    rows = -(-len(charts) // columns)
    points = sum(len(series.points) for series in charts[0].series)
    width = WIDTH if columns > 1 else 5.4
    height = min(4.6, max(2.9, 2.3 + 0.17 * points))
    room = (width - 0.6) / columns
    limits = padded(ends(all_estimates(charts)))

    def draw(figure: Any) -> None:
        panels = grid_of(figure, len(charts), columns, sharey=True)
        panels[0].set_ylim(*limits)
        for number, (panel, chart) in enumerate(zip(panels, charts, strict=True)):
            _panel(panel, chart, names, room)
            if len(charts) > 1:
                panel.set_title(fitting(chart.title, room), loc="left")
            if number % columns == 0:
                panel.set_ylabel(fitting(axis_title(chart.y_label), height))
        for panel, chart in zip(panels, charts, strict=True):
            place_labels(figure, panel, _labelled(chart, names))

    scale = "The x axis is logarithmic." if any(_logarithmic(chart) for chart in charts) else ""
    return drawn(
        name,
        (width, rows * height),
        draw,
        caption=chart_caption(charts, *([scale] if scale else [])),
        alternative=chart_words(charts),
    )


def _panel(panel: Any, chart: StudyChart, names: Sequence[str], room: float) -> None:
    for series in chart.series:
        colour, marker, _ = series_style(names.index(series.name))
        for x, found, _ in _points(series.name, series.points):
            value = float(found.value or 0.0)
            panel.errorbar(
                [x], [value], yerr=errors(found.low, value, found.high), fmt=marker, color=colour, markersize=5.4,
                elinewidth=1.0, zorder=3,
            )  # fmt: skip
    panel.set_xlabel(fitting(axis_title(chart.x_label), room))
    panel.grid()
    panel.locator_params(axis="y", nbins=6)
    panel.set_axisbelow(True)
    _x_axis(panel, chart)


def _x_axis(panel: Any, chart: StudyChart) -> None:
    """From 0 where the amounts are near it; room at the right for the labels."""
    values = _xs(chart)
    if not values:
        return
    low, high = min(values), max(values)
    if _logarithmic(chart):
        panel.set_xscale("log")
        panel.set_xlim(low / 1.6, high * 2.5)
        return
    room = (high - low) or abs(high) or 1.0
    panel.set_xlim(low - 0.12 * room if low < 0 or low - 0.12 * room > 0 else 0, high + 0.3 * room)


def _xs(chart: StudyChart) -> list[float]:
    return [x for series in chart.series for x, _, _ in _points(series.name, series.points)]


def _logarithmic(chart: StudyChart) -> bool:
    values = _xs(chart)
    return bool(values) and min(values) > 0 and max(values) / min(values) > WIDE


def _points(name: str, points: Sequence[Point]) -> list[Placed]:
    """Those that can be drawn: a word has no place on an axis of amounts, and an undefined figure none at all."""
    found = [(point, defined(point.estimate)) for point in points if _amount(point.x)]
    return [(float(point.x), estimate, point.label or name) for point, estimate in found if estimate.value is not None]


def _in_lines(text: str) -> str:
    """Lines of about the same length."""
    lines = ceil(len(text) / LINE)
    return fill(text, ceil(len(text) / lines) + 1 if lines > 1 else LINE)


def _amount(x: float | str) -> bool:
    return not isinstance(x, str) and isfinite(x)


def _labelled(chart: StudyChart, names: Sequence[str]) -> list[Labelled]:
    return [
        Labelled(
            x,
            float(found.value or 0.0),
            float(found.value or 0.0) if found.low is None else found.low,
            float(found.value or 0.0) if found.high is None else found.high,
            _in_lines(short_arm(label)),
            series_style(names.index(series.name))[0],
        )
        for series in chart.series
        for x, found, label in _points(series.name, series.points)
    ]
