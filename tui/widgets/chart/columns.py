"""What of a curve falls into each dot column of a chart: the first, last, least and greatest value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Floats, Integers

View = tuple[float, float]
"""The steps at the centres of the first and of the last dot column."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The dot columns that hold points, from left to right, and the next point on either side of the view.

    All arrays have one entry a column. NaN as first or last value is a gap that no line may bridge; NaN as least and
    greatest value means that the column holds nothing else.
    """

    begin: Integers
    """The index of the first point of each column."""
    position: Integers
    """Dot columns; that of a point before the view is below 0, that of one after it beyond the last column."""
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    start: int
    """The index of the first point in view."""
    stop: int
    """The index after the last point in view."""
    inside: slice
    """The entries of the columns in view."""


def columns_of(steps: Integers, values: Floats, view: View, width: int) -> Columns:
    """Reduce points (steps rising) to `width` dot columns."""
    import numpy as np

    pitch = (view[1] - view[0]) / max(width - 1, 1)
    edges = np.ceil(view[0] + (np.arange(width + 1) - 0.5) * pitch).astype(np.int64)
    bounds = np.searchsorted(steps, edges)
    start, stop = int(bounds[0]), int(bounds[-1])
    within = np.flatnonzero(bounds[1:] > bounds[:-1])
    before, after = start > 0, stop < len(steps)
    groups = np.concatenate([[start - 1] if before else [], bounds[within], [stop] if after else []]).astype(np.int64)
    position = np.concatenate(
        [
            [min(round((steps[start - 1] - view[0]) / pitch), -1)] if before else [],
            within,
            [max(round((steps[stop] - view[0]) / pitch), width)] if after else [],
        ]
    ).astype(np.int64)
    seen = values[: stop + after]
    ends = np.append(groups[1:], len(seen))[: len(groups)] - 1
    return Columns(
        begin=groups,
        position=position,
        first=seen[groups],
        last=seen[ends],
        low=np.fmin.reduceat(seen, groups) if len(groups) else seen[:0],
        high=np.fmax.reduceat(seen, groups) if len(groups) else seen[:0],
        start=start,
        stop=stop,
        inside=slice(int(before), int(before) + len(within)),
    )


def columns_grown(known: Columns, steps: Integers, values: Floats, view: View, width: int) -> Columns:
    """`known` of the same view and width, after points were added at the end: only the last column is looked at again.

    Returns `known` itself when nothing that was added is in view.
    """
    import numpy as np

    if len(known.position) > known.inside.stop:  # a point beyond the view was there before
        return known
    kept = known.inside.stop - 1
    if kept < known.inside.start:
        return columns_of(steps, values, view, width)
    begin = int(known.begin[kept])
    tail = columns_of(steps[begin:], values[begin:], view, width)
    return Columns(
        begin=np.concatenate([known.begin[:kept], tail.begin + begin]),
        position=np.concatenate([known.position[:kept], tail.position]),
        first=np.concatenate([known.first[:kept], tail.first]),
        last=np.concatenate([known.last[:kept], tail.last]),
        low=np.concatenate([known.low[:kept], tail.low]),
        high=np.concatenate([known.high[:kept], tail.high]),
        start=known.start,
        stop=tail.stop + begin,
        inside=slice(known.inside.start, kept + tail.inside.stop),
    )
