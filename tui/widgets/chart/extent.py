"""The range of values that a value axis must hold: all that matters, and no outliers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.widgets.chart.averages import decay_of
from tui.widgets.chart.columns import Columns, View
from tui.widgets.chart.series import Layer, Series

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Floats

Extent = tuple[float, float]

STEADY = 0.9
"""The smoothing of a line without a smoothed one that tells whether its values have moved, or only spiked."""
OUTLIERS = 0.01
"""The share of the values at either end that may lie beyond the axis."""
TOLERANCE = 1.5
"""Nothing is cut off while all values take at most so many times the room of those that count."""
WARM_UP = 3.0
"""Time constants after which a moving average has forgotten its first values."""
FEW = 16
"""Points below which more room is kept: a few values say little about how far the next ones will lie apart."""
_SAMPLE = 2048


class Trace:
    """A series with its layers, from bottom to top, and the range that they ask for."""

    def __init__(self, series: Series, strength: float | None) -> None:
        """`strength` is that of the moving average of a series that is to have one; None draws the values instead."""
        self.series = series
        smooth = (series.shadow or series.smooth) and strength is not None
        self.values = Layer(series, dim=smooth)
        self.average = Layer(series, strength) if smooth else None
        self._steady = self.average or Layer(series, STEADY)
        self._extent: tuple[object, Extent | None] | None = None

    @property
    def top(self) -> Layer:
        """The layer that the eye follows."""
        return self.average or self.values

    @property
    def behind(self) -> Layer | None:
        """The values behind the average, if they are drawn."""
        return self.values if self.average is not None and self.series.shadow else None

    def extent(self, view: View, width: int, *, log: bool) -> Extent | None:
        """The least and the greatest value in view that an axis must hold; None where there is none."""
        drawn = self.top if self.behind is None else self.behind
        columns = drawn.columns(view, width, log=log)
        if self._extent is None or self._extent[0] is not columns:
            steady = self._steady.columns(view, width, log=log)
            self._extent = (columns, self._needed(columns, steady, log=log))
        return self._extent[1]

    def _needed(self, drawn: Columns, steady: Columns, *, log: bool) -> Extent | None:
        full = extremes(drawn, drawn.inside)
        if full is None or self.series.points:
            return full
        inside = slice(self._warm(steady), steady.inside.stop)
        parts = [extremes(steady, inside)]
        if drawn is not steady:
            parts.append(central(self.values.values(log=log)[drawn.start : drawn.stop]))
        needed = tolerant(full, joined(parts), log=log)
        return widened(needed) if len(self.series.curve) < FEW else needed

    def _warm(self, columns: Columns) -> int:
        """The first column in view whose averages are not ruled by the run's first values.

        All count where those would be most of them.
        """
        import numpy as np

        steps = self.series.curve.steps
        span = WARM_UP / -math.log(decay_of(self._steady.strength or STEADY))
        warm = int(np.searchsorted(steps, steps[0] + span))
        if columns.stop - warm < 0.75 * (columns.stop - columns.start):
            return int(columns.inside.start)
        return max(int(columns.inside.start), int(np.searchsorted(columns.begin, warm)))


def extremes(columns: Columns, part: slice) -> Extent | None:
    """The least and the greatest value of some columns, NaN left out."""
    import numpy as np

    if part.start >= part.stop:
        return None
    least, greatest = float(np.fmin.reduce(columns.low[part])), float(np.fmax.reduce(columns.high[part]))
    return None if math.isnan(least) else (least, greatest)


def central(values: Floats) -> Extent | None:
    """The range of the values without the outermost share `OUTLIERS` on either side; of a sample where there are many.

    The sample is every n-th value, n a power of two, so that it changes little as a curve grows.
    """
    import numpy as np

    stride = 1 << max(0, math.ceil(math.log2(max(len(values), 1) / _SAMPLE)))
    sample = values[::stride]
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        return None
    cut = int(OUTLIERS * len(sample))
    sample = np.partition(sample, (cut, len(sample) - 1 - cut))
    return float(sample[cut]), float(sample[len(sample) - 1 - cut])


def joined(extents: list[Extent | None]) -> Extent | None:
    """The range that holds all of them."""
    known = [each for each in extents if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def tolerant(full: Extent, usual: Extent | None, *, log: bool) -> Extent:
    """`usual`, or `full` where that is not much larger."""
    if usual is None:
        return full
    outer, inner = ([math.log(each) for each in pair] if log else pair for pair in (full, usual))
    return full if outer[1] - outer[0] <= TOLERANCE * (inner[1] - inner[0]) else usual


def widened(extent: Extent) -> Extent:
    """A range with room for values further apart; never across zero."""
    low, high = extent
    return low * (0.7 if low > 0 else 1.3), high * (1.3 if high > 0 else 0.7)
