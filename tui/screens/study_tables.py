"""The further tables of a study, one at a time: the rows for the table, the words over it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine import api
from tui.text import width_of
from tui.themes import Palette
from tui.widgets.lines import Paragraph
from tui.widgets.table import Cell, Column

MOST_CELLS, LEAST_CELLS = 40, 5
NOTHING_YET = "No table yet: they are filled from what has been measured."


class TablesModel:
    """The rows of the chosen table."""

    def __init__(self, palette: Callable[[], Palette]) -> None:
        self._palette = palette
        self.tables: tuple[api.StudyTable, ...] = ()
        self.place = 0

    def show(self, tables: tuple[api.StudyTable, ...]) -> None:
        """Take other tables; the chosen one stays where it is still there."""
        name = self.chosen.name if self.chosen is not None else ""
        self.tables = tables
        self.place = next((place for place, each in enumerate(tables) if each.name == name), 0)

    def turn(self, by: int) -> None:
        """To the next table, or the one before."""
        if self.tables:
            self.place = (self.place + by) % len(self.tables)

    @property
    def chosen(self) -> api.StudyTable | None:
        """The table in sight."""
        return self.tables[self.place] if self.place < len(self.tables) else None

    def columns(self) -> list[Column]:
        """As wide as their longest cells; words stand left, figures right."""
        table = self.chosen
        if table is None:
            return [Column("0", "", LEAST_CELLS, flex=1)]
        return [_column(table, place) for place in range(len(table.heads))]

    def head(self) -> list[Paragraph]:
        """What the table is, how to read it, and how many there are."""
        table = self.chosen
        if table is None:
            return [[(NOTHING_YET, "dim")]]
        of = f"   {self.place + 1} of {len(self.tables)}, t turns" if len(self.tables) > 1 else ""
        title: Paragraph = [(api.one_line(table.title), "bold"), (of, "dim")]
        return [title, [(table.note, "dim")]] if table.note else [title]

    def row_count(self) -> int:
        """Rows of the chosen table."""
        return 0 if self.chosen is None else len(self.chosen.rows)

    def row_key(self, row: int) -> Hashable:
        """The table and the place in it."""
        return self.place, row

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One row; the first cell names it."""
        palette, table = self._palette(), self.chosen
        cells = () if table is None else table.rows[row]
        found = []
        for column in columns:
            place = int(column.key)
            found.append((cells[place] if place < len(cells) else "", palette.text if place else palette.bold))
        return found


def _column(table: api.StudyTable, place: int) -> Column:
    texts = [table.heads[place], *(row[place] for row in table.rows if place < len(row))]
    widest = max(width_of(api.one_line(text)) for text in texts)
    words = place == 0 or place in table.words
    width = max(LEAST_CELLS, min(MOST_CELLS, widest))
    return Column(str(place), api.one_line(table.heads[place]), width, align="left" if words else "right")
