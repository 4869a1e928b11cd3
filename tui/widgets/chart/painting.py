"""Which layer is painted when, and in which style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from tui.themes import Palette
from tui.widgets.chart.canvas import Canvas
from tui.widgets.chart.columns import Columns
from tui.widgets.chart.extent import Trace
from tui.widgets.chart.frame import tick_row, value_ticks
from tui.widgets.chart.raster import Scale
from tui.widgets.chart.series import Layer

if TYPE_CHECKING:
    from tui.widgets.chart.plot import Plot

_TEXT, _GRID, _SERIES = 0, 1, 2
"""Numbers of styles; from `_SERIES` on there are two a series, dim and bright, and then all of them for the cursor."""


def painted(plot: Plot, scale: Scale, *, numbered: bool) -> Canvas:
    """The cells of the plot, from the bottom: grid, raw values, lines that join points, lines, marks, the cursor."""
    size = plot.layout.columns, plot.layout.rows
    view, dots = plot.view.range, size[0] * plot.glyphs.across
    canvas = Canvas(*size, plot.glyphs)
    for tick in value_ticks(scale, size[1]):
        canvas.rule(tick_row(tick, scale, plot.glyphs), _GRID)
    marks = []
    for place, layer in _in_order(plot.traces):
        columns = layer.columns(view, dots, log=plot.log)
        shape = layer.shape(columns, scale, plot.glyphs, size)
        style = _SERIES + 2 * place + (not layer.dim)
        canvas.paint(shape, style, dim=layer.dim)
        if layer.series.points:
            marks.append((shape, layer.series.style_index, style))
        elif numbered and not layer.dim:
            _number(canvas, columns, scale, str(place + 1)[-1], style)
    for shape, index, style in marks:
        canvas.mark(shape, plot.glyphs.markers[index % len(plot.glyphs.markers)], style)
    column = None if plot.cursor is None else plot.scale.cell(plot.cursor)
    if column is not None:
        canvas.upright(column, _TEXT, _SERIES + 2 * len(plot.traces))
    return canvas


def _in_order(traces: Sequence[Trace]) -> list[tuple[int, Layer]]:
    """Layers from the bottom to the top, each with the place of its series."""
    behind = [(place, trace.behind) for place, trace in enumerate(traces) if trace.behind is not None]
    joining = [(place, trace.top) for place, trace in enumerate(traces) if trace.series.points]
    lines = [(place, trace.top) for place, trace in enumerate(traces) if not trace.series.points]
    return [*behind, *joining, *lines]


def _number(canvas: Canvas, columns: Columns, scale: Scale, digit: str, style: int) -> None:
    """A digit at the newest value of a line, where colour can't tell lines apart."""
    values = columns.last[columns.inside]
    if len(values) and not math.isnan(values[-1]):
        column = int(columns.position[columns.inside][-1]) // canvas.glyphs.across
        canvas.letter(tick_row(float(values[-1]), scale, canvas.glyphs), column, digit, style)


def series_style(trace: Trace, palette: Palette) -> Style:
    """The style of a series' line and points."""
    return palette.series[trace.series.style_index % len(palette.series)]


def styles_of(traces: Sequence[Trace], palette: Palette) -> list[Style]:
    """The styles that cells are numbered by."""
    styles = [palette.text, palette.track]
    for trace in traces:
        shadow = palette.shadow[trace.series.style_index % len(palette.shadow)]
        styles += [shadow, series_style(trace, palette)]
    ground = Style(bgcolor=palette.selected.bgcolor)
    return [*styles, *(style + ground for style in styles)]
