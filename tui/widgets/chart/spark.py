"""Charts of one line for cells of tables. Plain Python: tables are on screen before numpy is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

BLOCKS = "▁▂▃▄▅▆▇█"
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
_MOST_PER_BUCKET = 8


def sparkline(
    values: Sequence[float | None],
    width: int,
    low: float | None = None,
    high: float | None = None,
    glyphs: Literal["block", "braille"] = "block",
) -> str:
    """A line of `width` cells: one value a cell as a block of 8 heights, or two as braille dots of 4 heights.

    More values than fit are averaged, of which at most 8 a place are looked at; fewer leave cells at the right empty.
    None, NaN and infinities leave holes. `low` and `high` are the ends of the scale, by default those of the data;
    what lies beyond is drawn at the edge.
    """
    if width <= 0:
        return ""
    places = width * (2 if glyphs == "braille" else 1)
    points = _reduced(values, places)
    known = [value for value in points if value is not None]
    if not known:
        return " " * width
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    count = 4 if glyphs == "braille" else len(BLOCKS)
    levels = [None if value is None else _level(value, bottom, top, count) for value in points]
    levels += [None] * (places - len(levels))
    if glyphs == "braille":
        return "".join(_dots(left, right) for left, right in zip(levels[::2], levels[1::2], strict=True))
    return "".join(" " if level is None else BLOCKS[level] for level in levels)


def _reduced(values: Sequence[float | None], places: int) -> list[float | None]:
    """At most `places` values: each the mean of the known ones of its part."""
    count = len(values)
    if count <= places:
        return [_mean([value]) for value in values]
    bounds = [count * place // places for place in range(places + 1)]
    parts = (values[start : stop : max(1, (stop - start) // _MOST_PER_BUCKET)] for start, stop in pairwise(bounds))
    return [_mean(part) for part in parts]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _level(value: float, bottom: float, top: float, count: int) -> int:
    if not bottom < top:
        return count // 2 - 1
    share = (value - bottom) / (top - bottom)
    return min(max(round(share * (count - 1)), 0), count - 1)


def _dots(left: int | None, right: int | None) -> str:
    bits = (0 if left is None else _LEFT[left]) | (0 if right is None else _RIGHT[right])
    return chr(0x2800 + bits) if bits else " "
