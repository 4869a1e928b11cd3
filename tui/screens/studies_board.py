"""The board of studies: two lines each, how far it is and what it has answered so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.screens.studies_model import StudyRow, glyphs, is_bar
from tui.screens.studies_text import Piece, answer_so_far, progress_words
from tui.text import cut, fit, width_of
from tui.widgets.cells import CellWidget, line, scroll_marks

LINES = 2
"""Of each study; where all of them have room for it, a blank line stands between two."""
TITLE_CELLS, NARROW_TITLE_CELLS = 24, 18
SCALE_CELLS = 6
COUNT_CELLS = 6
WORDS_CELLS = 20
MOST_BAR_CELLS = 40
NARROW = 60
INDENT = 5


class Board(CellWidget, can_focus=True):
    """Studies under each other; the cursor stands on one."""

    DEFAULT_CSS = "Board { height: 1fr; width: 1fr; }"
    HELP_TITLE = "Board"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="board.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="board.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="board.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="board.page_down"),
        Binding("home,g", "move_to(0)", "First study", show=False, id="board.first"),
        Binding("end,G", "move_to(-1)", "Last study", show=False, id="board.last"),
    ]

    @dataclass
    class Highlighted(Message):
        """The cursor is on another study."""

        name: str

    @dataclass
    class Opened(Message):
        """A study was clicked twice."""

        name: str

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[StudyRow, ...] = ()
        self.empty = ""
        self.cursor = 0
        self._top = 0

    def show_rows(self, rows: Sequence[StudyRow]) -> None:
        """Take other rows; the cursor stays on its study where that is still there."""
        name = self.chosen.name if self.chosen is not None else ""
        self.rows = tuple(rows)
        at = next((place for place, row in enumerate(self.rows) if row.name == name), self.cursor)
        self._place(at, before=name)
        self.repaint()

    @property
    def chosen(self) -> StudyRow | None:
        """The study under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    # ----- keys and mouse

    def action_move(self, by: int) -> None:
        """Move the cursor by studies."""
        self._place(self.cursor + by)
        self.repaint()

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self._room() - 1))

    def action_move_to(self, row: int) -> None:
        """Move the cursor to a study; -1 is the last."""
        self.action_move((len(self.rows) - 1 if row < 0 else row) - self.cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The next study."""
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The study before."""
        event.stop()
        self.action_move(-1)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, the second one opens the study."""
        row = self._top + event.y // self._each(self.content_size.height)
        if row < len(self.rows):
            again = row == self.cursor and event.chain > 1
            self.action_move(row - self.cursor)
            if again:
                self.post_message(self.Opened(self.rows[row].name))

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    def on_resize(self, _event: events.Resize) -> None:
        """The cursor stays in sight; Textual calls the base class's handler after this one."""
        self._place(self.cursor)

    def _each(self, height: int) -> int:
        """Lines from one study to the next."""
        return LINES + 1 if height >= (LINES + 1) * len(self.rows) else LINES

    def _room(self) -> int:
        height = self.content_size.height
        return max(1, height // self._each(height))

    def _place(self, row: int, before: str | None = None) -> None:
        known = before if before is not None else (self.chosen.name if self.chosen is not None else "")
        self.cursor = max(0, min(row, len(self.rows) - 1))
        room = self._room()
        self._top = max(0, min(self._top, self.cursor, len(self.rows) - room))
        self._top = max(self._top, self.cursor - room + 1)
        if self.chosen is not None and self.chosen.name != known:
            self.post_message(self.Highlighted(self.chosen.name))

    # ----- drawing

    def draw(self, width: int, height: int) -> list[Strip]:
        """The studies in sight."""
        if not self.rows:
            return [line((fit(f" {self.empty}", width), self.palette.dim))][:height]
        each = self._each(height)
        marks = scroll_marks(self._top * each, height, len(self.rows) * each)
        strips: list[Strip] = []
        for place in range(self._top, len(self.rows)):
            strips += self._study(place, width, each, marks[len(strips) :])
            if len(strips) >= height:
                break
        return strips[:height]

    def _study(self, place: int, width: int, lines: int, marks: str) -> list[Strip]:
        row, ground = self.rows[place], None
        if place == self.cursor:
            ground = self.palette.cursor if self.has_focus else self.palette.selected
        both = [self._first(row, width - 1), self._second(row, width - 1)]
        strips = [
            self._line(pieces, width, ground, mark) for pieces, mark in zip(both, marks.ljust(LINES), strict=False)
        ]
        return strips + [Strip.blank(width, self.palette.text)] * (lines - len(strips))

    def _line(self, pieces: Sequence[Piece], width: int, ground: Style | None, mark: str) -> Strip:
        palette = self.palette
        # The cursor's ground and ink win over the colours: it must stand out in every theme. The bar keeps its own,
        # or it would be one bright block.
        text = line(
            *((piece, palette.named(tone) if ground is None or is_bar(piece) else ground) for piece, tone in pieces)
        )
        text = text.adjust_cell_length(width - 1, ground or palette.text)
        return Strip.join([text, line((mark, palette.track))])

    def _first(self, row: StudyRow, width: int) -> list[Piece]:
        number = "–" if row.state is None else str(row.state.priority)
        title = NARROW_TITLE_CELLS if width < NARROW else TITLE_CELLS
        pieces: list[Piece] = [(f"{number:>3}  ", "dim"), (fit(row.title, title) + " ", "bold")]
        if row.state is None:
            return [*pieces, ("! file with problems", "bad")]
        words = progress_words(row)
        left = width - INDENT - title - 1 - SCALE_CELLS - 1 - COUNT_CELLS - 1
        beside = WORDS_CELLS if left >= WORDS_CELLS + 8 else 0
        cells = max(0, min(MOST_BAR_CELLS, left - beside - 1))
        pieces.append((fit(row.scale, SCALE_CELLS) + " ", "dim"))
        pieces += glyphs(row, cells)
        pieces.append((f" {row.done}/{len(row.cells)}".ljust(COUNT_CELLS + 1), "text"))
        return [*pieces, (fit(words[0], beside), words[1])] if beside else pieces

    def _second(self, row: StudyRow, width: int) -> list[Piece]:
        pieces: list[Piece] = [(" " * INDENT, "text")]
        used = INDENT
        for text, tone in answer_so_far(row):
            safe = cut(text, max(0, width - used))
            pieces.append((safe, tone))
            used += width_of(safe)
        return pieces
