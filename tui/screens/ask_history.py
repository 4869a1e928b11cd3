"""Everything that was asked on the Ask screen, one line a question."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar

from textual.binding import BindingType

from tui.screens.ask_talk import Exchange
from tui.screens.ask_text import one_value
from tui.screens.dataset_lists import end_of
from tui.widgets.table import Cell, Column, Table

COLUMNS = (
    Column("number", "#", 3, align="right"),
    Column("mark", "", 1),
    Column("question", "question", 12),
    Column("said", "answer", 14, flex=2),
    Column("image", "image", 10, flex=1),
)
WIDE_COLUMNS = (
    *COLUMNS[:3],
    Column("said", "read as", 20, flex=2),
    Column("target", "annotated", 20, flex=2),
    Column("chance", "P(abn.)", 7, align="right"),
    Column("image", "image", 18, flex=1),
    Column("subject", "model", 16, flex=1),
)


class HistoryTable(Table, inherit_bindings=False):
    """Leaves the arrows to the left and right, and enter, to the screen."""

    HELP_TITLE = "Questions so far"
    BINDINGS: ClassVar[list[BindingType]] = [*Table.bindings_but("table.left", "table.right", "table.open")]


class History:
    """The rows; the oldest first."""

    def __init__(self, table: Callable[[], Table], exchanges: Callable[[], Sequence[Exchange]]) -> None:
        self._table, self._exchanges = table, exchanges

    def row_count(self) -> int:
        """Questions so far."""
        return len(self._exchanges())

    def row_key(self, row: int) -> Hashable:
        """Number of a question."""
        return self._exchanges()[row].number

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One question."""
        exchange = self._exchanges()[row]
        return [self._cell(exchange, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, exchange: Exchange, key: str, width: int) -> Cell:
        palette, read = self._table().palette, exchange.read
        if key == "number":
            return str(exchange.number), palette.dim
        if key == "mark":
            mark, tone = mark_of(exchange)
            return mark, palette.named(tone)
        if key == "question":
            return exchange.question.title, palette.accent
        if key == "said":
            said = exchange.text if read is None or read.said is None else one_value(read.said.value)
            return ("failed" if exchange.error is not None else said), palette.text
        if key == "target":
            return ("" if read is None or read.target is None else one_value(read.target)), palette.dim
        if key == "chance":
            chance = None if read is None else read.answer.p_abnormal
            return ("" if chance is None else f"{chance:.3f}"), palette.text
        if key == "image":
            return end_of(exchange.image.path.rpartition("/")[2], width), palette.dim
        return exchange.subject, palette.dim


def mark_of(exchange: Exchange) -> tuple[str, str]:
    """What became of a question, in one character, and its tone."""
    if exchange.open:
        return "…", "warn"
    if exchange.error is not None or exchange.read is None:
        return "!", "bad"
    if exchange.read.answer.cancelled:
        return "-", "dim"
    outcome = exchange.read.outcome
    if outcome is None:
        return " ", "dim"
    return {"right": ("✓", "good"), "wrong": ("✗", "bad")}.get(outcome, ("?", "warn"))
