"""Fields of letters: points of a trade-off, and curves as small multiples on one scale. Values in, paragraphs out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from string import ascii_letters

from engine import api
from tui.screens.study_figures import bounds
from tui.text import cut, fit
from tui.widgets.lines import Paragraph, Piece

ROWS, MOST_CELLS, LEAST_CELLS = 12, 90, 30
SMALL_ROWS, SMALL_CELLS = 8, 22
AXIS_CELLS = 7
NAME_CELLS = 26
MOST_STEPS = 10
"""Into so many round parts a scale is divided at most."""


class Field:
    """Characters in rows and columns; what is put there first stays."""

    def __init__(self, rows: int, cells: int, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._rows, self._width = rows, cells
        self._x, self._y = x, y
        self._cells: list[list[Piece]] = [[(" ", "dim")] * cells for _ in range(rows)]

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Column and row of a point; what lies beyond is at the edge."""
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        down = (self._y[1] - y) / (self._y[1] - self._y[0])
        column, row = round(across * (self._width - 1)), round(down * (self._rows - 1))
        return max(0, min(self._width - 1, column)), max(0, min(self._rows - 1, row))

    def point(self, x: float, y: float, letter: str) -> None:
        """A letter in the nearest free cell of its row: points that lie on each other stand beside each other."""
        column, row = self.place(x, y)
        free = [place for place, (text, _) in enumerate(self._cells[row]) if text in " ·"]
        if free:
            self._cells[row][min(free, key=lambda place: (abs(place - column), place))] = (letter, "accent")

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Dots from one point to another, where nothing stands yet."""
        first, last = self.place(*start), self.place(*end)
        for column in range(first[0] + 1, last[0]):
            share = (column - first[0]) / (last[0] - first[0])
            row = round(first[1] + share * (last[1] - first[1]))
            if self._cells[row][column][0] == " ":
                self._cells[row][column] = ("·", "dim")

    def row(self, number: int) -> list[Piece]:
        """One row, as few pieces as it has tones."""
        return [
            ("".join(text for text, _ in cells), tone)
            for tone, cells in groupby(self._cells[number], key=lambda cell: cell[1])
        ]


def letters(count: int) -> list[str]:
    """The letters of so many points or curves."""
    return [ascii_letters[place % len(ascii_letters)] for place in range(count)]


def round_scale(low: float, high: float) -> tuple[float, float]:
    """Round figures around a range; never empty."""
    span = high - low
    if span <= 0:
        span = abs(low) / 2 or 1.0
    power = 10.0 ** math.floor(math.log10(span))
    step = next(step for step in (power / 10, power / 5, power / 2, power) if span / step <= MOST_STEPS)
    first, last = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return first, last if last > first else first + step


def _label(value: float) -> str:
    return f"{value:.4g}"


def ends(scale: tuple[float, float], cells: int) -> str:
    """Both ends of a scale, at the edges of so many cells."""
    left, right = map(_label, scale)
    return left + " " * max(1, cells - len(left) - len(right)) + right


# ----- trade-offs


def trade_off(chart: api.StudyChart, scale: tuple[float, float], width: int) -> Iterator[Paragraph]:
    """A letter for every point; below the field the points by their letters."""
    points = [
        (point.label or series.name, float(point.x), point.estimate, point.estimate.value)
        for series in chart.series
        for point in series.points
        if not isinstance(point.x, str) and point.estimate.value is not None
    ]
    if not points:
        return
    cells = max(LEAST_CELLS, min(MOST_CELLS, width - AXIS_CELLS - 4))
    x_scale = round_scale(min(x for _, x, _, _ in points), max(x for _, x, _, _ in points))
    field = Field(ROWS, cells, x_scale, scale)
    for letter, (_, x, _, value) in zip(letters(len(points)), points, strict=True):
        field.point(x, value or 0.0, letter)
    for row in range(ROWS):
        yield [(_axis(row, ROWS, scale), "dim"), (" │", "track"), *field.row(row)]
    yield [(" " * (AXIS_CELLS + 1) + "└" + "─" * cells, "track")]
    yield [(" " * (AXIS_CELLS + 2) + ends(x_scale, cells), "dim")]
    for letter, (name, x, found, value) in zip(letters(len(points)), points, strict=True):
        words = f"{api.figure(value or 0.0)} ({bounds(found)}), {chart.x_label or 'x'} {api.number(x)}"
        yield [(f"   {letter} ", "accent"), (f"{cut(name, NAME_CELLS)}  ", "text"), (words, "dim")]


def _axis(row: int, rows: int, scale: tuple[float, float]) -> str:
    label = {0: _label(scale[1]), rows - 1: _label(scale[0])}.get(row, "")
    return label.rjust(AXIS_CELLS)


# ----- small multiples


def multiples(charts: Sequence[api.StudyChart], scale: tuple[float, float], width: int) -> Iterator[Paragraph]:
    """Curves in small fields beside each other, as many as fit, all on one scale; a letter for every point."""
    fits = max(1, (width - AXIS_CELLS) // (SMALL_CELLS + 3))
    for first in range(0, len(charts), fits):
        together = charts[first : first + fits]
        fields = [_curves(chart, scale) for chart in together]
        yield [
            (" " * (AXIS_CELLS + 2), "dim"),
            *((f"{fit(chart.title, SMALL_CELLS)}   ", "header") for chart in together),
        ]
        for row in range(SMALL_ROWS):
            pieces: list[Piece] = [(_axis(row, SMALL_ROWS, scale), "dim")]
            for field, _ in fields:
                pieces += [(" │", "track"), *field.row(row), (" ", "dim")]
            yield pieces
        below = "".join(f" └{ends(x_scale, SMALL_CELLS)} " for _, x_scale in fields)
        yield [(" " * AXIS_CELLS + below, "dim")]


def _curves(chart: api.StudyChart, scale: tuple[float, float]) -> tuple[Field, tuple[float, float]]:
    curves = [
        [
            (float(point.x), point.estimate.value)
            for point in series.points
            if not isinstance(point.x, str) and point.estimate.value is not None
        ]
        for series in chart.series
    ]
    places = [x for curve in curves for x, _ in curve] or [0.0, 1.0]
    x_scale = (min(places), max(places) if max(places) > min(places) else min(places) + 1)
    field = Field(SMALL_ROWS, SMALL_CELLS, x_scale, scale)
    for letter, curve in zip(letters(len(curves)), curves, strict=True):
        for x, value in curve:
            field.point(x, value, letter)
    for curve in curves:
        for start, end in pairwise(curve):
            field.line(start, end)
    return field, x_scale
