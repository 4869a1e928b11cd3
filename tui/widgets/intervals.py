"""A figure with its interval as a bar of text: `  ├──●─┤  `, on a scale that all rows of a table share."""

from __future__ import annotations


def interval_bar(
    value: float | None,
    low: float | None,
    high: float | None,
    width: int,
    start: float = 0.0,
    end: float = 1.0,
    mark: float | None = None,
) -> str:
    """A bar of `width` cells for a value between the ends of its interval.

    Args:
        value: the figure; None gives blanks.
        low: lower end of the interval; None where there is none: the value stands alone.
        high: upper end.
        width: cells.
        start: value at the left edge of the scale.
        end: value at the right edge.
        mark: another value to mark with `¦` where the bar leaves it visible, such as that of chance.
    """
    if width < 1 or end <= start:
        return ""
    cells = [" "] * width

    def place(figure: float) -> int:
        share = (min(max(figure, start), end) - start) / (end - start)
        return round(share * (width - 1))

    if mark is not None:
        cells[place(mark)] = "¦"
    if value is None:
        return "".join(cells)
    if low is not None and high is not None:
        first, last = place(low), place(high)
        cells[first : last + 1] = "─" * (last - first + 1)
        if first < last:
            cells[first], cells[last] = "├", "┤"
    cells[place(value)] = "●"
    return "".join(cells)
