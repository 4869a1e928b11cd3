"""A chart without its widget: what is shown, and the lines that show it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip

from engine import api
from tui.themes import Palette
from tui.widgets.chart import numerics
from tui.widgets.chart.canvas import Lines
from tui.widgets.chart.cursor import moved_step, nearest_step
from tui.widgets.chart.extent import Trace, joined
from tui.widgets.chart.frame import Layout, StepScale, message, step_axis, value_axis
from tui.widgets.chart.glyphs import Glyphs
from tui.widgets.chart.legend import Legend
from tui.widgets.chart.limits import Limits, StepRange
from tui.widgets.chart.painting import painted, series_style, styles_of
from tui.widgets.chart.raster import Scale
from tui.widgets.chart.readout import entries_of
from tui.widgets.chart.series import Series
from tui.widgets.chart.view import StepView

STRENGTHS: tuple[float | None, ...] = (None, 0.9, 0.98, 0.995)
"""Smoothings to choose from; None shows values as they are."""


class Plot:
    """Series of curves over the same steps, and the state of their chart.

    Nothing here knows the terminal, the clock or the event loop: the same calls give the same lines.
    """

    def __init__(self, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.title = ""
        self.unit = ""
        self.empty_text = "waiting for the first step"
        self.planned: int | None = None
        """The last step that is planned: where the axis ends."""
        self.cursor: int | None = None
        """The step that is read out."""
        self.log = False
        self.strength: float | None = 0.98
        self.view = StepView()
        self.traces: list[Trace] = []
        self.rescales = 0
        """How often the value axis has changed, which draws everything anew."""
        self.layout = Layout(0, 0)
        self._limits = Limits()
        self._steps = StepRange()
        self._lines = Lines()

    def set_series(self, series: Sequence[Series]) -> None:
        """Show these series, the last one on top."""
        known = {trace.series: trace for trace in self.traces}
        if {each.curve for each in series} != {trace.series.curve for trace in self.traces}:
            self._steps.reset()
            self._limits.reset()
        self.traces = [known.get(each) or Trace(each, self.strength) for each in series]

    def smooth(self, strength: float | None) -> None:
        """Average the series that want it so strongly; None shows values as they are."""
        self.strength = strength
        self.traces = [Trace(trace.series, strength) for trace in self.traces]
        self._limits.reset()

    def set_log(self, log: bool) -> None:
        """A logarithmic value axis, or a linear one."""
        self.log = log
        self._limits.reset()

    def look_closely(self) -> None:
        """Fit the value axis closely to what is in view the next time."""
        self._limits.reset()

    @property
    def scale(self) -> StepScale:
        """Where steps lie in the plot as it was last drawn."""
        return StepScale(self.view.range, max(self.layout.columns, 1), self.glyphs.across)

    def nearest(self, step: float) -> int | None:
        """The recorded step nearest to `step`."""
        return nearest_step((trace.series.curve for trace in self.traces), step)

    def neighbour(self, step: float, cells: int) -> int | None:
        """The recorded step about so many cells to the right of `step`, or to the left; None at the ends."""
        curves = [trace.series.curve for trace in self.traces]
        return moved_step(curves, step, cells * self.scale.cell_steps)

    @property
    def newest(self) -> int | None:
        """The last step of any curve."""
        steps = [trace.series.curve.last_step for trace in self.traces]
        return max((step for step in steps if step is not None), default=None)

    def draw(
        self, width: int, height: int, palette: Palette, *, focused: bool = False, numbered: bool = False
    ) -> list[Strip]:
        """The lines of the chart; `numbered` marks the newest point of each line by its number, for want of colour."""
        self.layout = Layout(width, height)
        if not self.layout.fits:
            return message(self.layout, "too small", palette.dim)
        if not numerics.loaded() or not self._advance():
            lines = message(self.layout, api.one_line(self.empty_text), palette.dim)
            head = Legend(api.one_line(self.title), api.one_line(self.unit), focused=focused)
            return [head.draw(width, palette), *lines[1:]]
        scale = self._value_scale()
        lines = self._lines.draw(
            painted(self, scale, numbered=numbered and len(self.traces) > 1),
            value_axis(scale, self.glyphs, self.layout.rows, palette),
            styles_of(self.traces, palette),
        )
        axis = step_axis(self.scale, palette, ruled=self.layout.ruled)
        return [self._legend(width, palette, focused=focused, numbered=numbered), *lines, *axis]

    def _advance(self) -> bool:
        """Take in what the curves have gained; whether there are any points."""
        firsts = [step for trace in self.traces if (step := trace.series.curve.first_step) is not None]
        newest = self.newest
        if newest is None:
            return False
        self.view.full = self._steps.fit(min(firsts), newest, self.planned)
        self.view.follow(newest)
        return True

    def _value_scale(self) -> Scale:
        """The value axis for what is in view; 0..1 or 0.1..1 where nothing is."""
        view, dots = self.view.range, self.layout.columns * self.glyphs.across
        rows = self.layout.rows * self.glyphs.down
        extent = joined([trace.extent(view, dots, log=self.log) for trace in self.traces])
        if extent is None:
            return Scale(0.1 if self.log else 0.0, 1.0, self.log, rows)
        self.rescales += self._limits.fit(*extent, log=self.log)
        return Scale(self._limits.low, self._limits.high, self.log, rows)

    def _legend(self, width: int, palette: Palette, *, focused: bool, numbered: bool) -> Strip:
        styles = [series_style(trace, palette) for trace in self.traces]
        entries = entries_of(self, styles, numbered=numbered and len(self.traces) > 1)
        return Legend(
            api.one_line(self.title),
            api.one_line(self.unit),
            "" if self.cursor is None else f"step {self.cursor}",
            entries,
            self._flags(),
            focused,
        ).draw(width, palette)

    def _flags(self) -> list[str]:
        """How the chart is set, where that is not how it starts, and the smoothing; the most important first."""
        flags = []
        if self.view.window is not None:
            first, last = self.view.window
            flags.append(f"{first:.0f}–{last:.0f}")
        if self.log:
            flags.append("log")
        if self.view.following:
            flags.append("follow")
        if any(trace.series.shadow or trace.series.smooth for trace in self.traces):
            flags.append("raw" if self.strength is None else f"EMA {self.strength}")
        return flags
