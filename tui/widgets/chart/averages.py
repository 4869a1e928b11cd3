"""Exponential moving averages that grow with their curve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Floats, Integers

SMALL = 48
"""Up to so many new points a plain loop is faster than numpy."""
LARGEST_EXPONENT = 200.0
"""Blocks end before 1 / decay**steps exceeds e to this power."""


def decay_of(strength: float) -> float:
    """The decay a step: `strength` itself below 1; from 1 on it is a time constant in steps. ValueError from 0 down."""
    if not strength > 0:
        raise ValueError(f"a smoothing strength is above 0, not {strength}")
    return strength if strength < 1 else min(math.exp(-1 / strength), 1 - 1e-12)


class MovingAverage:
    """The debiased moving average of points (step, value): each point weighs decay**(steps since then).

    Steps count, not points: runs that record every step and every tenth step are smoothed alike, and a hole in the
    steps makes what lies before it count less. A NaN has no average and no weight. Only what is new is computed.
    """

    def __init__(self, decay: float) -> None:
        import numpy as np

        self.decay = decay
        self._done = 0
        self._sums = np.empty(0)
        self._weights = np.empty(0)
        self._values = np.empty(0)

    def rewind(self, index: int) -> None:
        """Points from `index` on are about to change."""
        self._done = min(self._done, index)

    def follow(self, steps: Integers, values: Floats) -> Floats:
        """The averages of all points, of which those before the last call or `rewind` are known."""
        count = len(steps)
        if self._done < count:
            self._reserve(count)
            if count - self._done <= SMALL:
                self._loop(steps, values)
            else:
                self._blocks(steps, values)
            self._done = count
        return self._values[:count]

    def _reserve(self, count: int) -> None:
        import numpy as np

        if count <= len(self._values):
            return
        for name in ("_sums", "_weights", "_values"):
            old = getattr(self, name)
            new = np.empty(max(count, 2 * len(old)))
            new[: self._done] = old[: self._done]
            setattr(self, name, new)

    def _carried(self, steps: Integers, index: int) -> tuple[float, float]:
        """Sum and weight of what lies before `index`, decayed to its step."""
        if not index:
            return 0.0, 0.0
        fade = self.decay ** float(steps[index] - steps[index - 1])
        return float(self._sums[index - 1]) * fade, float(self._weights[index - 1]) * fade

    def _loop(self, steps: Integers, values: Floats) -> None:
        for index in range(self._done, len(steps)):
            total, weight = self._carried(steps, index)
            value = float(values[index])
            known = not math.isnan(value)
            if known:
                total, weight = total + value, weight + 1
            self._sums[index], self._weights[index] = total, weight
            self._values[index] = total / weight if known else math.nan

    def _blocks(self, steps: Integers, values: Floats) -> None:
        import numpy as np

        span = max(1, int(LARGEST_EXPONENT / -math.log(self.decay)))
        start = self._done
        while start < len(steps):
            stop = start + int(np.searchsorted(steps[start:], steps[start] + span))
            known = ~np.isnan(values[start:stop])
            fade = np.exp((steps[start:stop] - steps[start]) * math.log(self.decay))
            total, weight = self._carried(steps, start)
            sums = (total + np.cumsum(np.where(known, values[start:stop], 0.0) / fade)) * fade
            weights = (weight + np.cumsum(known / fade)) * fade
            self._sums[start:stop], self._weights[start:stop] = sums, weights
            self._values[start:stop] = np.where(known, sums / np.where(known, weights, 1.0), np.nan)
            start = stop
