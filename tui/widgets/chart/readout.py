"""The figures of each series for the legend: the newest, or those at the cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from engine import api
from tui.widgets.chart.axes import LABEL_CELLS, number
from tui.widgets.chart.extent import Trace
from tui.widgets.chart.legend import Entry

if TYPE_CHECKING:
    from tui.widgets.chart.plot import Plot


def entries_of(plot: Plot, styles: Sequence[Style], *, numbered: bool) -> list[Entry]:
    """One entry a series, in order, lines marked by their number if `numbered`."""
    entries = []
    markers = plot.glyphs.markers
    for place, (trace, style) in enumerate(zip(plot.traces, styles, strict=True), 1):
        series = trace.series
        marker = markers[series.style_index % len(markers)] if series.points else plot.glyphs.line
        if numbered and not series.points:
            marker += str(place)
        figures = _newest(trace) if plot.cursor is None else _at(trace, plot.cursor, plot.scale.cell_steps)
        entries.append(Entry(marker, style, api.one_line(series.text), figures, _note(trace, log=plot.log)))
    return entries


def _newest(trace: Trace) -> str:
    curve = trace.series.curve
    value = curve.last
    if trace.average is not None and not math.isnan(value):
        value = float(trace.average.values(log=False)[-1])
    return (number(value) if len(curve) else "–").ljust(LABEL_CELLS)


def _at(trace: Trace, cursor: float, slack: float) -> str:
    """The value at the cursor, smoothed if drawn so, with the raw one in brackets; @step where it is an older one."""
    curve = trace.series.curve
    index = curve.index_at(cursor)
    if index is None:
        return "–".ljust(LABEL_CELLS)
    raw = number(float(curve.values[index]))
    step = int(curve.steps[index])
    text = raw.ljust(LABEL_CELLS)
    if trace.average is not None:
        smooth = number(float(trace.average.values(log=False)[index]))
        text = f"{smooth.ljust(LABEL_CELLS)} ({raw})".ljust(2 * LABEL_CELLS + 3)
    return text if cursor - step <= slack else f"{text.rstrip()} @{step}"


def _note(trace: Trace, *, log: bool) -> str:
    curve = trace.series.curve
    notes = []
    if log and curve.nonpositive:
        notes.append(f"{curve.nonpositive} ≤ 0")
    if curve.gaps:
        notes.append(f"{curve.gaps} NaN")
    return ", ".join(notes)
