"""The cursor's way along the recorded steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from tui.widgets.chart.curves import Curve


def nearest_step(curves: Iterable[Curve], target: float) -> int | None:
    """The recorded step of any curve that is nearest to `target`; None without points."""
    return min(_around(curves, target), key=lambda step: abs(step - target), default=None)


def moved_step(curves: Iterable[Curve], step: float, by: float) -> int | None:
    """The recorded step nearest to `step + by`; where that would not move, the next one in that direction."""
    curves = list(curves)
    found = nearest_step(curves, step + by)
    if found is not None and (found - step) * by > 0:
        return found
    beyond = [each for each in _around(curves, step + math.copysign(1e-9, by)) if (each - step) * by > 0]
    return min(beyond, key=lambda each: abs(each - step), default=None)


def _around(curves: Iterable[Curve], target: float) -> Iterator[int]:
    """The recorded steps of each curve next to `target`, on either side, and at it."""
    for curve in curves:
        steps, index = curve.steps, curve.index_at(target)
        before = -1 if index is None else index
        for each in (before - 1, before, before + 1):
            if 0 <= each < len(steps):
                yield int(steps[each])
