"""Real pixels on terminals that can: the kitty graphics protocol and sixel, as pure functions from bytes to text.

Only used when the settings ask for it, because a terminal that doesn't know them cannot be asked safely: over a slow
connection its answer arrives as key presses.

Kitty pictures are placed by Unicode placeholders: the image is transmitted once, and characters in ordinary cells show
it. Nothing has to be moved or erased when a dialog covers it, the screen changes or tmux scrolls. It takes kitty 0.28
or Ghostty, true colour, and in tmux `set -g allow-passthrough on`. Sixel goes through tmux 3.4 as it is.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from functools import lru_cache

CHUNK = 4096
"""Bytes of base64 that one kitty escape may carry."""

PLACEHOLDER = "\U0010eeee"
# Combining characters that count rows and columns, from the protocol's table: those of one code point or a range.
_MARKS = (
    "0305 030d-030e 0310 0312 033d-033f 0346 034a-034c 0350-0352 0357 035b 0363-036f 0483-0487 0592-0595 0597-0599 "
    "059c-05a1 05a8-05a9 05ab-05ac 05af 05c4 0610-0617 0657-065b 065d-065e 06d6-06dc 06df-06e2 06e4 06e7-06e8 "
    "06eb-06ec 0730 0732-0733 0735-0736 073a 073d 073f-0741 0743 0745 0747 0749-074a 07eb-07f1 07f3"
)
MARKS = tuple(
    chr(code) for low, _, high in (part.partition("-") for part in _MARKS.split())
    for code in range(int(low, 16), int(high or low, 16) + 1)
)  # fmt: skip
"""The mark of number n; a picture has at most that many columns and rows."""


def kitty_picture(
    pixels: bytes, width: int, height: int, colour: bool, *, image_id: int, columns: int, rows: int
) -> list[str]:
    """Escapes that transmit a picture under `image_id` and spread it over `columns` x `rows` cells of placeholders.

    The terminal is told to answer nothing. `kitty_line` gives the cells.
    """
    data = base64.standard_b64encode(png(pixels, width, height, colour)).decode("ascii")
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    head = f"a=t,f=100,q=2,i={image_id},"
    escapes = [
        f"\x1b_G{head if number == 0 else 'q=2,'}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    ]
    return [*escapes, f"\x1b_Ga=p,U=1,q=2,i={image_id},c={columns},r={rows}\x1b\\"]


def kitty_delete(image_id: int) -> str:
    """Forget a picture, data and all."""
    return f"\x1b_Ga=d,d=I,q=2,i={image_id}\x1b\\"


def kitty_line(row: int, columns: int) -> str:
    """The cells of one row of a picture. Each names its place, so that a line may be cut anywhere.

    Their foreground must be the true colour whose red, green and blue are the bytes of the image's id.
    """
    return "".join(PLACEHOLDER + MARKS[row] + MARKS[column] for column in range(columns))


def through_tmux(escape: str) -> str:
    """An escape for the terminal around tmux."""
    return "\x1bPtmux;" + escape.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def png(pixels: bytes, width: int, height: int, colour: bool) -> bytes:
    """8-bit grey or RGB pixels as a PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    stride = width * (3 if colour else 1)
    rows = b"".join(b"\0" + pixels[start : start + stride] for start in range(0, stride * height, stride))
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if colour else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


SIXEL_GREYS = 32
_CUBE = 6
"""Levels a channel of the colour palette: 216 colours."""
_REPEATED = re.compile(rb"(.)\1{3,}")


def sixel_picture(pixels: bytes, width: int, height: int, colour: bool) -> str:
    """The escape that draws a picture at the cursor: 32 greys, or 216 colours."""
    places = _colour_places(pixels) if colour else pixels.translate(_scaled(SIXEL_GREYS, 1))
    palette = _colour_palette() if colour else _grey_palette()
    bands = []
    for top in range(0, height, 6):
        rows = [places[start : start + width] for start in range(top * width, min(top + 6, height) * width, width)]
        bands.append(b"$".join(b"#%d" % place + _band(rows, place) for place in sorted(set(b"".join(rows)))))
    return f'\x1bP0;1;0q"1;1;{width};{height}{palette}' + b"-".join(bands).decode("ascii") + "\x1b\\"


def _band(rows: list[bytes], place: int) -> bytes:
    """Six rows of one colour as sixel characters, runs shortened."""
    bits = 0
    for row, line in enumerate(rows):
        # Whole rows at a time, as large integers: a loop over pixels would take ten times as long.
        bits |= int.from_bytes(line.translate(_single(place, row)), "big")
    characters = bits.to_bytes(len(rows[0]), "big").translate(_SIXELS).rstrip(b"?")
    return _REPEATED.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), characters)


_SIXELS = bytes((value + 63) & 0xFF for value in range(256))


@lru_cache(maxsize=6 * 256)
def _single(place: int, row: int) -> bytes:
    """A table that gives the bit of `row` where a pixel has this place in the palette, else 0."""
    return bytes((1 << row) if value == place else 0 for value in range(256))


@lru_cache(maxsize=8)
def _scaled(levels: int, factor: int) -> bytes:
    """A table from 0..255 to 0..levels - 1, times `factor`."""
    return bytes(round(value * (levels - 1) / 255) * factor for value in range(256))


def _colour_places(pixels: bytes) -> bytes:
    channels = (
        int.from_bytes(pixels[channel::3].translate(_scaled(_CUBE, _CUBE ** (2 - channel))), "big")
        for channel in range(3)
    )
    return sum(channels).to_bytes(len(pixels) // 3, "big")  # no carry: the largest sum is 215


@lru_cache(maxsize=1)
def _grey_palette() -> str:
    percents = [round(100 * place / (SIXEL_GREYS - 1)) for place in range(SIXEL_GREYS)]
    return "".join(f"#{place};2;{percent};{percent};{percent}" for place, percent in enumerate(percents))


@lru_cache(maxsize=1)
def _colour_palette() -> str:
    percents = [round(100 * level / (_CUBE - 1)) for level in range(_CUBE)]
    colours = [(red, green, blue) for red in percents for green in percents for blue in percents]
    return "".join(f"#{place};2;{red};{green};{blue}" for place, (red, green, blue) in enumerate(colours))
