"""The characters of which charts are made: braille, or blocks for consoles without it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Bits, Codes

GlyphName = Literal["auto", "braille", "block"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A way to draw: how many dots a cell has, which bit each of them is, and which character shows which bits."""

    bits: tuple[tuple[int, ...], ...]
    """Bits of the dots of a cell by column, from top to bottom."""
    characters: str
    """The character of each combination of bits; that of none is a space."""
    shadow: str
    """The character of every cell with raw values behind a line; empty where those are drawn by dots."""
    markers: str
    """Of points, in the order of the series' styles."""
    above: str
    below: str
    line: str
    """The marker of a line in the legend."""
    cursor: str
    grid: str

    @property
    def across(self) -> int:
        """Dot columns a cell."""
        return len(self.bits)

    @property
    def down(self) -> int:
        """Dot rows a cell."""
        return len(self.bits[0])


BRAILLE = Glyphs(
    bits=((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)),
    characters=" " + "".join(map(chr, range(0x2801, 0x2900))),
    shadow="",
    markers="●◆■○◇",
    above="▴",
    below="▾",
    line="━",
    cursor="┊",
    grid="┈",
)
BLOCK = Glyphs(
    bits=((1, 2),),
    characters=" ▀▄█",
    shadow="·",
    markers="o*x+#",
    above="^",
    below="v",
    line="─",
    cursor="│",
    grid=" ",
)


def glyphs_of(name: GlyphName) -> Glyphs:
    """The glyphs of that name; "auto" takes blocks on the Linux console, whose fonts have no braille."""
    if name == "auto":
        return BLOCK if os.environ.get("TERM", "") in ("linux", "vt100", "vt220") else BRAILLE
    return BRAILLE if name == "braille" else BLOCK


@cache
def span_bits(glyphs: Glyphs) -> tuple[Bits, ...]:
    """For each dot column of a cell, at index a * (down + 1) + b, the bits of its rows from a up to b (exclusive)."""
    import numpy as np

    ends = range(glyphs.down + 1)
    return tuple(np.array([sum(column[a:b]) for a in ends for b in ends], np.uint8) for column in glyphs.bits)


@cache
def code_points(glyphs: Glyphs) -> Codes:
    """The code point for each combination of bits."""
    import numpy as np

    return np.array([ord(each) for each in glyphs.characters], np.uint32)
