"""The two tables of the dataset screen: views with their label bars, and images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from rich.style import Style

from engine import api
from tui import clock
from tui.dialogs.choose import Option
from tui.screens.dataset_reading import Entry, Wanted
from tui.text import ELLIPSIS, width_of
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
IMAGE_COLUMNS = (
    Column("mark", "", 1),
    Column("path", "image", 13, flex=3),
    Column("verdict", "Q7", 8),
    Column("split", "split", 6),
    Column("view", "view", 11, flex=1),
    Column("width", "size", 9),
    Column("problem", "problem", 10, flex=2),
)
PROBLEM_COLUMNS = (
    Column("mark", "", 1),
    Column("path", "image", 12, flex=1),
    Column("problem", "problem", 17, flex=2),
    Column("view", "view", 12),
)
SORTS = ("path", "verdict", "split", "view", "width", "problem")
"""In the order in which a key goes through them."""
SPLIT_WORDS = {"train": "train", "validation": "val", "test": "test"}


def columns_for(view: str | None, problems_only: bool, problems: int) -> tuple[Column, ...]:
    """Columns of the list of images: none for what is the same everywhere, the view or the absence of problems."""
    columns: Sequence[Column] = PROBLEM_COLUMNS if problems_only else IMAGE_COLUMNS
    needless = set() if problems or problems_only else {"problem"}
    if view is not None:
        needless.add("view")
    return tuple(column for column in columns if column.key not in needless)


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

    def frozen_rows(self, _columns: Sequence[Column], _widths: Sequence[int]) -> list[list[Cell]]:
        """None."""
        return []

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


@dataclass(slots=True)
class Found:
    """What turned out to be wrong with images since their import: reasons by path. Untrusted text."""

    by_check: dict[str, str] = field(default_factory=dict)
    by_look: dict[str, str] = field(default_factory=dict)
    """Files that could not be shown; shown after all, they are taken out again."""

    def reason(self, path: str) -> str:
        """What is wrong with an image; "" where nothing is known to be."""
        return self.by_look.get(path) or self.by_check.get(path, "")

    def paths(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.by_check) | frozenset(self.by_look)

    def look(self, path: str, reason: str) -> bool:
        """Note what a look at a file has shown; whether that is news."""
        before = self.reason(path)
        if reason:
            self.by_look[path] = reason
        else:
            self.by_look.pop(path, None)
        return self.reason(path) != before

    def clear(self) -> None:
        """Forget all: the dataset is another one."""
        self.by_check.clear()
        self.by_look.clear()


class ImagesModel:
    """The images that the query found."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.items: Sequence[api.ImageItem] = ()
        self.found = Found()

    def row_count(self) -> int:
        """Images in the list."""
        return len(self.items)

    def row_key(self, row: int) -> Hashable:
        """Id of an image."""
        return self.items[row].id

    def frozen_rows(self, _columns: Sequence[Column], _widths: Sequence[int]) -> list[list[Cell]]:
        """None."""
        return []

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One image."""
        item = self.items[row]
        return [self._cell(item, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, item: api.ImageItem, key: str, width: int) -> Cell:
        palette = self._table().palette
        problem = item.problem or self.found.reason(item.path)
        if key == "mark":
            return "✗" if problem else " ", palette.bad
        if key == "path":
            return end_of(short_path(item), width), palette.bad if problem else palette.text
        if key == "problem":
            return problem, palette.bad
        if key == "verdict":
            return ("left out" if item.problem else item.verdict or "none"), self._verdict_style(item)
        if key == "split":
            return SPLIT_WORDS.get(item.split or "", item.split or ""), palette.text
        if key == "width":
            return ("" if item.width is None else f"{item.width}×{item.height}"), palette.dim
        return item.view, palette.dim

    def _verdict_style(self, item: api.ImageItem) -> Style:
        palette = self._table().palette
        return {"normal": palette.text, "abnormal": palette.warn}.get(item.verdict or "", palette.dim)


def short_path(item: api.ImageItem) -> str:
    """The file's name alone where its folder only repeats the view; else the whole path. Untrusted text."""
    folder, _, name = item.path.rpartition("/")
    return name if folder == item.view else item.path


def end_of(text: str, width: int) -> str:
    """The end of a path that is too long: file names differ there."""
    safe = api.one_line(text)
    if width_of(safe) <= width:
        return safe
    tail = safe[-max(1, width - 1) :]
    while tail and width_of(tail) > width - 1:
        tail = tail[1:]
    return ELLIPSIS + tail


def why_empty(wanted: Wanted) -> str:
    """What to say where the list has no row."""
    if wanted.filter:
        return "no image fits the filter"
    return "no problems" if wanted.problems_only else "no images"


def view_option(view: api.ViewSummary, key: Hashable) -> Option:
    """A view in the dialog that stands for the pane where there is no room."""
    counts = label_counts(view)
    rest = [f"{count:,} {name}" for (name, _), count in zip(LABELS[1:], counts[1:], strict=True) if count]
    words = " · ".join([f"{view.images:,}", *rest])
    return Option(key, view.view or NO_VIEW, f"{label_bar(counts, 8)} {words}")


def dataset_option(entry: Entry) -> Option:
    """A dataset in the dialog."""
    words = [f"{entry.images:,} images", entry.kind, clock.stamp(entry.created_at)]
    if entry.problems:
        words.append(f"{entry.problems:,} problems")
    return Option(entry.name, entry.name, " · ".join(words))
