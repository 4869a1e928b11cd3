"""The cells of the plot: one character and one style each. What is painted later covers what was there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.chart.glyphs import Glyphs, code_points
from tui.widgets.chart.series import Shape

if TYPE_CHECKING:
    from tui.widgets.chart.numerics import Flags, Integers


class Canvas:
    """A grid of `width` x `height` cells; styles are numbers into the list that `lines` is given.

    A cell has one colour, so the topmost series takes all of it: dots of another run in the colour of this one would
    be a wrong statement, dots that are covered are none.
    """

    def __init__(self, width: int, height: int, glyphs: Glyphs) -> None:
        import numpy as np

        self.glyphs = glyphs
        self.characters = np.full((height, width), ord(" "), np.uint32)
        self.styles = np.zeros((height, width), np.uint16)

    def rule(self, row: int, style: int) -> None:
        """A line of the grid."""
        self.characters[row] = ord(self.glyphs.grid)
        self.styles[row] = style

    def paint(self, shape: Shape, style: int, *, dim: bool) -> None:
        """A layer: its dots, and arrows at the edge where it goes beyond."""
        import numpy as np

        drawn = np.nonzero(shape.codes)
        if dim and self.glyphs.shadow:
            self.characters[drawn] = ord(self.glyphs.shadow)
        else:
            self.characters[drawn] = code_points(self.glyphs)[shape.codes[drawn]]
        self.styles[drawn] = style
        self._edge(0, shape.above, self.glyphs.above, style)
        self._edge(-1, shape.below, self.glyphs.below, style)

    def mark(self, shape: Shape, marker: str, style: int) -> None:
        """The points of a layer."""
        if shape.marks is not None:
            self.characters[shape.marks] = ord(marker)
            self.styles[shape.marks] = style

    def _edge(self, row: int, flags: Flags, arrow: str, style: int) -> None:
        self.characters[row, flags] = ord(arrow)
        self.styles[row, flags] = style

    def letter(self, row: int, column: int, character: str, style: int) -> None:
        """One character on top of what is there."""
        self.characters[row, column] = ord(character)
        self.styles[row, column] = style

    def upright(self, column: int, style: int, shift: int) -> None:
        """A dotted vertical line; styles of its cells are numbered `shift` higher."""
        free = (self.styles[:, column] == 0) | (self.characters[:, column] == ord(self.glyphs.grid))
        self.characters[free, column] = ord(self.glyphs.cursor)
        self.styles[free, column] = style
        self.styles[:, column] += shift


class Lines:
    """Turns canvases into lines, and keeps those lines whose cells are the same as last time."""

    def __init__(self) -> None:
        self._canvas: Canvas | None = None
        self._key: object = None
        self._heads: list[tuple[Segment, ...]] = []
        self._strips: list[Strip] = []

    def draw(self, canvas: Canvas, heads: list[tuple[Segment, ...]], styles: list[Style]) -> list[Strip]:
        """The lines: in each row the segments of `heads`, then the cells."""
        import numpy as np

        before, self._canvas = self._canvas, canvas
        known = before is not None and before.characters.shape == canvas.characters.shape and self._key == styles
        if known and before is not None:
            changed = (before.characters != canvas.characters) | (before.styles != canvas.styles)
            stale = np.any(changed, axis=1).tolist()
        else:
            stale = [True] * len(heads)
        strips = [
            _strip(head, canvas.characters[row], canvas.styles[row], styles)
            if stale[row] or self._heads[row] != head
            else self._strips[row]
            for row, head in enumerate(heads)
        ]
        self._key, self._heads, self._strips = styles, heads, strips
        return strips


def _strip(head: tuple[Segment, ...], characters: Integers, numbers: Integers, styles: list[Style]) -> Strip:
    import numpy as np

    text = characters.astype("<u4").tobytes().decode("utf-32-le")
    bounds = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), len(text)]
    cells = [Segment(text[start:stop], styles[numbers[start]]) for start, stop in pairwise(bounds)]
    return Strip([*head, *cells], sum(len(each.text) for each in head) + len(text))
