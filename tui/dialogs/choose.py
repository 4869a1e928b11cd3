"""One of many, or several: recipes, columns, runs. What is typed narrows the list."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.dialogs.base import Dialog, plain_title
from tui.widgets.table import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose."""

    key: Hashable
    title: str
    """May be untrusted text."""
    words: str = ""
    """What it is, beside the title."""


class _Options:
    """The rows of the list."""

    def __init__(self, dialog: Choose) -> None:
        self._dialog = dialog

    def row_count(self) -> int:
        return len(self._dialog.found)

    def row_key(self, row: int) -> Hashable:
        return self._dialog.found[row].key

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        palette = self._dialog.query_one(Table).palette
        option = self._dialog.found[row]
        mark = ("●" if option.key in self._dialog.chosen else "○") if self._dialog.several else " "
        cells = {
            "mark": (mark, palette.accent),
            "title": (option.title, palette.text),
            "words": (option.words, palette.dim),
        }
        return [cells[column.key] for column in columns]


class Choose(Dialog[list[Hashable]]):
    """Enter answers with the keys that are chosen: the row under the cursor, or with `several` the marked ones."""

    DEFAULT_CSS = """
    Choose Vertical { width: 76; height: 24; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="choose.mark"),
        Binding("enter", "take", "Take", id="choose.take"),
        Binding("slash", "type", "Narrow", id="choose.type"),
    ]

    def __init__(
        self,
        title: str,
        options: Sequence[Option],
        *,
        chosen: Sequence[Hashable] = (),
        several: bool = False,
        most: int | None = None,
    ) -> None:
        """Ask.

        Args:
            title: what is chosen.
            options: what there is.
            chosen: keys that are marked already; the cursor starts on the first of them.
            several: more than one may be marked.
            most: how many at most.
        """
        super().__init__()
        self._title, self._options, self.several, self._most = title, list(options), several, most
        self.chosen: list[Hashable] = list(chosen)
        self.found: list[Option] = list(options)

    def compose(self) -> ComposeResult:
        """The list, with a line to type in."""
        columns = (Column("mark", "", 1), Column("title", "", 24, flex=1), Column("words", "", 20, flex=2))
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain_title(self._title)
            frame.border_subtitle = (
                "space marks · enter takes · / narrows" if self.several else "enter takes · / narrows"
            )
            yield Table(columns, _Options(self), empty="nothing fits")
            line = Input(placeholder="/ to narrow the list", classes="line")
            line.cursor_blink = False
            yield line

    def on_mount(self) -> None:
        """Start on what is chosen already."""
        table = self.query_one(Table)
        table.focus()
        if self.chosen:
            table.move_to_key(self.chosen[0])

    def action_type(self) -> None:
        """Go to the line in which one types."""
        self.query_one(Input).focus()

    def on_key(self, event: events.Key) -> None:
        """The arrow keys leave the line for the list."""
        if event.key in ("down", "up") and isinstance(self.focused, Input):
            self.query_one(Table).focus()
            event.stop()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        words = event.value.casefold().split()
        self.found = [
            option
            for option in self._options
            if all(word in f"{option.title} {option.words}".casefold() for word in words)
        ]
        self.query_one(Table).rows_changed()

    @on(Input.Submitted)
    def _typed(self) -> None:
        self.query_one(Table).focus()
        if len(self.found) == 1:
            self.action_take()

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_take()

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor."""
        key = self.query_one(Table).cursor_key()
        if not self.several or key is None:
            return
        if key in self.chosen:
            self.chosen.remove(key)
        elif self._most is None or len(self.chosen) < self._most:
            self.chosen.append(key)
        else:
            self.notify(f"At most {self._most} can be marked.", severity="warning", markup=False)
        self.query_one(Table).repaint()

    def action_take(self) -> None:
        """Answer."""
        key = self.query_one(Table).cursor_key()
        if self.several:
            self.dismiss(list(self.chosen))
        elif key is not None:
            self.dismiss([key])
