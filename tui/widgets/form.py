"""A form to go through by keyboard: one line a field, with what differs and what is wrong beside its value.

It draws, and moves its cursor; whoever owns the values has the keys that change them. One widget for all fields: a
widget a field would make the first paint slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui.text import cut, fit, width_of
from tui.widgets.cells import CellWidget, line, scroll_marks

MARK_CELLS, LABEL_CELLS = 3, 23
LEAST_VALUE, NOTE_FROM = 10, 14
"""Cells: the least that a value gets, and the least that is worth a note beside it."""


@dataclass(frozen=True, slots=True)
class FormRow:
    """One line: a field, or the head of a section (a row without a key). All texts may be untrusted."""

    key: str
    label: str
    value: str = ""
    before: str | None = None
    """The value that it differs from; None where it does not."""
    problem: str = ""
    steps: bool = False
    """Left and right go through other values."""


class Form(CellWidget, can_focus=True):
    """See the module's text."""

    HELP_TITLE = "Form"
    DEFAULT_CSS = "Form { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="form.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="form.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="form.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="form.page_down"),
        Binding("home,g", "move_to(0)", "First field", show=False, id="form.first"),
        Binding("end,G", "move_to(-1)", "Last field", show=False, id="form.last"),
        Binding("left_square_bracket", "section(-1)", "Section before", show=False, id="form.section_before"),
        Binding("right_square_bracket", "section(1)", "Next section", show=False, id="form.section_after"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another field."""

        key: str

    @dataclass
    class Opened(Message):
        """A field was clicked twice: its value is to be typed or chosen."""

    @dataclass
    class Shifted(Message):
        """Scrolled or resized: what lies over a value must follow it."""

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.empty = empty
        self.editing = False
        """Somebody types over the value: the cursor is drawn as with the focus."""
        self._rows: tuple[FormRow, ...] = ()
        self._at = 0
        self._top = 0

    # ----- what the screen calls

    def show_rows(self, rows: Sequence[FormRow]) -> None:
        """Set the lines; the cursor stays on its field."""
        key = self.key
        self._rows = tuple(rows)
        places = {row.key: place for place, row in enumerate(self._rows) if row.key}
        self._place(places.get(key, next(iter(places.values()), 0)))

    @property
    def key(self) -> str:
        """The field under the cursor; "" in a form without fields."""
        return self._rows[self._at].key if self._at < len(self._rows) else ""

    def move_to_key(self, key: str) -> None:
        """Put the cursor on a field."""
        self._place(next((place for place, row in enumerate(self._rows) if row.key == key), self._at))

    def value_region(self) -> Region:
        """Where the value under the cursor stands, up to the end of its line; in coordinates of the widget."""
        width = self.content_size.width
        left = MARK_CELLS + self._label_cells(width)
        return Region(left, self._at - self._top, max(1, width - 1 - left), 1)

    # ----- keys and mouse

    def action_move(self, by: int) -> None:
        """Move the cursor by fields."""
        fields = self._fields()
        if fields:
            now = sum(place < self._at for place in fields)
            self._place(fields[max(0, min(now + by, len(fields) - 1))])

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self.content_size.height - 2))

    def action_move_to(self, number: int) -> None:
        """Move the cursor to the first (0) or the last (-1) field."""
        fields = self._fields()
        if fields:
            self._place(fields[number])

    def action_section(self, by: int) -> None:
        """Move the cursor to the first field of the section before or after."""
        starts = [place for place in self._fields() if not place or not self._rows[place - 1].key]
        if by > 0:
            found = [place for place in starts if place > self._at][:1]
        else:
            found = [place for place in starts if place < self._at][-1:]
        if found:
            self._place(found[0])

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three fields down."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three fields up."""
        event.stop()
        self.action_move(-3)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click edits."""
        place = self._top + event.y
        if place < len(self._rows) and self._rows[place].key:
            self._place(place)
            if event.chain > 1:
                self.post_message(self.Opened())

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    def on_resize(self, _event: events.Resize) -> None:
        """The cursor stays in sight; Textual calls the base class's handler after this one."""
        self._scroll()

    # ----- geometry

    def _fields(self) -> list[int]:
        return [place for place, row in enumerate(self._rows) if row.key]

    def _place(self, place: int) -> None:
        key = self.key
        self._at = place
        self._scroll()
        self.repaint()
        if self.key != key:
            self.post_message(self.Moved(self.key))

    def _scroll(self) -> None:
        """Keep the cursor in sight, and above the first field of a section its head."""
        height, before = max(1, self.content_size.height), self._top
        head = self._at - 1 if self._at and not self._rows[self._at - 1].key and height > 1 else self._at
        self._top = min(self._top, head)
        self._top = max(self._top, self._at - height + 1)
        self._top = max(0, min(self._top, len(self._rows) - height))
        if self._top != before or self.editing:
            self.post_message(self.Shifted())

    @staticmethod
    def _label_cells(width: int) -> int:
        return min(LABEL_CELLS, max(6, width // 3))

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """The lines in the window, with a mark of the place at the right."""
        if not self._rows:
            return [line((fit(self.empty, width), self.palette.dim))][:height]
        strips = []
        marks = scroll_marks(self._top, height, len(self._rows))
        for offset, row in enumerate(self._rows[self._top : self._top + height]):
            strip = self._row(row, width - 1, self._top + offset == self._at) if row.key else self._head(row, width - 1)
            strips.append(Strip.join([strip, line((marks[offset], self.palette.track))]))
        return strips

    def _head(self, row: FormRow, width: int) -> Strip:
        title = f" {cut(row.label, max(1, width - 2))} "
        return line((title, self.palette.header), ("─" * max(0, width - width_of(title)), self.palette.track))

    def _row(self, row: FormRow, width: int, at_cursor: bool) -> Strip:
        palette = self.palette
        ground: Style | None = None
        if at_cursor:
            ground = palette.cursor if self.has_focus or self.editing else palette.selected
        differs = row.before is not None
        label = self._label_cells(width + 1)
        value, note = self._value_and_note(row, width - MARK_CELLS - label, at_cursor)
        parts = [
            ("!" if row.problem else " ", palette.bad),
            ("≠ " if differs else "  ", palette.accent),
            (fit(row.label, label - 1) + " ", palette.text if differs else palette.dim),
            (value, palette.bad if row.problem else palette.bold if differs else palette.text),
            (note, palette.bad if row.problem else palette.dim),
        ]
        strip = line(*((text, ground or style) for text, style in parts))
        return strip.adjust_cell_length(max(0, width), ground or palette.text)

    @staticmethod
    def _value_and_note(row: FormRow, room: int, at_cursor: bool) -> tuple[str, str]:
        """The value, and beside it what is wrong, or what it was; what is wrong gets more of the line."""
        value = f"‹ {cut(row.value, max(1, room - 4))} ›" if row.steps and at_cursor else row.value
        note = row.problem or ("" if row.before is None else f"was {row.before or '(empty)'}")
        if not note or room < LEAST_VALUE + NOTE_FROM:
            return fit(value, max(0, room)), ""
        least = min(width_of(cut(value, room)) + 2, room // 3 if row.problem else room * 3 // 5)
        cells = max(LEAST_VALUE, least)
        return fit(value, cells - 2) + "  ", cut(note, room - cells)
