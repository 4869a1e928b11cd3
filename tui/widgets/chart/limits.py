"""Ends of the axes: round numbers that hold the data and change rarely.

Every change of an end moves everything in the chart, which over SSH is the dearest thing that a chart can do. So ends
leave head-room, grow at once when data would leave them, and shrink only when the data fill less than half of them.
"""

from __future__ import annotations

import math

from tui.widgets.chart.axes import multiple, nice_step

HEAD_ROOM = 0.08
"""Room beyond the data on either side, as a share of their range."""
FROM_ZERO = 0.35
"""An axis starts at zero when the least value is below this share of the greatest."""
STAYS_AT_ZERO = 0.6
"""An axis that starts at zero goes on doing so below this share."""
LEAST_FILL = 0.5
FEWEST_STEPS = 10
"""The shortest step axis."""
LEAST = 1e-100
"""What is nearer to zero is taken as zero, or on a logarithmic axis lies beyond its end."""
_MANTISSAS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)


class Limits:
    """The two ends of a value axis."""

    def __init__(self) -> None:
        self.low, self.high, self.log = 0.0, 1.0, False
        self._fitted = False

    def reset(self) -> None:
        """Fit closely next time, as after a change of what is shown."""
        self._fitted = False

    def fit(self, low: float, high: float, *, log: bool = False) -> bool:
        """Hold the data range low..high (above 0 where `log`); whether the ends have changed."""
        before = (self.low, self.high, self.log)
        if log:
            low, high = max(low, LEAST), max(high, LEAST)
        elif max(abs(low), abs(high)) < LEAST:
            low = high = 0.0
        if not self._fitted or log != self.log or not self._holds(low, high) or self._fill(low, high) < LEAST_FILL:
            self.low, self.high = nice_log(low, high) if log else nice_linear(low, high)
            self.log, self._fitted = log, True
        return before != (self.low, self.high, self.log)

    def _holds(self, low: float, high: float) -> bool:
        return self.low <= low and high <= self.high

    def _fill(self, low: float, high: float) -> float:
        """The share of the axis that the data take, counted from zero where the axis would start there."""
        if self.log:
            return math.log(high / low) / math.log(self.high / self.low)
        low, high = _base(low, high, STAYS_AT_ZERO if 0 in (self.low, self.high) else FROM_ZERO)
        return (high - low) / (self.high - self.low)


def _base(low: float, high: float, share: float = FROM_ZERO) -> tuple[float, float]:
    """A range widened to zero where zero is near, and to something where it is a single value."""
    if 0 < low <= share * high:
        low = 0.0
    elif 0 > high >= share * low:
        high = 0.0
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = min(low, 0.0), max(high, 0.0)
    return (0.0, 1.0) if low == high else (low, high)


def nice_linear(low: float, high: float) -> tuple[float, float]:
    """Round numbers around low..high, with head-room everywhere but at zero."""
    low, high = _base(low, high)
    room = HEAD_ROOM * (high - low)
    low = low if low == 0 else max(low - room, 0.0) if low > 0 else low - room
    high = high if high == 0 else min(high + room, 0.0) if high < 0 else high + room
    step = nice_step((high - low) / 8)
    return multiple(math.floor(low / step), step), multiple(math.ceil(high / step), step)


def nice_log(low: float, high: float) -> tuple[float, float]:
    """Round numbers above 0 around low..high: of 1, 1.5, 2, 3, 5, 7 times powers of ten, or finer around few."""
    decades = math.log10(high / low)
    if decades < 0.5:
        if decades < 1e-9:
            low, high = low / 1.5, high * 1.5
        step = nice_step((high - low) / 8)
        room = HEAD_ROOM * (high - low)
        bottom = multiple(math.floor((low - room) / step), step)
        return (bottom if bottom > 0 else low / 1.1), multiple(math.ceil((high + room) / step), step)
    room = 10 ** min(0.04 * decades, 0.1)
    return _below(low / room), _above(high * room)


def _below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max((power * each for each in _MANTISSAS if power * each <= value), default=power / 10)


def _above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min((power * each for each in _MANTISSAS if power * each >= value), default=power * 10)


class StepRange:
    """The two ends of the step axis of a chart that shows all: fixed where the end of training is known."""

    def __init__(self) -> None:
        self.first, self.last = 0.0, 0.0

    def reset(self) -> None:
        """Start anew, with other curves."""
        self.first, self.last = 0.0, 0.0

    def fit(self, first: int, last: int, planned: int | None) -> tuple[float, float]:
        """The range that holds steps first..last: to `planned` as long as that is enough, else to a round number."""
        if planned is not None and first >= 0 and last <= planned:
            return 0.0, float(max(planned, 1))
        if last > self.last or first < self.first or not self.last:
            start = 0.0 if 0 <= first <= max(last / 2, FEWEST_STEPS) else float(first)
            self.first = min(start, self.first) if self.last else start
            self.last = self.first + nice_step(max(last - self.first, FEWEST_STEPS))
        return self.first, self.last
