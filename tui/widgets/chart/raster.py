"""From columns of values to dots: a line through all values, as tall in each dot column as the values there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.widgets.chart.columns import Columns
from tui.widgets.chart.glyphs import Glyphs, span_bits

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Bits, Flags, Floats, Integers


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values lie on an axis of `dots` dot rows, the highest value in row 0."""

    low: float
    high: float
    log: bool
    dots: int

    def rows(self, values: Floats) -> Floats:
        """Rows of values, with fractions; values above 0 only, or NaN, on a logarithmic axis."""
        import numpy as np

        return (self._top - (np.log10(values) if self.log else values)) * self._pitch

    def row(self, value: float) -> float:
        """The row of one value."""
        return (self._top - (math.log10(value) if self.log else value)) * self._pitch

    @property
    def _top(self) -> float:
        return math.log10(self.high) if self.log else self.high

    @property
    def _pitch(self) -> float:
        bottom = math.log10(self.low) if self.log else self.low
        return (self.dots - 1) / (self._top - bottom)


@dataclass(frozen=True, slots=True)
class Spans:
    """The dot rows from `top` to `bottom`, inclusive, that are set in each dot column; none where top > bottom."""

    top: Integers
    bottom: Integers
    above: Flags
    """Dot columns with a value above the axis."""
    below: Flags
    """Dot columns with a value below the axis."""


def spans_of(columns: Columns, scale: Scale, width: int, across: int) -> Spans:
    """A line through the values, not across gaps; values that stand alone are larger where cells have `across` > 1."""
    import numpy as np

    if not len(columns.position):
        nowhere = np.zeros(width, np.bool_)
        return Spans(np.full(width, 1), np.full(width, 0), nowhere, nowhere)
    high, low = scale.rows(columns.high), scale.rows(columns.low)
    enter, leave, top, bottom = _traced(columns, scale, high, low, width)
    above, below = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
    inside = columns.inside
    above[columns.position[inside]] = high[inside] < -0.5
    below[columns.position[inside]] = low[inside] > scale.dots - 0.5
    tops, bottoms = _joined(_whole(enter, scale), _whole(leave, scale), _whole(top, scale), _whole(bottom, scale))
    if across > 1:
        _enlarge_lonely(columns, tops, bottoms, width)
    return Spans(tops, bottoms, above, below)


_NONE = -(1 << 40)
"""Stands for NaN among whole rows."""


def _whole(rows: Floats, scale: Scale) -> Integers:
    """Rows without fractions, rounded half up so that equal values give equal rows; far outside is far enough."""
    import numpy as np

    near = np.clip(np.floor(rows + 0.5), -4 * scale.dots, 5 * scale.dots)
    return np.where(np.isnan(rows), _NONE, near).astype(np.int64)


def _traced(
    columns: Columns, scale: Scale, high: Floats, low: Floats, width: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """For each dot column the rows where the line comes in, where it goes out, and its top and bottom; NaN for none."""
    import numpy as np

    position, first, last = columns.position, scale.rows(columns.first), scale.rows(columns.last)
    at = np.arange(width)
    group = np.searchsorted(position, at, "right") - 1
    held = position[group] == at  # -1 is the last group, which is not at a column before the first
    after = np.minimum(group + 1, len(position) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (at - position[group]) / (position[after] - position[group])
        between = last[group] + share * (first[after] - last[group])
    between[(group < 0) | (group == after)] = np.nan
    return (
        np.where(held, first[group], between),
        np.where(held, last[group], between),
        np.where(held, high[group], between),
        np.where(held, low[group], between),
    )


def _joined(enter: Integers, leave: Integers, top: Integers, bottom: Integers) -> tuple[Integers, Integers]:
    """Stretch neighbouring columns towards each other, half way each, so that their dots touch."""
    import numpy as np

    out, into = leave[:-1], enter[1:]
    linked = (out != _NONE) & (into != _NONE)
    middle = (out + into) >> 1
    falls = linked & (into > out)
    rises = linked & (into < out)
    bottom[:-1] = np.where(falls, np.maximum(bottom[:-1], middle), bottom[:-1])
    top[1:] = np.where(falls, np.minimum(top[1:], middle + 1), top[1:])
    top[:-1] = np.where(rises, np.minimum(top[:-1], middle + 1), top[:-1])
    bottom[1:] = np.where(rises, np.maximum(bottom[1:], middle), bottom[1:])
    return np.where(top == _NONE, 1, top), np.where(top == _NONE, 0, bottom)


def _enlarge_lonely(columns: Columns, top: Integers, bottom: Integers, width: int) -> None:
    """A single dot is easily missed: values without a neighbour become two dots wide and two high."""
    import numpy as np

    linked = ~np.isnan(columns.last[:-1]) & ~np.isnan(columns.first[1:])
    lonely = ~np.isnan(columns.low)
    lonely[:-1] &= ~linked
    lonely[1:] &= ~linked
    inside = np.zeros(len(lonely), np.bool_)
    inside[columns.inside] = True
    for column in columns.position[lonely & inside]:
        bottom[column] = max(bottom[column], top[column] + 1)
        other = column ^ 1
        if other < width and top[other] > bottom[other]:
            top[other], bottom[other] = top[column], bottom[column]


def codes_of(top: Integers, bottom: Integers, glyphs: Glyphs, height: int) -> Bits:
    """The bits of the dots of each cell, as an array of `height` rows; see `Spans` for top and bottom."""
    import numpy as np

    down = glyphs.down
    starts = (np.arange(height) * down)[:, None]
    first = np.minimum(np.maximum(top - starts, 0), down)
    stop = np.minimum(np.maximum(bottom + 1 - starts, 0), down)
    index = first * (down + 1) + stop
    codes = np.zeros((height, len(top) // glyphs.across), np.uint8)
    for offset, bits in enumerate(span_bits(glyphs)):
        codes |= bits.take(index[:, offset :: glyphs.across])
    return codes


def codes_renewed(codes: Bits, before: Spans, after: Spans, glyphs: Glyphs) -> Bits:
    """The codes of `after`, given those of `before`: only columns that differ are computed."""
    import numpy as np

    changed = np.flatnonzero((before.top != after.top) | (before.bottom != after.bottom))
    if not len(changed):
        return codes
    start, stop = int(changed[0]) // glyphs.across, int(changed[-1]) // glyphs.across + 1
    dots = slice(start * glyphs.across, stop * glyphs.across)
    renewed = codes.copy()
    renewed[:, start:stop] = codes_of(after.top[dots], after.bottom[dots], glyphs, len(codes))
    return renewed


def cells_where(flags: Flags, across: int) -> Flags:
    """Cells of which a dot column is flagged."""
    import numpy as np

    return np.logical_or.reduceat(flags, np.arange(0, len(flags), across))
