"""A preview made ready for kitty or sixel: what to send to the terminal, and how many cells it takes."""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import sys
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.widgets import graphics
from tui.widgets.raster import fitted

if TYPE_CHECKING:
    from engine.api import Preview

KITTY_CELL = (8, 16)
"""Pixels a cell is given in a kitty picture; the terminal scales it to the cells that it has."""

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Picture:
    """A preview encoded for a terminal."""

    escapes: str
    columns: int
    rows: int
    number: int
    """Kitty's id of the picture; 0 for sixel."""


def sixel_picture(preview: Preview, cell: tuple[int, int]) -> Picture:
    """The preview as sixel, pixel by pixel, where a cell has `cell` pixels (width, height). Takes up to 0.3 s."""
    escapes = graphics.sixel_picture(preview.pixels, preview.width, preview.height, preview.colour)
    return Picture(escapes, -(-preview.width // cell[0]), -(-preview.height // cell[1]), 0)


def kitty_picture(preview: Preview, columns: int, rows: int) -> Picture:
    """The preview for kitty, scaled by the terminal to fit `columns` x `rows` cells."""
    most = len(graphics.MARKS)
    width, half_rows = fitted(preview.width, preview.height, min(columns, most), 2 * min(rows, most), enlarge=True)
    height = (half_rows + 1) // 2
    # 24 bits, as a colour has; no other program in this terminal is likely to use the same.
    number = (os.getpid() & 0xFFFF) << 8 | (next(_numbers) % 255 + 1)
    escapes = graphics.kitty_picture(
        preview.pixels, preview.width, preview.height, preview.colour, image_id=number, columns=width, rows=height
    )
    return Picture("".join(map(_around_tmux, escapes)), width, height, number)


def kitty_removal(picture: Picture) -> str:
    """What makes kitty free a picture."""
    return _around_tmux(graphics.kitty_delete(picture.number))


def _around_tmux(escape: str) -> str:
    return graphics.through_tmux(escape) if os.environ.get("TMUX") else escape


def terminal_cell_pixels() -> tuple[int, int] | None:
    """Width and height of a cell in pixels as the kernel knows it; None where it doesn't. The terminal isn't asked."""
    if sys.__stdout__ is None:
        return None
    try:
        answer = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, bytes(8))
    except (OSError, ValueError):
        return None  # no terminal
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if 0 < columns <= width and 0 < rows <= height else None
