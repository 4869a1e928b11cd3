"""What stands around the plot: the layout, the two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.themes import Palette
from tui.widgets.cells import line
from tui.widgets.chart.axes import LABEL_CELLS, linear_ticks, tick_labels, ticks_of
from tui.widgets.chart.columns import View
from tui.widgets.chart.glyphs import Glyphs
from tui.widgets.chart.legend import cut
from tui.widgets.chart.raster import Scale

MINIMUM = (20, 5)
"""Cells below which nothing can be read."""
GUTTER = LABEL_CELLS + 1
"""Cells at the left of every chart, so that charts above each other have their steps above each other."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts are: a line of legend, the plot at the right of the gutter, a rule if there is room, labels."""

    width: int
    height: int

    @property
    def fits(self) -> bool:
        """Whether there is room for a chart."""
        return self.width >= MINIMUM[0] and self.height >= MINIMUM[1]

    @property
    def ruled(self) -> bool:
        """Whether there is room for a rule between plot and labels."""
        return self.height >= 9

    @property
    def columns(self) -> int:
        """Cells across the plot."""
        return self.width - GUTTER

    @property
    def rows(self) -> int:
        """Cells down the plot."""
        return self.height - (3 if self.ruled else 2)

    def holds(self, x: int, y: int) -> bool:
        """Whether a cell of the widget is part of the plot."""
        return GUTTER <= x < self.width and 1 <= y <= self.rows


@dataclass(frozen=True, slots=True)
class StepScale:
    """Where steps lie in a plot of `columns` cells with `across` dots each."""

    view: View
    columns: int
    across: int

    @property
    def pitch(self) -> float:
        """Steps from one dot column to the next."""
        return (self.view[1] - self.view[0]) / max(self.columns * self.across - 1, 1)

    @property
    def cell_steps(self) -> float:
        """Steps from one cell to the next."""
        return self.pitch * self.across

    def cell(self, step: float) -> int | None:
        """The cell of a step; None outside of the view."""
        dot = math.floor((step - self.view[0]) / self.pitch + 0.5)
        return dot // self.across if 0 <= dot < self.columns * self.across else None

    def step(self, cell: int) -> float:
        """The step in the middle of a cell."""
        return self.view[0] + (cell * self.across + (self.across - 1) / 2) * self.pitch


def value_ticks(scale: Scale, rows: int) -> list[float]:
    """The values that get a label in a plot of so many rows of cells."""
    return ticks_of(scale.low, scale.high, 2 + rows // 6, log=scale.log)


def value_axis(scale: Scale, glyphs: Glyphs, rows: int, palette: Palette) -> list[tuple[Segment, ...]]:
    """The start of each row of the plot: a label and a tick, or the bare axis."""
    ticks = value_ticks(scale, rows)
    labels = dict(
        zip((tick_row(tick, scale, glyphs) for tick in ticks), tick_labels(ticks, log=scale.log), strict=True)
    )
    bare = (Segment(" " * LABEL_CELLS, palette.dim), Segment("│", palette.track))
    return [
        (Segment(f"{labels[row]:>{LABEL_CELLS}}", palette.dim), Segment("┤", palette.track)) if row in labels else bare
        for row in range(rows)
    ]


def tick_row(value: float, scale: Scale, glyphs: Glyphs) -> int:
    """The row of cells in which a value lies."""
    return min(max(math.floor(scale.row(value) + 0.5), 0), scale.dots - 1) // glyphs.down


def step_axis(scale: StepScale, palette: Palette, *, ruled: bool) -> list[Strip]:
    """The lines under the plot: a rule with ticks if `ruled`, and labels."""
    first, last = scale.view
    places = []
    whole = last - first >= 2
    ticks = linear_ticks(first, last, max(2, scale.columns // 10))
    ticks = [tick for tick in ticks if tick == int(tick)] if whole else ticks
    for tick, label in zip(ticks, tick_labels(ticks), strict=True):
        cell = scale.cell(tick)
        if cell is not None:
            places.append((cell, label))
    gutter = f"{'step' if scale.columns >= 30 else '':>{LABEL_CELLS - 1}} "
    labels = line((gutter, palette.dim), (_placed(places, scale.columns + 1), palette.dim))
    if not ruled:
        return [labels]
    rule = ["─"] * scale.columns
    for cell, _ in places:
        rule[cell] = "┬"
    return [line((" " * LABEL_CELLS + "└" + "".join(rule), palette.track)), labels]


def _placed(places: list[tuple[int, str]], width: int) -> str:
    """Labels centred under their cells, one to the left of which is the axis; those that would touch are left out."""
    text = ""
    for cell, label in places:
        start = min(max(cell + 1 - len(label) // 2, 0), width - len(label))
        if start >= len(text) + (1 if text else 0):
            text += " " * (start - len(text)) + label
    return text.ljust(width)


def message(layout: Layout, text: str, style: Style) -> list[Strip]:
    """A sentence in the middle of an otherwise empty chart."""
    text = cut(text, layout.width)
    left = (layout.width - cell_len(text)) // 2
    blank = Strip([Segment(" " * layout.width, style)], layout.width)
    rows = [blank] * layout.height
    if rows:
        rows[len(rows) // 2] = line((" " * left + text, style)).adjust_cell_length(layout.width, style)
    return rows
