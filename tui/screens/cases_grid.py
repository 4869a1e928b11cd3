"""The confusion table: the arrow keys go from cell to cell; the last row and column stand for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from engine import api
from tui.screens.cases_data import Cell
from tui.text import cut, fit, width_of
from tui.widgets.cells import CellWidget, line

LABEL_CELLS = 11
"""Of a label at the left, at least; a wide window gives it more."""
WIDE_LABEL_CELLS = 28
TITLE_CELLS = 14
TOTAL = "total"


class ConfusionGrid(CellWidget, can_focus=True):
    """Rows are what was annotated, columns what was said; `✓` marks cells whose answers are right."""

    HELP_TITLE = "Confusion table"
    DEFAULT_CSS = "ConfusionGrid { height: 5; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False, id="cases.up"),
        Binding("down,j", "move(1, 0)", "Down", show=False, id="cases.down"),
        Binding("left,h", "move(0, -1)", "Left", show=False, id="cases.left"),
        Binding("right,l", "move(0, 1)", "Right", show=False, id="cases.right"),
        Binding("home,g", "all", "All cases", show=False, id="cases.all", tooltip="All cases: total of the totals"),
        Binding("enter", "open", "List", id="cases.list", tooltip="To the list of the cases of this cell"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another cell."""

        cell: Cell

    class Opened(Message):
        """Enter was pressed, or a cell was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._table: api.ConfusionTable | None = None
        self._row = self._column = 0
        self._top = self._left = 0

    # ----- from the screen

    def show_table(self, table: api.ConfusionTable, cell: Cell) -> None:
        """Show a table, with the cursor on a cell."""
        self._table = table
        rows, columns = list(table.rows), list(table.columns)
        self._row = len(rows) if cell[0] is None else rows.index(cell[0])
        self._column = len(columns) if cell[1] is None else columns.index(cell[1])
        self.repaint()

    @property
    def lines_needed(self) -> int:
        """Head, rows and totals."""
        return 1 if self._table is None else len(self._table.rows) + 2

    @property
    def cell(self) -> Cell:
        """The cell under the cursor."""
        table = self._table
        if table is None:
            return None, None
        row = table.rows[self._row] if self._row < len(table.rows) else None
        return row, table.columns[self._column] if self._column < len(table.columns) else None

    # ----- keys and mouse

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by rows and columns."""
        self._go(self._row + rows, self._column + columns)

    def action_all(self) -> None:
        """To all cases."""
        if self._table is not None:
            self._go(len(self._table.rows), len(self._table.columns))

    def action_open(self) -> None:
        """To the list."""
        self.post_message(self.Opened())

    def _go(self, row: int, column: int) -> None:
        if self._table is None:
            return
        before = self._row, self._column
        self._row = max(0, min(row, len(self._table.rows)))
        self._column = max(0, min(column, len(self._table.columns)))
        if (self._row, self._column) != before:
            self.post_message(self.Moved(self.cell))
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; the second one goes to the list."""
        if self._table is None or event.y < 1:
            return
        label, widths = self._widths(self.content_size.width)
        at, column = label, None
        for place, width in enumerate(widths, start=self._left):
            if at <= event.x < at + width:
                column = place
            at += width
        if column is not None:
            same = (self._top + event.y - 1, column) == (self._row, self._column)
            self._go(self._top + event.y - 1, column)
            if same and event.chain > 1:
                self.action_open()

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """Head, rows, totals; what does not fit is scrolled to."""
        table, palette = self._table, self.palette
        if table is None:
            return [line((fit("counting …", width), palette.dim))][:height]
        body = max(1, height - 1)
        self._top = max(0, min(self._top, self._row))
        self._top = max(self._top, self._row - body + 1)
        self._scroll(width)
        label, widths = self._widths(width)
        shown = range(self._left, self._left + len(widths))
        titles = [*(api.label_text(column) for column in table.columns), TOTAL]
        corner = "target ‹" if self._left else "target"
        parts = [(fit(corner, label), palette.header)]
        parts += [
            (fit(titles[at], room - 1, "right") + " ", palette.header) for at, room in zip(shown, widths, strict=True)
        ]
        more = "›" if shown.stop < len(titles) else " "
        head = line(*parts).adjust_cell_length(width - 1, palette.header)
        strips = [Strip.join([head, line((more, palette.accent))])]
        last = min(len(table.rows) + 1, self._top + body)
        return [*strips, *(self._line(at, label, widths, width) for at in range(self._top, last))][:height]

    def _line(self, at: int, label: int, widths: Sequence[int], width: int) -> Strip:
        table, palette = self._table, self.palette
        assert table is not None  # noqa: S101 - `draw` has looked
        row = table.rows[at] if at < len(table.rows) else None
        name = TOTAL if row is None else api.label_text(row)
        own = at == self._row
        parts = [(fit(name, label - 1) + " ", palette.bold if own else palette.text)]
        for place, room in enumerate(widths, start=self._left):
            column = table.columns[place] if place < len(table.columns) else None
            count = table.count(row, column)
            text = cell_text(table, row, column, room - 1)
            style = self._style(count, row is None or column is None)
            if own and place == self._column:
                style = palette.cursor if self.has_focus else palette.selected
            parts += [(fit(text, room - 1, "right"), style), (" ", palette.text)]
        return line(*parts).adjust_cell_length(width, palette.text)

    def _style(self, count: api.CellCount, total: bool) -> Style:
        palette = self.palette
        if not count.n:
            return palette.dim
        if total or not count.scored:
            return palette.text
        return palette.good if count.right == count.n else palette.bad

    def _all_widths(self, width: int) -> tuple[int, list[int]]:
        """Cells of the labels and of every column, with shares where all of them fit."""
        table = self._table
        assert table is not None  # noqa: S101 - asked for a table only
        titles = [*(cut(api.label_text(column), TITLE_CELLS) for column in table.columns), TOTAL]
        longest = max((width_of(cut(api.label_text(row), WIDE_LABEL_CELLS)) for row in table.rows), default=0) + 1
        widths: list[int] = []
        for shares in (True, False):
            widths = [
                2 + max(width_of(title), *(len(text) for text in self._column_texts(table, place, shares=shares)))
                for place, title in enumerate(titles)
            ]
            widths = widths if sum(widths) + LABEL_CELLS < width else [each - 1 for each in widths]
            room = width - 1 - sum(widths)
            if room >= LABEL_CELLS:
                return min(room, max(LABEL_CELLS, longest)), widths
        return min(LABEL_CELLS, max(1, width // 3)), widths

    @staticmethod
    def _column_texts(table: api.ConfusionTable, place: int, *, shares: bool) -> Iterator[str]:
        column = table.columns[place] if place < len(table.columns) else None
        for row in (*table.rows, None):
            yield cell_text(table, row, column, 99 if shares else 0)

    def _widths(self, width: int) -> tuple[int, list[int]]:
        """Those in sight."""
        label, widths = self._all_widths(width)
        used = label
        shown: list[int] = []
        for each in widths[self._left :]:
            if used + each > width - 1 and shown:
                break
            used += each
            shown.append(each)
        return label, shown

    def _scroll(self, width: int) -> None:
        """The column of the cursor is in sight."""
        self._left = min(self._left, self._column)
        while self._column >= self._left + len(self._widths(width)[1]):
            self._left += 1
        label, widths = self._all_widths(width)
        while self._left and label + sum(widths[self._left - 1 :]) < width:  # there is room for one scrolled away
            self._left -= 1


def cell_text(table: api.ConfusionTable, row: api.Label | None, column: api.Label | None, room: int) -> str:
    """Number, `✓` where right, and the share of the row where there is room; None stands for the totals."""
    count = table.count(row, column)
    if not count.n:
        return "0"
    if column is None:
        return f"{count.n:,}"
    mark = "✓" if row is not None and count.right == count.n and count.scored else ""
    text = f"{count.n:,}{mark}"
    with_share = f"{text} {100 * count.n / table.count(row).n:>3.0f}%"
    return with_share if len(with_share) <= room else text
