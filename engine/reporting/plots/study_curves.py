"""Curves over an ordered x, such as the severity of a degradation: one panel a chart, all with the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from engine.reporting.plots.canvas import WIDTH, drawn, errors, grid_of
from engine.reporting.plots.picture import Picture
from engine.reporting.plots.study_axes import (
    ends,
    fitting,
    legend,
    legend_height,
    names_of,
    padded,
    series_style,
)
from engine.reporting.study.captions import all_estimates, chart_caption, chart_words
from engine.reporting.study.forms import axis_title, defined, short_arm
from engine.study.results import Series, StudyChart
from engine.text import one_line

COLUMNS = 3
MOST_INTERVALS = 5
"""Series above which the intervals would cover each other."""
MOST_INSIDE, LONGEST_INSIDE = 7, 22
"""Series, and characters of their names, for which an empty panel has room."""
ROW = 1.9
"""Inches of a row of panels."""
WIDTHS = {1: 4.8, 2: 6.0}
"""Inches of a picture with so many columns."""


def curves_chart(charts: Sequence[StudyChart], name: str) -> Picture:
    """Small multiples: panels share both axes, so that a drop in one can be held against a drop in another."""
    names = names_of(charts)
    columns = min(COLUMNS, len(charts))
    rows = -(-len(charts) // columns)
    width = WIDTHS.get(columns, WIDTH)
    shown = [short_arm(each) for each in names]
    room = (width - 0.6) / columns - 0.15
    # Where the last row has a place left, the legend stands there.
    inside = rows * columns > len(charts) and len(names) <= MOST_INSIDE and max(map(len, shown)) < LONGEST_INSIDE
    bars = len(names) <= MOST_INTERVALS
    places = _places(charts)
    limits = padded(_extent(charts, bars=bars))

    def draw(figure: Any) -> None:
        panels = grid_of(figure, len(charts), columns, sharex=True, sharey=True)
        for number, (panel, chart) in enumerate(zip(panels, charts, strict=True)):
            _panel(panel, chart, names, places, room, bars=bars)
            if number + columns >= len(charts):
                panel.set_xlabel(fitting(axis_title(chart.x_label), room))
                panel.tick_params(axis="x", labelbottom=True)
            if number % columns == 0:
                panel.set_ylabel(fitting(axis_title(chart.y_label), ROW))
        panels[0].set_ylim(*limits)
        if all(isinstance(x, str) for x in places):
            panels[0].set_xticks(list(places.values()), [one_line(x) for x in places])
        elif len(places) <= 8:
            panels[0].set_xticks(list(places.values()), [f"{x:g}" for x in places])
        handles = panels[0].get_legend_handles_labels()[0]
        if inside:
            figure.axes[-1].legend(handles, shown, loc="center left", frameon=False)
        else:
            legend(figure, handles, shown, width)

    more = () if bars else ("Intervals are left out of so many curves; figures.csv has them.",)
    return drawn(
        name,
        (width, rows * (ROW if columns > 1 else 2.5) + 0.35 + (0.0 if inside else legend_height(shown, width))),
        draw,
        caption=chart_caption(charts, *more, intervals=bars),
        alternative=chart_words(charts),
    )


def _places(charts: Sequence[StudyChart]) -> dict[float | str, float]:
    """Where each x stands: numbers at their own place, words one after the other."""
    points = [point for chart in charts for series in chart.series for point in series.points]
    given = list(dict.fromkeys(point.x for point in points if _has_place(point.x)))
    if all(isinstance(x, int | float) for x in given):
        return {x: float(x) for x in sorted(given, key=float)}
    return {str(x): float(place) for place, x in enumerate(given)}


def _extent(charts: Sequence[StudyChart], *, bars: bool) -> list[float]:
    found = [defined(each) for each in all_estimates(charts)]
    return ends(found) if bars else [each.value for each in found if each.value is not None]


def _panel(
    panel: Any, chart: StudyChart, names: Sequence[str], places: dict[float | str, float], room: float, *, bars: bool
) -> None:
    given = {series.name: series for series in chart.series}
    step = min((b - a for a, b in zip(list(places.values()), list(places.values())[1:], strict=False)), default=1.0)
    for place, name in enumerate(names):
        # A little beside each other, so that intervals at one x do not cover each other.
        offset = (place - (len(names) - 1) / 2) * 0.07 * step if bars else 0.0
        _series(panel, given.get(name, Series(name, ())), place, places, offset, bars=bars)
    panel.set_title(fitting(chart.title, room), loc="left")
    panel.grid(axis="y")
    panel.set_axisbelow(True)


def _series(
    panel: Any, series: Series, place: int, places: dict[float | str, float], offset: float, *, bars: bool
) -> None:
    colour, marker, line = series_style(place)
    found = [(point.x, defined(point.estimate)) for point in series.points if _has_place(point.x)]
    shown = [(places[_key(x, places)] + offset, each) for x, each in found if each.value is not None]
    shown.sort(key=lambda point: point[0])
    panel.plot(
        [x for x, _ in shown], [each.value for _, each in shown], color=colour, marker=marker, linestyle=line,
        linewidth=1.3, markersize=4, label=short_arm(series.name), zorder=3,
    )  # fmt: skip
    for x, each in shown if bars else ():
        value = float(each.value or 0.0)
        panel.errorbar(
            [x], [value], yerr=errors(each.low, value, each.high), fmt="none", ecolor=colour, elinewidth=0.9,
            alpha=0.75, zorder=2,
        )  # fmt: skip


def _has_place(x: float | str) -> bool:
    return isinstance(x, str) or isfinite(x)


def _key(x: float | str, places: dict[float | str, float]) -> float | str:
    return x if x in places else str(x)
