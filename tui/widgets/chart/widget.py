"""The chart as a widget, with messages that keep the charts of a screen together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message
from textual.reactive import var
from textual.strip import Strip

from tui.widgets.chart import numerics
from tui.widgets.chart.columns import View
from tui.widgets.chart.controls import ChartControls
from tui.widgets.chart.glyphs import GlyphName, glyphs_of
from tui.widgets.chart.plot import Plot
from tui.widgets.chart.series import Series


class Chart(ChartControls):
    """Curves over the steps of runs, live.

    Give it series once (`set_series`) and call `update` after their curves have grown. Where several charts show the
    same runs, pass `RangeChanged` and `CursorMoved` of one on to `set_range` and `set_cursor` of all of them.
    """

    DEFAULT_CSS = "Chart { width: 1fr; height: 1fr; }"

    planned: var[int | None] = var(None)
    """The last step that is planned; the step axis ends there. None: it grows."""
    title: var[str] = var("")
    unit: var[str] = var("")
    empty_text: var[str] = var("")
    """Shown as long as there are no points."""

    @dataclass
    class RangeChanged(Message):
        """Somebody zoomed or moved the chart, or it followed the newest step; None, None: it shows all steps."""

        chart: Chart
        first: float | None
        last: float | None

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    @dataclass
    class CursorMoved(Message):
        """The cursor was moved to a step; None: it was left."""

        chart: Chart
        step: int | None

        @property
        def control(self) -> Chart:
            """The chart."""
            return self.chart

    def __init__(
        self,
        title: str = "",
        *,
        unit: str = "",
        planned: int | None = None,
        empty_text: str = "waiting for the first step",
        glyphs: GlyphName = "auto",
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(Plot(glyphs_of(glyphs)), id=id, classes=classes)
        self._announced: tuple[View | None, int | None] = (None, None)
        self.title, self.unit, self.planned, self.empty_text = title, unit, planned, empty_text

    def set_series(self, series: Sequence[Series]) -> None:
        """Show these series; the last one lies on top."""
        self.plot.set_series(series)
        self.repaint()

    def update(self) -> None:
        """The curves have grown: draw what is new."""
        self.repaint()

    def set_range(self, first: float | None, last: float | None, origin: Chart | None = None) -> None:
        """Show steps `first` to `last` (None: to the end), or all without `first`, and say so to nobody.

        A chart that is the `origin` of the change stays as it is.
        """
        if origin is self:
            return
        if first is None:
            self.plot.view.fit()
        else:
            self.plot.view.place(first, last)
        self._announced = (self.plot.view.window, self.plot.cursor)
        self.plot.look_closely()
        self.repaint()
        self.refresh_bindings()

    def set_cursor(self, step: int | None, origin: Chart | None = None) -> None:
        """Read out `step`, or nothing, and say so to nobody."""
        if origin is self or step == self.plot.cursor:
            return
        self.plot.cursor = step
        self._announced = (self.plot.view.window, step)
        self.repaint()
        self.refresh_bindings()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines of the chart."""
        lines = self.plot.draw(width, height, self.palette, focused=self.has_focus, numbered=self.app.no_color)
        window, cursor = self.plot.view.window, self.plot.cursor
        before, self._announced = self._announced, (window, cursor)
        if window != before[0]:
            self.post_message(self.RangeChanged(self, *(window or (None, None))))
        if cursor != before[1]:
            self.post_message(self.CursorMoved(self, cursor))
        return lines

    def on_mount(self) -> None:
        """Load numpy beside the event loop, if nobody has."""
        if not numerics.loaded():
            self.run_worker(self._load_numpy())

    async def _load_numpy(self) -> None:
        await asyncio.to_thread(numerics.load)
        self.repaint()

    def watch_planned(self, planned: int | None) -> None:
        """The end of the step axis is known now."""
        self.plot.planned = planned
        self.repaint()

    def watch_title(self, title: str) -> None:
        """Another title."""
        self.plot.title = title
        self.repaint()

    def watch_unit(self, unit: str) -> None:
        """Another unit."""
        self.plot.unit = unit
        self.repaint()

    def watch_empty_text(self, text: str) -> None:
        """Another sentence for a chart without points."""
        self.plot.empty_text = text
        self.repaint()
