"""Growing series of points (step, value), as a run writes them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.widgets.chart.averages import MovingAverage, decay_of

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Floats, Integers

LARGEST = 1e100
"""Values further from 0 are taken as infinite: sums of them, and room above them on an axis, would overflow."""


class Curve:
    """The values of one metric of one run by step; steps rise and are unique.

    `extend` only takes the points down; they are sorted in when somebody looks, so a curve that nobody sees costs
    nothing. All figures but `gaps` pass over NaN, which stands for values that are not finite.
    """

    def __init__(self, name: str, label: str = "") -> None:
        self.name = name
        self.label = label or name
        self.clear()

    def clear(self) -> None:
        """Forget all points."""
        self._pending: list[tuple[Sequence[int], Sequence[float | None]]] = []
        self._steps: Integers | None = None
        self._values: Floats | None = None
        self._count = 0
        self._averages: dict[float, MovingAverage] = {}
        self.rewritten = getattr(self, "rewritten", -1) + 1
        """A number that changes when points that were there have been changed or forgotten."""
        self._version = getattr(self, "_version", -1) + 1
        self._forget_figures()

    def extend(self, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """Add points, arrays or sequences of equal length. A step that is known takes the new value.

        None, NaN and infinities are gaps: the line is broken there.
        """
        if len(steps) != len(values):
            raise ValueError(f"{len(steps)} steps for {len(values)} values")
        if len(steps):
            self._pending.append((copy.copy(steps), copy.copy(values)))

    def __len__(self) -> int:
        self._settle()
        return self._count

    @property
    def version(self) -> int:
        """A number that changes with the points."""
        self._settle()
        return self._version

    @property
    def steps(self) -> Integers:
        """All steps, rising: a view that stays as it is until the next `extend`."""
        import numpy as np

        self._settle()
        return np.empty(0, np.int64) if self._steps is None else self._steps[: self._count]

    @property
    def values(self) -> Floats:
        """The values at `steps`; NaN where there is a gap."""
        import numpy as np

        self._settle()
        return np.empty(0) if self._values is None else self._values[: self._count]

    def ema(self, strength: float) -> Floats:
        """The debiased exponential moving average at `steps`; only what is new is computed.

        `strength` is the decay a step (0.98) or, from 1 on, a time constant in steps (50).
        """
        decay = decay_of(strength)
        steps = self.steps
        average = self._averages.get(decay)
        if average is None:
            average = self._averages[decay] = MovingAverage(decay)
        return average.follow(steps, self.values)

    def index_at(self, step: float) -> int | None:
        """The index of the newest point at or before `step`; None when there is none."""
        import numpy as np

        index = int(np.searchsorted(self.steps, math.floor(step), "right")) - 1
        return None if index < 0 else index

    @property
    def first_step(self) -> int | None:
        """The step of the first point."""
        steps = self.steps
        return int(steps[0]) if len(steps) else None

    @property
    def last_step(self) -> int | None:
        """The step of the newest point."""
        steps = self.steps
        return int(steps[-1]) if len(steps) else None

    @property
    def last(self) -> float:
        """The newest value, NaN too: a loss that has become NaN must not look as it did before."""
        values = self.values
        return float(values[-1]) if len(values) else math.nan

    @property
    def minimum(self) -> float:
        """The least value; NaN when there is none."""
        self._measure()
        return self._minimum

    @property
    def maximum(self) -> float:
        """The greatest value; NaN when there is none."""
        self._measure()
        return self._maximum

    @property
    def gaps(self) -> int:
        """How many points have no finite value."""
        self._measure()
        return self._gaps

    @property
    def nonpositive(self) -> int:
        """How many values are 0 or less, and so have no place on a logarithmic axis."""
        self._measure()
        return self._nonpositive

    def _forget_figures(self) -> None:
        self._measured = self._gaps = self._nonpositive = 0
        self._minimum = self._maximum = math.nan

    def _measure(self) -> None:
        """Bring the figures up to the newest point."""
        import numpy as np

        new = self.values[self._measured :]
        if not len(new):
            return
        self._measured = self._count
        self._gaps += int(np.count_nonzero(np.isnan(new)))
        self._nonpositive += int(np.count_nonzero(new <= 0))
        self._minimum = float(np.fmin(self._minimum, np.fmin.reduce(new)))
        self._maximum = float(np.fmax(self._maximum, np.fmax.reduce(new)))

    def _settle(self) -> None:
        """Sort in the points that came since somebody looked."""
        if not self._pending:
            return
        import numpy as np

        pending, self._pending = self._pending, []
        steps = np.concatenate([np.asarray(each, np.int64) for each, _ in pending])
        values = np.concatenate([np.asarray(each, np.float64) for _, each in pending])
        values[~(np.abs(values) <= LARGEST)] = np.nan
        rising = len(steps) == 1 or bool(np.all(steps[1:] > steps[:-1]))
        last = self._steps[self._count - 1] if self._steps is not None and self._count else None
        if not rising or (last is not None and steps[0] <= last):
            steps, values = self._merged(steps, values)
        self._append(steps, values)
        self._version += 1

    def _merged(self, steps: Integers, values: Floats) -> tuple[Integers, Floats]:
        """Cut off the points from the least new step on, and return them joined with the new ones."""
        import numpy as np

        if self._steps is not None and self._values is not None:
            kept = int(np.searchsorted(self._steps[: self._count], steps.min()))
            steps = np.concatenate([self._steps[kept : self._count], steps])
            values = np.concatenate([self._values[kept : self._count], values])
            self._count = kept
            self.rewritten += 1
            self._forget_figures()
            for average in self._averages.values():
                average.rewind(kept)
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
        newest = np.append(steps[1:] != steps[:-1], True)  # of equal steps the one that came last
        return steps[newest], values[newest]

    def _append(self, steps: Integers, values: Floats) -> None:
        import numpy as np

        count = self._count + len(steps)
        if self._steps is None or self._values is None or count > len(self._steps):
            room = max(count, 2 * self._count, 256)
            longer, larger = np.empty(room, np.int64), np.empty(room)
            if self._steps is not None and self._values is not None:
                longer[: self._count] = self._steps[: self._count]
                larger[: self._count] = self._values[: self._count]
            self._steps, self._values = longer, larger
        self._steps[self._count : count] = steps
        self._values[self._count : count] = values
        self._count = count
