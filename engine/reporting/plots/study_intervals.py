"""Charts of intervals: points side by side, such as two ways of training question by question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.reporting.names import question_title
from engine.reporting.plots.canvas import WIDTH, drawn, errors, grid_of
from engine.reporting.plots.picture import MUTED, Picture
from engine.reporting.plots.study_axes import (
    ends,
    fitting,
    legend,
    legend_height,
    names_of,
    padded,
    series_style,
)
from engine.reporting.plots.study_forest import ROW, bare
from engine.reporting.study.captions import all_estimates, chart_caption, chart_words
from engine.reporting.study.forms import axis_title, defined, short_arm
from engine.study.results import StudyChart
from engine.text import one_line

COLUMNS = 3


def intervals_chart(charts: Sequence[StudyChart], name: str) -> Picture:
    """Points side by side: a row for each x, and within it one marker a series; panels of one group share both axes.

    Where every series has one point, which is called as the series or as all others, the series are the rows.
    """
    names = names_of(charts)
    by_series = _is_listed(charts)
    labels = names if by_series else _rows(charts)
    step = 1.0 if by_series else max(1.0, 0.5 * len(names) + 0.4)
    shown = [] if by_series else [short_arm(each) for each in names]
    limits = padded(ends(all_estimates(charts)))
    columns = min(COLUMNS, len(charts))
    height = max(1.2, ROW * step * len(labels) + 0.75)
    room = (WIDTH - 0.072 * max(map(len, labels), default=0)) / columns - 0.15

    def draw(figure: Any) -> None:
        panels = grid_of(figure, len(charts), columns, sharex=True, sharey=True)
        one_figure = len({chart.y_label for chart in charts}) == 1
        for number, (panel, chart) in enumerate(zip(panels, charts, strict=True)):
            _chart_panel(panel, chart, names, labels, by_series=by_series, single=len(charts) == 1)
            if number + columns >= len(charts) or not one_figure:
                panel.set_xlabel(fitting(axis_title(chart.y_label), room))
                panel.tick_params(axis="x", labelbottom=True)
            if number % columns == 0:
                panel.set_ylabel(fitting(axis_title(chart.x_label), height))
            if len(charts) > 1:
                panel.set_title(fitting(chart.title, room), loc="left")
        panels[0].set_xlim(*limits)
        panels[0].set_yticks(range(len(labels)), [short_arm(_category(label)) for label in labels])
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
        if shown:
            legend(figure, panels[0].get_legend_handles_labels()[0], shown, WIDTH)

    return drawn(
        name,
        (WIDTH, -(-len(charts) // columns) * height + legend_height(shown, WIDTH)),
        draw,
        caption=chart_caption(charts),
        alternative=chart_words(charts),
    )


def _rows(charts: Sequence[StudyChart]) -> list[str]:
    points = (point for chart in charts for series in chart.series for point in series.points)
    return list(dict.fromkeys(one_line(point.x) for point in points))


def _is_listed(charts: Sequence[StudyChart]) -> bool:
    """Whether the charts are lists of series, without any further category."""
    series = [each for chart in charts for each in chart.series]
    if any(len(each.points) > 1 for each in series):
        return False
    own = all(point.x == each.name for each in series for point in each.points)
    return own or len(_rows(charts)) <= 1


def _category(label: str) -> str:
    title = question_title(label)
    return title if title != label else label


def _chart_panel(
    axis: Any, chart: StudyChart, names: Sequence[str], labels: Sequence[str], *, by_series: bool, single: bool
) -> None:
    given = {series.name: series for series in chart.series}
    for place, name in enumerate(names):
        colour, marker, _ = series_style(0 if by_series else place)
        # An empty one for the legend, so that a series without a point has its place in it too.
        axis.errorbar([], [], xerr=[], fmt=marker, color=colour, markersize=4.8, elinewidth=1.4, label=short_arm(name))
        offset = 0.0 if by_series else (place - (len(names) - 1) / 2) * 0.72 / max(len(names), 2)
        for point in given[name].points if name in given else ():
            found = defined(point.estimate)
            if found.value is None:
                continue
            line = labels.index(name if by_series else one_line(point.x))
            axis.errorbar(
                [found.value], [line + offset], xerr=errors(found.low, found.value, found.high), fmt=marker,
                color=colour, markersize=4.8, elinewidth=1.4, zorder=3,
            )  # fmt: skip
    axis.locator_params(axis="x", nbins=6 if single else 4)
    if not by_series and len(names) > 1:
        _rules(axis, len(labels))
    _zero(axis, ends(all_estimates([chart])))
    bare(axis)


def _rules(axis: Any, rows: int) -> None:
    """Lines between rows that hold several markers."""
    for line in range(rows - 1):
        axis.axhline(line + 0.5, color=MUTED, linewidth=0.3)


def _zero(axis: Any, values: Sequence[float]) -> None:
    """Differences are read against none."""
    if values and min(values) < 0:
        axis.axvline(0, color=MUTED, linewidth=0.9, linestyle=":")
