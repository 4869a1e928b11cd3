"""The list of images on the dataset screen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.style import Style

from engine import api
from tui import clock
from tui.dialogs.choose import Option
from tui.screens.dataset_reading import Entry, Wanted
from tui.screens.dataset_text import flag_sign, is_broken
from tui.text import ELLIPSIS, width_of
from tui.widgets.table import Cell, Column, Table

IMAGE_COLUMNS = (
    Column("mark", "", 1),
    Column("path", "image", 16, flex=1),
    Column("verdict", "Q7", 8),
    Column("split", "split", 6),
    Column("view", "view", 11),
    Column("width", "size", 9),
    Column("problem", "problem", 10, flex=1),
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


@dataclass(slots=True)
class Found:
    """What turned out to be wrong with images since their import: reasons by path. Untrusted text."""

    by_check: dict[str, str] = field(default_factory=dict)
    by_look: dict[str, str] = field(default_factory=dict)
    """Files that could not be shown; shown after all, they are taken out again."""
    by_decoding: dict[str, str] = field(default_factory=dict)
    """Files that the check in the background could not use."""
    flags: dict[str, api.ImageFlag] = field(default_factory=dict)
    """Images that can be used, but with which something is the matter."""

    def reason(self, path: str) -> str:
        """What is wrong with an image that cannot be used; "" where nothing is known to be."""
        return self.by_look.get(path) or self.by_check.get(path) or self.by_decoding.get(path, "")

    def paths(self) -> frozenset[str]:
        """Those that cannot be used."""
        return frozenset(self.by_check) | frozenset(self.by_look) | frozenset(self.by_decoding)

    def all_paths(self) -> frozenset[str]:
        """Those and the flagged ones."""
        return self.paths() | frozenset(self.flags)

    def flag(self, flags: Mapping[str, api.ImageFlag]) -> None:
        """Take what the check in the background says."""
        self.by_decoding = {path: flag.reason for path, flag in flags.items() if is_broken(flag)}
        self.flags = {path: flag for path, flag in flags.items() if not is_broken(flag)}

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
        for known in (self.by_check, self.by_look, self.by_decoding, self.flags):
            known.clear()


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

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One image."""
        item = self.items[row]
        return [self._cell(item, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, item: api.ImageItem, key: str, width: int) -> Cell:
        palette = self._table().palette
        problem = item.problem or self.found.reason(item.path)
        sign, tone, reason = ("✗", "bad", problem) if problem else self._flag(item.path)
        if key == "mark":
            return sign, palette.named(tone)
        if key == "path":
            return end_of(short_path(item), width), palette.bad if problem else palette.text
        if key == "problem":
            return reason, palette.named(tone)
        if key == "verdict":
            return ("left out" if item.problem else item.verdict or "none"), self._verdict_style(item)
        if key == "split":
            return SPLIT_WORDS.get(item.split or "", item.split or ""), palette.text
        if key == "width":
            return ("" if item.width is None else f"{item.width}×{item.height}"), palette.dim
        return item.view, palette.dim

    def _flag(self, path: str) -> tuple[str, str, str]:
        """Sign, tone and reason; blank for the many images with which nothing is the matter."""
        flag = self.found.flags.get(path)
        return (" ", "text", "") if flag is None else (*flag_sign(flag), flag.reason)

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


def dataset_option(entry: Entry) -> Option:
    """A dataset in the dialog."""
    words = [f"{entry.images:,} images", entry.kind, clock.stamp(entry.created_at)]
    if entry.problems:
        words.append(f"{entry.problems:,} problems")
    return Option(entry.name, entry.name, " · ".join(words))
