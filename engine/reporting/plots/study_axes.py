"""What the plots of a study share: axes that fit their figures, many series that can be told apart, legends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from engine.reporting.names import cut
from engine.reporting.plots.canvas import COLOURS, MARKERS
from engine.reporting.study.forms import defined
from engine.study.results import Estimate, StudyChart
from engine.text import one_line

LINES = ("-", "--", ":")
CHARACTER = 0.072
"""Inches of an average character at the size of tick labels."""
LEGEND_LINE = 0.2
"""Inches of one line of a legend."""
Style = tuple[str, str, str]
"""Colour, marker, kind of line."""


def series_style(place: int) -> Style:
    """Of the series at this place: 18 can be told apart, each colour with three markers and kinds of lines."""
    turn = place // len(COLOURS)
    return COLOURS[place % len(COLOURS)], MARKERS[(place + 2 * turn) % len(MARKERS)], LINES[turn % len(LINES)]


def fitting(text: str, inches: float) -> str:
    """A title on one line, cut to what its panel has room for: it would push the panel to nothing else."""
    return cut(one_line(text).strip(), max(8, int(inches / CHARACTER)))


def ends(estimates: Iterable[Estimate]) -> list[float]:
    """All values and ends of intervals that are defined."""
    found = (defined(each) for each in estimates)
    return [value for each in found for value in (each.low, each.value, each.high) if value is not None]


def padded(values: Sequence[float], *, widest: float = 0.2) -> tuple[float, float]:
    """Ends of an axis with room at both; shares stay near 0 to 1, and small differences are not blown up.

    Args:
        values: what must lie between them.
        widest: smallest span for figures that are shares.
    """
    if not values:
        return -0.02, 1.02
    low, high = min(values), max(values)
    shares = low >= -1 and high <= 1
    if shares and high - low < widest:
        middle = (low + high) / 2
        low, high = middle - widest / 2, middle + widest / 2
    room = 0.06 * (high - low) or max(1.0, abs(high)) * 0.1
    low, high = low - room, high + room
    if shares and min(values) >= 0:
        low, high = max(low, -0.02), min(high, 1.02)
    return low, high


def names_of(charts: Iterable[StudyChart]) -> list[str]:
    """Names of the series of all charts, each once: the same series has one style in all panels."""
    return list(dict.fromkeys(series.name for chart in charts for series in chart.series))


def legend_columns(names: Sequence[str], width: float) -> int:
    """Columns that a legend with these names has room for."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), 6, int(width / (longest * CHARACTER + 0.5))))


def legend_height(names: Sequence[str], width: float) -> float:
    """Inches that it takes."""
    return LEGEND_LINE * -(-len(names) // legend_columns(names, width)) + 0.1 if names else 0.0


def legend(figure: Any, handles: Sequence[Any], names: Sequence[str], width: float) -> None:
    """One legend for all panels, below them."""
    figure.legend(
        handles, names, loc="outside lower left", ncols=legend_columns(names, width), frameon=False,
        handletextpad=0.4, columnspacing=1.2,
    )  # fmt: skip
