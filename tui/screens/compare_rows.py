"""The images on which a subject and the baseline differ, as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum

from engine import api
from tui.text import ELLIPSIS, width_of
from tui.themes import Palette
from tui.widgets.table import Cell, Column

FIXED, BROKEN = "+ fixed", "- broken"
WIDE_CELLS = 92
"""Width of the table from which the views have a column of their own."""
NO_P = "–"


class Shown(StrEnum):
    """Which of the images that changed are listed."""

    ALL = "fixed and broken"
    FIXED = "fixed"
    BROKEN = "broken"

    def next(self) -> Shown:
        """The one after this, in a circle."""
        order = list(Shown)
        return order[(order.index(self) + 1) % len(order)]


def change_columns(cells: int) -> tuple[Column, ...]:
    """Columns for a table of that width."""
    wide = cells >= WIDE_CELLS
    view = (Column("view", "view", 14, flex=1),) if wide else ()
    said = 14 if wide else 12
    return (
        Column("change", "change", 8),
        Column("path", "image", 18, flex=3),
        *view,
        Column("target", "target", said, flex=1),
        Column("before", "baseline", said, flex=1),
        Column("p_before", "P", 4, align="right"),
        Column("after", "subject", said, flex=1),
        Column("p_after", "P", 4, align="right"),
    )


class ChangesModel:
    """Rows of one pair; untrusted texts are made safe by the table."""

    def __init__(self, palette: Callable[[], Palette]) -> None:
        self._palette = palette
        self._changed: tuple[api.ChangedCase, ...] = ()
        self.rows: list[api.ChangedCase] = []
        self.shown = Shown.ALL

    def set_pair(self, pair: api.ComparedPair | None) -> None:
        """Show the images of another pair."""
        self._changed = () if pair is None else pair.changed
        self.show(self.shown)

    def show(self, which: Shown) -> None:
        """List all of them, or one kind."""
        self.shown = which
        wanted = {Shown.ALL: (True, False), Shown.FIXED: (True,), Shown.BROKEN: (False,)}[which]
        self.rows = [case for case in self._changed if case.fixed in wanted]

    def row_count(self) -> int:
        """Images listed."""
        return len(self.rows)

    def row_key(self, row: int) -> Hashable:
        """Path of the image: it stands in the list once."""
        return self.rows[row].path

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One image."""
        return [self._cell(self.rows[row], column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, case: api.ChangedCase, key: str, width: int) -> Cell:
        palette = self._palette()
        cells = {
            "change": (FIXED if case.fixed else BROKEN, palette.good if case.fixed else palette.bad),
            "path": (path_end(case.path, width), palette.text),
            "view": (case.view, palette.dim),
            "target": (case.target, palette.text),
            "before": (_said(case.before), palette.dim),
            "p_before": (_p(case.before), palette.dim),
            "after": (_said(case.after), palette.text),
            "p_after": (_p(case.after), palette.text),
        }
        return cells[key]


def path_end(path: str, width: int) -> str:
    """A path in so many cells; its end is kept, where the paths of a folder differ."""
    line = api.one_line(path)
    if width_of(line) <= width:
        return line
    end = line[-width:]
    while width_of(end) >= width and end:
        end = end[1:]
    return ELLIPSIS + end


def _said(answer: api.ComparedAnswer) -> str:
    """What came out; what is no answer is called by its name, so that it is not taken for one."""
    if answer.outcome in (api.Outcome.RIGHT, api.Outcome.WRONG):
        return answer.output
    return f"({str(answer.outcome).replace('_', ' ')}) {answer.output}"


def _p(answer: api.ComparedAnswer) -> str:
    return NO_P if answer.p_abnormal is None else api.figure(answer.p_abnormal)
