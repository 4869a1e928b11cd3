"""Pixels as cells: two in each cell by half blocks, or one by a ramp of characters where there is no colour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from engine.api import Preview

UPPER_HALF = "▀"
RAMP = " .:-=+*#%@"
"""Ten levels from black to white on a dark ground."""

GREY_LEVELS = 64
"""More cannot be told apart in cells; with fewer, equal neighbours become one segment, which saves bandwidth."""
COLOUR_LEVELS = 32

Pixel = int | tuple[int, int, int] | None
"""A grey level, or (red, green, blue); None: nothing is drawn there."""


def quantised(levels: int) -> bytes:
    """A table for `bytes.translate` that leaves `levels` evenly spaced values of the 256."""
    return bytes(round(round(value * (levels - 1) / 255) * 255 / (levels - 1)) for value in range(256))


_GREY_TABLE, _COLOUR_TABLE = quantised(GREY_LEVELS), quantised(COLOUR_LEVELS)
_RAMP_PLACES = bytes(min(value * len(RAMP) // 256, len(RAMP) - 1) for value in range(256))


def fitted(width: int, height: int, box_width: int, box_height: int, *, enlarge: bool = False) -> tuple[int, int]:
    """The largest size with these proportions that fits the box; no side falls below 1."""
    scale = min(box_width / width, box_height / height)
    if not enlarge:
        scale = min(scale, 1.0)
    return max(1, round(width * scale)), max(1, round(height * scale))


def pixel_rows(preview: Preview, width: int, height: int) -> list[Sequence[Pixel]]:
    """Rows of quantised pixels in another size (nearest neighbour: the engine has done the fine scaling)."""
    pixels = preview.pixels.translate(_COLOUR_TABLE if preview.colour else _GREY_TABLE)
    stride = preview.width * (3 if preview.colour else 1)
    columns = [x * preview.width // width for x in range(width)]
    rows = []
    for y in range(height):
        start = (y * preview.height // height) * stride
        data = pixels[start : start + stride]
        row: Sequence[Pixel] = data
        if preview.colour:
            row = list(zip(data[0::3], data[1::3], data[2::3], strict=True))
        rows.append(row if width == preview.width else [row[x] for x in columns])
    return rows


def half_cells(preview: Preview, width: int, height: int) -> list[list[Segment]]:
    """The preview in `width` x `height` half-cell pixels: (height + 1) // 2 lines of segments."""
    rows: list[Sequence[Pixel]] = pixel_rows(preview, width, height)
    if height % 2:
        rows.append([None] * width)
    return [
        [_segment(top, bottom, sum(1 for _ in run)) for (top, bottom), run in groupby(zip(upper, lower, strict=True))]
        for upper, lower in zip(rows[0::2], rows[1::2], strict=True)
    ]


def _segment(top: Pixel, bottom: Pixel, width: int) -> Segment:
    if top == bottom:
        return Segment(" " * width, _style(None, bottom))
    return Segment(UPPER_HALF * width, _style(top, bottom))


@lru_cache(maxsize=16_384)
def _style(top: Pixel, bottom: Pixel) -> Style:
    return Style.from_color(_colour(top), _colour(bottom))


@lru_cache(maxsize=4096)
def _colour(pixel: Pixel) -> Color | None:
    if pixel is None:
        return None
    return Color.from_rgb(*(pixel if isinstance(pixel, tuple) else (pixel, pixel, pixel)))


def ramp_lines(preview: Preview, width: int, height: int, *, dark_ground: bool = True) -> list[str]:
    """The preview in `width` x `height` half-cell pixels as characters, (height + 1) // 2 lines."""
    ramp = RAMP if dark_ground else RAMP[::-1]
    rows = [[_grey(pixel) for pixel in row] for row in pixel_rows(preview, width, height)]
    if height % 2:
        rows.append(rows[-1])
    return [
        "".join(ramp[_RAMP_PLACES[(top + bottom) // 2]] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[0::2], rows[1::2], strict=True)
    ]


def _grey(pixel: Pixel) -> int:
    if isinstance(pixel, tuple):
        red, green, blue = pixel
        return int(0.299 * red + 0.587 * green + 0.114 * blue)
    return pixel or 0
