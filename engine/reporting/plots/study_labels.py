"""Labels beside points that do not cover each other, the points or their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.reporting.plots.picture import INK, MUTED

SIZE = 7.5
_RADII = (7, 12, 18, 26, 34, 42, 52, 62, 74, 88, 104, 122, 142, 165, 190)
"""Points from the marker to the label; near ones are tried first."""
_ANGLES = (0, 45, -45, 90, -90, 135, -135, 180, 22, -22, 68, -68, 112, -112, 158, -158)
_LED = 14
"""Points of distance from which a line leads to the label."""
_MARKER = 5.5
"""Half the side of what a marker takes, in points."""
Line = tuple[float, float, float, float]
"""Both ends of a line, in pixels."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    low: float
    right: float
    high: float

    def overlap(self, other: Box) -> float:
        """Area of what two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.high, other.high) - max(self.low, other.low)
        return width * height if width > 0 and height > 0 else 0.0

    def outside(self, frame: Box) -> float:
        """Area that lies outside of a frame."""
        return (self.right - self.left) * (self.high - self.low) - self.overlap(frame)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A point that wants a label."""

    x: float
    y: float
    low: float
    high: float
    """Ends of its interval on the y axis."""
    text: str
    colour: str


def place_labels(figure: Any, panel: Any, points: Sequence[Labelled]) -> list[Box]:
    """Write a label beside each point, where it is free: near it if possible, else further away with a line to it.

    The panel must have its final limits. Labels are kept out of the layout, which is made here: a later layout of the
    same figure changes nothing.

    Returns:
        The rectangles of the labels, in pixels of the figure.
    """
    figure.get_layout_engine().execute(figure)
    corners = panel.get_window_extent()
    page = _Page(figure, panel, Box(corners.x0, corners.y0, corners.x1, corners.y1), figure.dpi / 72)
    order = sorted(points, key=lambda each: (-each.y, each.x, each.text))
    drawn = {point: _drawn_boxes(page, point) for point in order}
    placed: list[Box] = []
    leads: list[Line] = []
    for point in order:
        others = [box for other in order if other is not point for box in drawn[other]]
        place = _place(page, point, [*drawn[point], *placed], others, leads)
        placed.append(place.box)
        leads += [] if place.lead is None else [place.lead]
    return placed


@dataclass(frozen=True, slots=True)
class _Page:
    figure: Any
    panel: Any
    frame: Box
    pixels: float
    """Pixels of a point."""

    def at(self, x: float, y: float) -> tuple[float, float]:
        left, low = self.panel.transData.transform((x, y))
        return float(left), float(low)


@dataclass(frozen=True, slots=True)
class _Place:
    cost: float
    box: Box
    corner: tuple[float, float]
    lead: Line | None


def _drawn_boxes(page: _Page, point: Labelled) -> tuple[Box, Box]:
    """What the marker of a point and its interval take."""
    x, y = page.at(point.x, point.y)
    half = _MARKER * page.pixels
    bar = Box(x - page.pixels, page.at(point.x, point.low)[1], x + page.pixels, page.at(point.x, point.high)[1])
    return Box(x - half, y - half, x + half, y + half), bar


def _place(page: _Page, point: Labelled, own: Sequence[Box], others: Sequence[Box], leads: Sequence[Line]) -> _Place:
    """Write the label of a point where it disturbs least.

    Args:
        page: what is drawn on.
        point: whose label it is.
        own: what the label must not cover, but the line to it may: the point itself, and labels.
        others: other points with their intervals, which neither may cover.
        leads: lines to other labels.
    """
    label = page.panel.annotate(
        point.text, (point.x, point.y), (0, 0), textcoords="offset points", fontsize=SIZE, color=INK, ha="left",
        va="bottom", annotation_clip=False, linespacing=1.05,
    )  # fmt: skip
    label.set_in_layout(False)
    size = label.get_window_extent(page.figure.canvas.get_renderer())
    best = min(
        (_tried(page, point, offset, (size.width, size.height), own, others, leads) for offset in
         _offsets(size.width / page.pixels, size.height / page.pixels)),
        key=lambda place: place.cost,
    )  # fmt: skip
    label.set_position(best.corner)
    if best.lead is not None:
        _draw_lead(page, best.lead)
    return best


def _tried(
    page: _Page, point: Labelled, offset: tuple[float, float, float], size: tuple[float, float],
    own: Sequence[Box], others: Sequence[Box], leads: Sequence[Line],
) -> _Place:  # fmt: skip
    """A label at one place, and how much it disturbs there."""
    radius, dx, dy = offset
    x, y = page.at(point.x, point.y)
    left, low = x + dx * page.pixels, y + dy * page.pixels
    box = Box(left - page.pixels, low, left + size[0] + page.pixels, low + size[1])
    lead = _lead(page, point, box) if radius >= _LED else None
    covered = [area for other in (*own, *others) if (area := box.overlap(other)) > 0]
    # Whatever a line to a label crosses, nothing is as bad as a label that covers something, however little of it.
    cost = 1000 * len(covered) + 10 * (sum(covered) + box.outside(page.frame)) + radius
    cost += 300 * sum(_crosses(each, box) for each in leads)
    if lead is not None:
        # The last of what is its own are labels; the first two are its marker and its interval, where it begins.
        cost += 300 * sum(_crosses(lead, other) for other in (*own[2:], *others))
        cost += 40 * sum(_cross(lead, other) for other in leads)
    return _Place(cost, box, (dx, dy), lead)


def _offsets(width: float, height: float) -> Iterator[tuple[float, float, float]]:
    """Distances and lower left corners of a label around its point, in points."""
    for radius in _RADII:
        for angle in _ANGLES:
            across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            # The corner or the middle of the side that looks at the point lies at the distance.
            yield radius, radius * across - width * (1 - across) / 2, radius * up - height * (1 - up) / 2


def _lead(page: _Page, point: Labelled, box: Box) -> Line:
    """From the marker to the nearest edge of the label; from the end of the interval to a label beyond it."""
    x, y = page.at(point.x, point.y)
    low, high = page.at(point.x, point.low)[1], page.at(point.x, point.high)[1]
    start = high if box.low > high else low if box.high < low else y
    return x, start, min(max(x, box.left), box.right), min(max(start, box.low), box.high)


def _draw_lead(page: _Page, lead: Line) -> None:
    inverse = page.panel.transData.inverted()
    (x0, y0), (x1, y1) = inverse.transform(lead[:2]), inverse.transform(lead[2:])
    line = page.panel.annotate(
        "", (x0, y0), (x1, y1), annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 0.5, "shrinkB": 2},
    )  # fmt: skip
    line.set_in_layout(False)


def _crosses(line: Line, box: Box) -> bool:
    """Whether a line goes through a rectangle (Liang and Barsky 1984)."""
    x0, y0, x1, y1 = line
    enter, leave = 0.0, 1.0
    for step, near, far in ((x1 - x0, box.left - x0, box.right - x0), (y1 - y0, box.low - y0, box.high - y0)):
        if abs(step) < 1e-9:
            if near > 0 or far < 0:
                return False
            continue
        first, last = sorted((near / step, far / step))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave


def _cross(one: Line, other: Line) -> bool:
    """Whether two lines cross."""

    def side(line: Line, x: float, y: float) -> float:
        return (line[2] - line[0]) * (y - line[1]) - (line[3] - line[1]) * (x - line[0])

    return side(one, *other[:2]) * side(one, *other[2:]) < 0 and side(other, *one[:2]) * side(other, *one[2:]) < 0
