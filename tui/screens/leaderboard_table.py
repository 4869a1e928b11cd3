"""The table of the leaderboard: references and pinned rows stay on top, and the cursor can go up to them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.screens.leaderboard_columns import SIGNS, room_for, table_columns
from tui.screens.leaderboard_rows import BoardModel, Row
from tui.widgets.table import Column, Table

FROZEN_COLUMNS = 2
BARE = (Column(SIGNS, "", 2), Column("name", "run", 16, flex=1))


class BoardTable(Table, inherit_bindings=False):
    """A cursor below 0 is on a frozen row, -1 on the last of them: they are reached from the first row, upwards."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Table.bindings_but("table.last"),  # the screen has `G`
        Binding("end", "move_to(-1)", "Last row", show=False, id="table.last"),
    ]

    model: BoardModel

    def __init__(self, model: BoardModel, moved: Callable[[], None]) -> None:
        """`moved`: see `Table`."""
        super().__init__(BARE, model, frozen_columns=FROZEN_COLUMNS, moved=moved)

    # ----- what the screen calls

    def show_board(self, sort: tuple[str, bool], *, first: bool = False) -> None:
        """The model has another board, sorted by that field; `first` puts the cursor on its first row."""
        self.sort = sort
        self._lay_out()
        if first:
            self._place(0)
            self.repaint()
        else:
            self.rows_changed()

    def current_row(self) -> Row | None:
        """The row under the cursor; None where there is none."""
        place = self._frozen_place()
        if place is not None:
            return self.model.frozen[place]
        return self.model.rows[self.cursor] if 0 <= self.cursor < len(self.model.rows) else None

    def bring_into_sight(self, key: str) -> None:
        """Scroll until a column is in sight."""
        width = self._text_width(self.content_size.width)
        order = [column.key for column in self.columns[self.frozen_columns :]]
        if key not in order:
            return
        before = self._left
        if order.index(key) < self._left:
            self._left = order.index(key)
        while self._left < order.index(key) and key not in (column.key for column in self._shown(width)[0]):
            self._left += 1
        if self._left != before:
            self.repaint()

    def rows_in_sight(self) -> list[Row]:
        """The frozen rows, then those on the screen."""
        return [*self.model.frozen, *(self.model.rows[row] for row in self.visible_rows())]

    # ----- the cursor

    def cursor_key(self) -> Hashable | None:
        """Key of the row under the cursor, which may be frozen."""
        place = self._frozen_place()
        return super().cursor_key() if place is None else self.model.frozen_key(place)

    def rows_changed(self) -> None:
        """The cursor stays on its row; on a frozen one that is gone it goes to the nearest."""
        if self.cursor >= 0:
            super().rows_changed()
            return
        count = self._frozen_count()
        keys = [self.model.frozen_key(place) for place in range(count)]
        self._place(keys.index(self._key) - count if self._key in keys else max(self.cursor, -count))
        self.repaint()

    def action_move(self, by: int) -> None:
        """Move the cursor by rows; pages end at the first row, and only the next step leads to the frozen ones."""
        if by < -1 and self.cursor > 0:
            by = max(by, -self.cursor)
        super().action_move(by)

    def _place(self, row: int) -> None:
        count = self._frozen_count()
        if row >= 0 or not count:
            super()._place(row)
        else:
            self.cursor, self._top = max(row, -count), 0
            self._take_key(self.cursor_key())

    def _frozen_place(self) -> int | None:
        """The place of the cursor among the frozen rows."""
        place = self._frozen_count() + self.cursor
        return place if self.cursor < 0 <= place < len(self.model.frozen) else None

    def on_click(self, event: events.Click) -> None:
        """A click on a frozen row; the table's own handler, which Textual calls too, sees to the others."""
        place, count = event.y - 1, self._frozen_count()
        if 0 <= place < count:
            again = self.cursor == place - count and event.chain > 1
            self._place(place - count)
            self.repaint()
            if again:
                self.action_open()

    def on_resize(self, _event: events.Resize) -> None:
        """Another width may leave more or less room for intervals."""
        self._lay_out()

    # ----- drawing

    def _lay_out(self) -> None:
        width, board = self.content_size.width, self.model.board
        if board is not None:
            self.model.room = room_for(width)
            self.columns = table_columns(board, width, versus=self.model.baseline is not None)
            self._left = max(0, min(self._left, len(self.columns) - self.frozen_columns - 1))

    def draw(self, width: int, height: int) -> list[Strip]:
        """As every table, and the cursor on a frozen row."""
        strips = super().draw(width, height)
        place = self._frozen_place()
        if place is not None and place + 1 < len(strips):
            columns, widths = self._shown(self._text_width(width))
            ground = self.palette.cursor if self.has_focus else self.palette.selected
            cells = self.model.frozen_rows(columns, widths)[place]
            strips[place + 1] = self._row(cells, columns, widths, width, ground, " ")
        return strips
