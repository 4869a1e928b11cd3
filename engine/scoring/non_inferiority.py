"""What a 95 % interval says about a line that was declared beforehand: above it, below it, or neither.

Two one-sided tests at 2.5 % each are the same as looking where the two-sided 95 % interval lies (Schuirmann 1987). An
interval that holds the line decides nothing: it is no proof of either.
"""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """Where an interval lies."""

    ABOVE = "above"
    BELOW = "below"
    ACROSS = "across"
    """It holds the line: these cases don't decide."""


def non_inferiority(low: float, high: float, margin: float) -> Standing:
    """Whether a difference (new minus old) shows that the new one is worse by less than `margin`.

    ABOVE: non-inferior, the whole interval lies above -margin. BELOW: inferior, it lies below -margin.

    Args:
        low: lower end of the interval of the difference.
        high: upper end.
        margin: the largest loss that still counts as none, above 0.
    """
    if low > -margin:
        return Standing.ABOVE
    return Standing.BELOW if high < -margin else Standing.ACROSS


def reaches(low: float, high: float, threshold: float) -> Standing:
    """Whether a figure is at least `threshold` with its whole interval (ABOVE), below it with all of it, or neither."""
    if low >= threshold:
        return Standing.ABOVE
    return Standing.BELOW if high < threshold else Standing.ACROSS
