"""What a chart draws: series, and the layers of them with what has been computed already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.widgets.chart.columns import Columns, View, columns_grown, columns_of
from tui.widgets.chart.curves import Curve
from tui.widgets.chart.glyphs import Glyphs
from tui.widgets.chart.raster import Scale, Spans, cells_where, codes_of, codes_renewed, spans_of

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Bits, Flags, Floats, Integers

MOST_MARKS = 0.5
"""Points are marked as long as there are at most so many a column of cells; more are a line."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve and the way it is drawn. Of several series the last one lies on top."""

    curve: Curve
    style_index: int = 0
    """Which of the palette's series styles, and which marker."""
    shadow: bool = False
    """Draw the values dim, and their moving average over them."""
    smooth: bool = False
    """Draw the moving average alone; for runs beside the one that matters."""
    points: bool = False
    """Mark each value; for few, far apart, such as evaluations."""
    label: str = ""
    """Shown in the legend; that of the curve by default. May come from a user."""

    @property
    def text(self) -> str:
        """The label to show."""
        return self.label or self.curve.label


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer as cells."""

    codes: Bits
    """Bits of the dots; rows x columns."""
    above: Flags
    """Columns with a value above the axis."""
    below: Flags
    """Columns with a value below the axis."""
    marks: tuple[Integers, Integers] | None
    """Rows and columns of points."""


class Layer:
    """The values, or with `strength` the moving average, of a series. What did not change is not computed again."""

    def __init__(self, series: Series, strength: float | None = None, *, dim: bool = False) -> None:
        self.series = series
        self.strength = strength
        self.dim = dim
        self._columns: tuple[object, Columns] | None = None
        self._version = -1
        self._shape: tuple[object, Columns, Spans, Shape] | None = None

    def values(self, *, log: bool) -> Floats:
        """The values to draw; NaN where there is none, or none that a logarithmic axis could show."""
        import numpy as np

        curve = self.series.curve
        values = curve.values if self.strength is None else curve.ema(self.strength)
        return np.where(values > 0, values, np.nan) if log and curve.nonpositive else values

    def columns(self, view: View, width: int, *, log: bool) -> Columns:
        """The values by dot column: the same object as long as nothing in view has changed."""
        curve = self.series.curve
        version, key = curve.version, (curve.rewritten, view, width, log)
        if self._columns is None or self._columns[0] != key:
            columns = columns_of(curve.steps, self.values(log=log), view, width)
        elif self._version != version:
            columns = columns_grown(self._columns[1], curve.steps, self.values(log=log), view, width)
        else:
            return self._columns[1]
        self._columns, self._version = (key, columns), version
        return columns

    def shape(self, columns: Columns, scale: Scale, glyphs: Glyphs, size: tuple[int, int]) -> Shape:
        """The cells, of `size` (width, height)."""
        key = (scale, glyphs, size)
        known = self._shape if self._shape is not None and self._shape[0] == key else None
        if known is not None and known[1] is columns:
            return known[3]
        spans = spans_of(columns, scale, size[0] * glyphs.across, 1 if self.series.points else glyphs.across)
        if known is None:
            codes = codes_of(spans.top, spans.bottom, glyphs, size[1])
        else:
            codes = codes_renewed(known[3].codes, known[2], spans, glyphs)
        few = columns.stop - columns.start <= max(MOST_MARKS * size[0], 1)
        marks = _marks(columns, scale, glyphs) if self.series.points and few else None
        above, below = cells_where(spans.above, glyphs.across), cells_where(spans.below, glyphs.across)
        shape = Shape(codes, above, below, marks)
        self._shape = (key, columns, spans, shape)
        return shape


def _marks(columns: Columns, scale: Scale, glyphs: Glyphs) -> tuple[Integers, Integers]:
    """Cells of the newest value of each dot column."""
    import numpy as np

    inside = columns.inside
    rows = scale.rows(columns.last[inside])
    shown = (rows >= -0.5) & (rows < scale.dots - 0.5)
    cells = np.floor(rows[shown] + 0.5).astype(np.int64) // glyphs.down
    return cells, columns.position[inside][shown] // glyphs.across
