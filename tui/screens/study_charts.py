"""The charts of a study as text: intervals as bars, curves as figures with a course, trade-offs as letters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from engine import api
from tui.screens.study_field import ends, letters, multiples, round_scale, trade_off
from tui.screens.study_figures import bounds
from tui.text import fit, width_of
from tui.widgets.chart.spark import sparkline
from tui.widgets.intervals import interval_bar
from tui.widgets.lines import Paragraph

NAME_CELLS = 26
BAR_CELLS = (12, 60)
VALUE_CELLS, INTERVAL_CELLS = 7, 18
COURSE_CELLS = 3
"""Cells of one value in the course of a curve."""
NOTHING_YET = "No chart yet: they are drawn from what has been measured."


def charts(result: api.StudyResult, width: int) -> list[Paragraph]:
    """All charts, those of one panel under one heading and on one scale.

    Args:
        result: as far as the study is done.
        width: cells that a line has.
    """
    paragraphs: list[Paragraph] = []
    for panel, group in groupby(result.charts, key=lambda each: each.panel or each.name):
        together = list(group)
        first = together[0]
        title = first.panel if first.panel and len(together) > 1 else first.title
        paragraphs.append([(title or panel, "bold"), (_axes(first), "dim")])
        scale = scale_of(together)
        if first.kind == "curves":
            paragraphs += multiples(together, scale, width)
        for chart in together:
            if len(together) > 1:
                axes = _axes(chart) if _axes(chart) != _axes(first) else ""
                paragraphs.append([(f" {chart.title}", "header"), (axes, "dim")])
            paragraphs += _drawn(chart, scale, width)
        if first.note:
            paragraphs.append([(first.note, "dim")])
        paragraphs.append([])
    return paragraphs or [[(NOTHING_YET, "dim")]]


def _axes(chart: api.StudyChart) -> str:
    words = [api.measure_words(word) for word in (chart.y_label, chart.x_label) if word]
    return f"   {' by '.join(words)}" if words else ""


def _drawn(chart: api.StudyChart, scale: tuple[float, float], width: int) -> Iterator[Paragraph]:
    if chart.kind == "curves":
        return _curves(chart, scale, width)
    return trade_off(chart, scale, width) if chart.kind == "scatter" else _intervals(chart, scale, width)


def scale_of(together: Sequence[api.StudyChart]) -> tuple[float, float]:
    """Ends of the scale that the charts of a panel share: round figures around all that is drawn.

    Of curves that is the values: their intervals stand in the table alone.
    """
    drawn = [
        end
        for chart in together
        for series in chart.series
        for point in series.points
        for end in (
            point.estimate.value,
            *(() if chart.kind == "curves" else (point.estimate.low, point.estimate.high)),
        )
    ]
    found = [end for end in drawn if end is not None and math.isfinite(end)]
    return round_scale(min(found), max(found)) if found else (0.0, 1.0)


def _figure(value: float | None) -> str:
    return "–" if value is None else api.figure(value)


# ----- intervals


def _intervals(chart: api.StudyChart, scale: tuple[float, float], width: int) -> Iterator[Paragraph]:
    room = min(NAME_CELLS, max((width_of(api.one_line(each.name)) for each in chart.series), default=0))
    found = [point.estimate for series in chart.series for point in series.points]
    values = max((width_of(_figure(each.value)) for each in found), default=0)
    beside = max((width_of(_beside(each)) for each in found), default=0)
    cells = max(BAR_CELLS[0], min(BAR_CELLS[1], width - room - values - beside - 6))
    places = list(dict.fromkeys(point.x for series in chart.series for point in series.points))
    apart = len(places) > 1 and len(chart.series) > 1 and any(len(series.points) > 1 for series in chart.series)
    for place in places:
        if apart:  # else each line is named by its series alone
            yield [(f" {_x(place)}", "header")]
        for series in chart.series:
            for point in (one for one in series.points if one.x == place):
                each = point.estimate
                bar = interval_bar(each.value, each.low, each.high, cells, *scale)
                yield [
                    (f"   {fit(series.name, room)} ", "text"),
                    (f"{_figure(each.value):>{values}} ", "bold"),
                    (f"{bar} ", "accent"),
                    (_beside(each), "dim"),
                ]
    yield [(" " * (room + values + 5) + ends(scale, cells), "dim")]


def _beside(found: api.Estimate) -> str:
    """`0.996–1.00 n 160`."""
    return f"{bounds(found)} n {found.n}"


def _x(place: float | str) -> str:
    return place if isinstance(place, str) else f"{place:g}"


# ----- curves


def _curves(chart: api.StudyChart, scale: tuple[float, float], width: int) -> Iterator[Paragraph]:
    places = sorted({float(point.x) for series in chart.series for point in series.points if _is_number(point.x)})
    room = min(NAME_CELLS, max((width_of(api.one_line(each.name)) for each in chart.series), default=0))
    course = COURSE_CELLS * len(places)
    left = width - room - course - 8
    cells = INTERVAL_CELLS if left >= INTERVAL_CELLS * len(places) else VALUE_CELLS
    heads = "".join(f"{_x(place):>{cells}}" for place in places)
    yield [(" " * (room + course + 6) + heads, "dim")]
    for letter, series in zip(letters(len(chart.series)), chart.series, strict=True):
        found = {float(point.x): point.estimate for point in series.points if _is_number(point.x)}
        values = [found[place].value if place in found else None for place in places]
        texts = "".join(f"{_curve_cell(found.get(place), cells):>{cells}}" for place in places)
        yield [
            (f" {letter} ", "accent"),
            (f"{fit(series.name, room)}  ", "text"),
            ("".join(level * COURSE_CELLS for level in sparkline(values, len(places), *scale)), "accent"),
            (f" {texts}", "text"),
        ]


def _is_number(place: float | str) -> bool:
    return not isinstance(place, str)


def _curve_cell(found: api.Estimate | None, cells: int) -> str:
    if found is None or found.value is None:
        return "–"
    return f"{api.figure(found.value)} {bounds(found)}" if cells == INTERVAL_CELLS else api.figure(found.value)
