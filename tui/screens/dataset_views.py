"""The table of views on the dataset screen: counts, and bars of the labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine import api
from tui.dialogs.choose import Option
from tui.widgets.table import Cell, Column, Table

ALL_VIEWS: Hashable = ("all views",)
"""Key of the row that stands for all views; a view's key is its name, which may be any text."""
NO_VIEW = "(no view)"
LABELS = (("normal", "░"), ("abnormal", "█"), ("unclear", "▒"), ("unanswered", "·"))
"""What a label bar is made of; the few abnormal ones stand out. `unclear` counts unparseable answers too."""

VIEW_COLUMNS = (
    Column("view", "view", 12, flex=1),
    Column("images", "images", 6, align="right"),
    Column("bar", "Q7", 10),
    Column("normal", "░ norm", 6, align="right"),
    Column("abnormal", "█ abn", 5, align="right"),
    Column("unclear", "▒ uncl", 6, align="right"),
    Column("unanswered", "· none", 6, align="right"),
    Column("train", "train", 6, align="right"),
    Column("validation", "val", 5, align="right"),
    Column("test", "test ", 5, align="right"),
    Column("problems", "✗ out", 5, align="right"),
)
RARE_COLUMNS = ("unclear", "unanswered", "problems")
"""Left out where they would hold nothing but noughts."""


def view_columns_for(views: Sequence[api.ViewSummary]) -> tuple[Column, ...]:
    """Columns of the views."""
    total = figures_of(total_of(views))
    return tuple(column for column in VIEW_COLUMNS if column.key not in RARE_COLUMNS or total[column.key])


def total_of(views: Sequence[api.ViewSummary]) -> api.ViewSummary:
    """All views as one."""
    names = ("train", "validation", "test", "normal", "abnormal", "unclear", "unparseable", "unanswered", "problems")
    return api.ViewSummary("all views", **{name: sum(getattr(view, name) for view in views) for name in names})


def label_counts(view: api.ViewSummary) -> tuple[int, ...]:
    """Images by label, in the order of `LABELS`."""
    return view.normal, view.abnormal, view.unclear + view.unparseable, view.unanswered


def figures_of(view: api.ViewSummary) -> dict[str, int]:
    """Figures of a view by the key of their column."""
    others = {name: getattr(view, name) for name in ("images", "train", "validation", "test", "problems")}
    return {**others, **dict(zip((name for name, _ in LABELS), label_counts(view), strict=True))}


def label_bar(counts: Sequence[int], width: int) -> str:
    """Shares of the labels in `width` cells; a label that occurs has at least one of them."""
    total = sum(counts)
    if not total:
        return " " * width
    cells = [max(1, count * width // total) if count else 0 for count in counts]
    largest = max(range(len(counts)), key=lambda place: counts[place])
    cells[largest] = max(0, cells[largest] + width - sum(cells))
    return "".join(sign * count for (_, sign), count in zip(LABELS, cells, strict=True))[:width]


class ViewsModel:
    """One row a view, and one for all of them on top."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.rows: tuple[api.ViewSummary, ...] = ()

    def show(self, views: Sequence[api.ViewSummary]) -> None:
        """Take other views."""
        self.rows = (total_of(views), *views) if views else ()

    def keys(self) -> list[Hashable]:
        """Keys of all rows."""
        return [self.row_key(row) for row in range(len(self.rows))]

    def row_count(self) -> int:
        """Views and the row for all."""
        return len(self.rows)

    def row_key(self, row: int) -> Hashable:
        """Name of the view."""
        return self.rows[row].view if row else ALL_VIEWS

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One view."""
        view, palette = self.rows[row], self._table().palette
        figures = figures_of(view)
        cells: list[Cell] = []
        for column, width in zip(columns, widths, strict=True):
            if column.key == "view":
                cells.append((view.view or NO_VIEW, palette.text if row else palette.bold))
            elif column.key == "bar":
                cells.append((label_bar(label_counts(view), width), palette.accent))
            else:
                count = figures[column.key]
                cells.append((f"{count:,}", palette.text if count else palette.dim))
        return cells


def view_option(view: api.ViewSummary, key: Hashable) -> Option:
    """A view in the dialog that stands for the pane where there is no room."""
    counts = label_counts(view)
    rest = [f"{count:,} {name}" for (name, _), count in zip(LABELS[1:], counts[1:], strict=True) if count]
    words = " · ".join([f"{view.images:,}", *rest])
    return Option(key, view.view or NO_VIEW, f"{label_bar(counts, 8)} {words}")
