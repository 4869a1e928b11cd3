"""A table for ten thousand rows: only the rows on the screen are ever made, and only changed cells are repainted.

The model hands out cells row by row when they are painted. Some rows may be frozen on top (reference rows, pins) and
some columns on the left, so that they stay in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.text import fit
from tui.widgets.cells import CellWidget, line, scroll_marks

Cell = tuple[str, Style]
GAP = 1
"""Blank cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what stands over it and how wide it is."""

    key: str
    title: str
    width: int
    """Cells; of a flexible column, the least."""
    flex: int = 0
    """Share of the cells that are left over; 0: always `width`."""
    align: str = "left"


class Model(Protocol):
    """Where a table gets its cells from."""

    def row_count(self) -> int:
        """Rows below the frozen ones."""

    def row_key(self, row: int) -> Hashable:
        """What identifies a row when the order changes; the cursor follows it."""

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """Cells of one row; texts may be untrusted, and are cut or padded to their widths by the table."""


@runtime_checkable
class Freezing(Protocol):
    """What a model gives besides that has rows which stay on top."""

    def frozen_count(self) -> int:
        """How many there are."""

    def frozen_rows(self, columns: Sequence[Column], widths: Sequence[int]) -> list[list[Cell]]:
        """Their cells."""


class Table(CellWidget, can_focus=True):
    """See the module's text."""

    DEFAULT_CSS = "Table { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="table.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="table.page_down"),
        Binding("home,g", "move_to(0)", "First row", show=False, id="table.first"),
        Binding("end,G", "move_to(-1)", "Last row", show=False, id="table.last"),
        Binding("left,h", "scroll_columns(-1)", "Columns to the left", show=False, id="table.left"),
        Binding("right,l", "scroll_columns(1)", "Columns to the right", show=False, id="table.right"),
        Binding("enter", "open", "Open", id="table.open", tooltip="Open the row under the cursor"),
    ]

    @classmethod
    def bindings_but(cls, *ids: str) -> list[Binding]:
        """Bindings for a table that has other uses for some of these keys."""
        return [each for each in cls.BINDINGS if isinstance(each, Binding) and each.id not in ids]

    @dataclass
    class Highlighted(Message):
        """The cursor is on another row."""

        table: Table
        key: Hashable | None

        @property
        def control(self) -> Table:
            """The table, for `@on`."""
            return self.table

    @dataclass
    class Opened(Message):
        """Enter was pressed on a row, or it was clicked twice."""

        table: Table
        key: Hashable

        @property
        def control(self) -> Table:
            """The table, for `@on`."""
            return self.table

    @dataclass
    class HeadClicked(Message):
        """The head of a column was clicked."""

        table: Table
        column: str

        @property
        def control(self) -> Table:
            """The table, for `@on`."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        model: Model,
        *,
        frozen_columns: int = 1,
        empty: str = "",
        moved: Callable[[], None] | None = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """Make the table.

        Args:
            columns: at first; see `set_columns`.
            model: where the cells come from.
            frozen_columns: so many stay in sight on the left.
            empty: what to say where there is no row.
            moved: called when the cursor is on another row, sooner than `Highlighted` comes: what it changes is painted
                together with the cursor, and not a frame later.
        """
        super().__init__(id=id)
        self._moved = moved
        self.columns = tuple(columns)
        self.model = model
        self._freezing = model if isinstance(model, Freezing) else None
        self.frozen_columns = frozen_columns
        self.empty = empty
        self.sort: tuple[str, bool] | None = None
        """Key of the column that the rows are sorted by, and whether descending: marks its head."""
        self.cursor = 0
        self._top = 0
        self._left = 0
        self._key: Hashable | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter is left to a screen that has a use and words of its own for it."""
        own = any(binding.id == "table.open" for binding in self._bindings.key_to_bindings.get("enter", ()))
        return action != "open" or not own or "enter" not in self.screen._bindings.key_to_bindings

    # ----- what the screen calls

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        self.columns = tuple(columns)
        self._left = max(0, min(self._left, len(self.columns) - self.frozen_columns - 1))
        self.repaint()

    def rows_changed(self) -> None:
        """The model has other rows: the cursor stays on its row where that is still there, else at its place."""
        count = self.model.row_count()
        at = self.cursor
        if self._key is not None and not (at < count and self.model.row_key(at) == self._key):
            found = next((row for row in range(count) if self.model.row_key(row) == self._key), None)
            at = at if found is None else found
        self._place(at)
        self.repaint()

    def cursor_key(self) -> Hashable | None:
        """Key of the row under the cursor; None where there is no row."""
        return self.model.row_key(self.cursor) if self.cursor < self.model.row_count() else None

    def move_to_key(self, key: Hashable) -> bool:
        """Put the cursor on a row; False where there is no such row."""
        for row in range(self.model.row_count()):
            if self.model.row_key(row) == key:
                self._place(row)
                self.repaint()
                return True
        return False

    def visible_rows(self) -> range:
        """The rows on the screen, without the frozen ones."""
        return range(self._top, min(self.model.row_count(), self._top + max(1, self._body_rows())))

    def visible_keys(self) -> list[Hashable]:
        """Keys of the rows on the screen, from the top."""
        return [self.model.row_key(row) for row in self.visible_rows()]

    # ----- keys and mouse

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._place(self.cursor + by)
        self.repaint()

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self._body_rows() - 1))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a row; -1 is the last."""
        self._place(self.model.row_count() - 1 if row < 0 else row)
        self.repaint()

    def action_scroll_columns(self, by: int) -> None:
        """Bring columns into sight that do not fit, beside the frozen ones."""
        hidden = by < 0 or self._cut_off(self._text_width(self.content_size.width))
        if hidden:
            self._left = max(0, min(self._left + by, len(self.columns) - self.frozen_columns - 1))
            self.repaint()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        key = self.cursor_key()
        if key is not None:
            self.post_message(self.Opened(self, key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.action_move(-3)

    def on_click(self, event: events.Click) -> None:
        """A click on a head sorts, on a row moves the cursor, and the second click opens the row."""
        row = event.y - 1 - self._frozen_count()
        if event.y == 0:
            column = self._column_at(event.x)
            if column is not None:
                self.post_message(self.HeadClicked(self, column.key))
        elif row >= 0 and self._top + row < self.model.row_count():
            again = self._top + row == self.cursor and event.chain > 1
            self._place(self._top + row)
            self.repaint()
            if again:
                self.action_open()

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    # ----- geometry

    def _place(self, row: int) -> None:
        count = self.model.row_count()
        self.cursor = max(0, min(row, count - 1))
        body = max(1, self._body_rows())
        self._top = max(0, min(self._top, self.cursor, count - 1))
        if self.cursor >= self._top + body:
            self._top = self.cursor - body + 1
        self._top = min(self._top, max(0, count - body))
        self._take_key(self.cursor_key())

    def _take_key(self, key: Hashable | None) -> None:
        """The cursor is on the row with that key."""
        if key != self._key:
            self._key = key
            self.post_message(self.Highlighted(self, key))
            if self._moved is not None:
                self._moved()

    def _frozen_count(self) -> int:
        count = 0 if self._freezing is None else self._freezing.frozen_count()
        return min(count, max(0, self.content_size.height - 4))

    def _body_rows(self) -> int:
        return self.content_size.height - 1 - self._frozen_count()

    def _shown(self, width: int) -> tuple[list[Column], list[int]]:
        """The columns in sight with their widths; what is left over goes to the flexible ones."""
        order = [*self.columns[: self.frozen_columns], *self.columns[self.frozen_columns + self._left :]]
        columns: list[Column] = []
        used = 0
        for column in order:
            if columns and used + GAP + column.width > width:
                break
            used += column.width + (GAP if columns else 0)
            columns.append(column)
        room = max(0, width - used)
        shares = sum(column.flex for column in columns)
        widths = [min(column.width, width) + (room * column.flex // shares if shares else 0) for column in columns]
        return columns, widths

    def _cut_off(self, width: int) -> bool:
        columns, _ = self._shown(width)
        return len(columns) < len(self.columns) - self._left

    def _column_at(self, x: int) -> Column | None:
        at = 0
        for column, width in zip(*self._shown(self._text_width(self.content_size.width)), strict=True):
            if at <= x < at + width:
                return column
            at += width + GAP
        return None

    def on_resize(self, _event: events.Resize) -> None:
        """The cursor stays in sight; Textual calls the base class's handler after this one."""
        self._place(self.cursor)
        while self._left and self._all_fit(self._left - 1):  # there is room for columns that were scrolled away
            self._left -= 1

    def _all_fit(self, left: int) -> bool:
        columns = [*self.columns[: self.frozen_columns], *self.columns[self.frozen_columns + left :]]
        return sum(column.width + GAP for column in columns) - GAP <= self._text_width(self.content_size.width)

    # ----- drawing

    def _text_width(self, width: int) -> int:
        return width - 1  # the last column is the scroll mark

    def draw(self, width: int, height: int) -> list[Strip]:
        """Head, frozen rows, rows."""
        columns, widths = self._shown(self._text_width(width))
        strips = [self._head(columns, widths, width)]
        if self._freezing is not None:
            frozen = self._freezing.frozen_rows(columns, widths)[: self._frozen_count()]
            strips += [self._row(cells, columns, widths, width, None, " ") for cells in frozen]
        body, count = height - len(strips), self.model.row_count()
        if not count and body > 0:
            return [*strips, line((fit(self.empty, width), self.palette.dim))][:height]
        marks = scroll_marks(self._top, body, count)
        for offset in range(min(body, count - self._top)):
            row = self._top + offset
            ground = None
            if row == self.cursor:
                ground = self.palette.cursor if self.has_focus else self.palette.selected
            cells = self.model.row_cells(row, columns, widths)
            strips.append(self._row(cells, columns, widths, width, ground, marks[offset]))
        return strips[:height]

    def _head(self, columns: Sequence[Column], widths: Sequence[int], width: int) -> Strip:
        palette = self.palette
        parts: list[tuple[str, Style]] = []
        for place, (column, cells) in enumerate(zip(columns, widths, strict=True)):
            if place:
                scrolled = self._left and place == self.frozen_columns
                parts.append(("‹" if scrolled else " " * GAP, palette.accent if scrolled else palette.header))
            title, style = column.title, palette.header
            if self.sort is not None and self.sort[0] == column.key:
                title, style = title[: cells - 1] + ("▼" if self.sort[1] else "▲"), palette.accent
            parts.append((fit(title, cells, column.align), style))
        strip = line(*parts).adjust_cell_length(width - 1, palette.header)
        return Strip.join([strip, line(("›" if self._cut_off(self._text_width(width)) else " ", palette.accent))])

    def _row(
        self,
        cells: Sequence[Cell],
        columns: Sequence[Column],
        widths: Sequence[int],
        width: int,
        ground: Style | None,
        mark: str,
    ) -> Strip:
        blank = ground or self.palette.text
        # As few pieces as there are changes of style: they are what a frame costs.
        pieces: list[tuple[list[str], Style]] = [([], blank)]
        for place, ((text, own), column, room) in enumerate(zip(cells, columns, widths, strict=True)):
            # The cursor's ground and ink win over the colours of a cell: it must stand out in every theme.
            for part, style in ((" " * GAP if place else "", blank), (fit(text, room, column.align), ground or own)):
                if pieces[-1][1] is not style:
                    pieces.append(([], style))
                pieces[-1][0].append(part)
        strip = line(*(("".join(texts), style) for texts, style in pieces)).adjust_cell_length(width - 1, blank)
        return Strip.join([strip, line((mark, self.palette.track))])
