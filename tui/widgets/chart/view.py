"""Which steps a chart shows: all of them, or a window that is zoomed, moved, and kept on the newest. Plain Python."""

from __future__ import annotations

from tui.widgets.chart.columns import View

FEWEST_STEPS = 8.0
"""No window is narrower."""
LEAP = 0.25
"""A window that follows leaps ahead by this share of itself: moving with every step would draw everything each time."""


class StepView:
    """The visible range of steps, within `full`."""

    def __init__(self) -> None:
        self.full: View = (0.0, 1.0)
        self.window: View | None = None
        self.following = False

    @property
    def range(self) -> View:
        """The first and last visible step."""
        return self.window or self.full

    @property
    def span(self) -> float:
        """How many steps are visible."""
        first, last = self.range
        return last - first

    def place(self, first: float, last: float | None) -> None:
        """Show exactly this window, even beyond what there is; from `first` to the end without `last`."""
        self.window = (first, max(self.full[1] if last is None else last, first + 1e-6))

    def show(self, first: float, span: float) -> bool:
        """Show `span` steps from `first` on, moved and cut to what there is; whether anything changes."""
        start, end = self.full
        before = self.window
        span = max(span, FEWEST_STEPS)
        if span >= end - start:
            self.window, self.following = None, False
        else:
            first = min(max(first, start), end - span)
            self.window = (first, first + span)
        return self.window != before

    def fit(self) -> bool:
        """Show everything."""
        changed = self.window is not None
        self.window, self.following = None, False
        return changed

    def zoom(self, factor: float, at: float) -> bool:
        """Show `factor` times as many steps; the step `at` stays where it is on screen."""
        first, last = self.range
        start, end = self.full
        span = max((last - first) * factor, min(FEWEST_STEPS, end - start))
        share = min(max((at - first) / (last - first), 0.0), 1.0)
        return self.show(at - share * span, span)

    def pan(self, steps: float) -> bool:
        """Move the window by so many steps; nothing moves where everything is shown."""
        first, last = self.range
        return self.window is not None and self.show(first + steps, last - first)

    def reveal(self, step: float) -> None:
        """Move the window just so far that `step` is in it."""
        first, last = self.range
        self.pan(min(step - first, 0.0) + max(step - last, 0.0))

    def follow(self, newest: float | None) -> bool:
        """Leap ahead when the newest step has left the window of a view that follows."""
        if not self.following or self.window is None or newest is None:
            return False
        first, last = self.window
        if first <= newest <= last:
            return False
        span = last - first
        return self.show(newest - (1 - LEAP) * span, span)
