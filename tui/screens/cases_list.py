"""The list of cases: one row an image, one column an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rich.style import Style

from engine import api
from tui.screens.dataset_lists import end_of
from tui.widgets.table import Cell, Column, Table

SIGNS = {"right": "✓", "wrong": "✗", "unparseable": "?", "error": "!", "cut_off": "…", "no_probability": "–"}
"""Before what was said; `·` where the target itself cannot be read."""
SIGN_WORDS = "✓ right  ✗ wrong  ? unparseable  ! error  … cut off"
ANSWER_CELLS = 18
NOT_MEASURED = "–"


def case_columns(found: api.CaseList) -> tuple[Column, ...]:
    """Image, target, one column an evaluation, the output of the first."""
    titles = ["said"] if not found.others else [each.name for each in (found.subject, *found.others)]
    answers = (Column(f"answer{place}", title, ANSWER_CELLS) for place, title in enumerate(titles))
    return (
        Column("path", "image", 18, flex=2),
        Column("target", "target", 12, flex=1),
        *answers,
        Column("output", "output", 14, flex=2),
    )


class CasesModel:
    """The cases that the query found."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.found: api.CaseList | None = None

    def row_count(self) -> int:
        """Cases in the list."""
        return 0 if self.found is None else len(self.found.items)

    def row_key(self, row: int) -> Hashable:
        """Path of the image."""
        assert self.found is not None  # noqa: S101 - there is a row
        return self.found.items[row].path

    def item(self, row: int) -> api.CaseItem | None:
        """One case; None where there is no such row."""
        return self.found.items[row] if self.found is not None and 0 <= row < len(self.found.items) else None

    def paths(self) -> list[str]:
        """Paths of all images of the list, in its order."""
        return [] if self.found is None else self.found.items.column("path")

    def row_cells(self, row: int, columns: Sequence[Column], widths: Sequence[int]) -> list[Cell]:
        """One case."""
        item = self.item(row)
        assert item is not None  # noqa: S101 - there is a row
        return [self._cell(item, column.key, width) for column, width in zip(columns, widths, strict=True)]

    def _cell(self, item: api.CaseItem, key: str, width: int) -> Cell:
        palette = self._table().palette
        if key == "path":
            return end_of(short_path(item.path, item.view), width), palette.text
        if key == "target":
            return item.target, palette.text
        if key == "output":
            return item.answer.output, palette.dim
        answer = (item.answer, *item.others)[int(key.removeprefix("answer"))]
        return answer_text(answer), self._style(answer)

    def _style(self, answer: api.CaseAnswer | None) -> Style:
        palette = self._table().palette
        if answer is None or answer.outcome == "unscored":
            return palette.dim
        return {"right": palette.good, "wrong": palette.bad}.get(answer.outcome, palette.warn)


def answer_text(answer: api.CaseAnswer | None) -> str:
    """Sign, what was said, P(abnormal)."""
    if answer is None:
        return f"{NOT_MEASURED} not measured"
    p = "" if answer.p_abnormal is None else f" {api.figure(answer.p_abnormal)}"
    return f"{SIGNS.get(answer.outcome, '·')} {api.said_text(answer)}{p}"


def short_path(path: str, view: str) -> str:
    """The file's name alone where its folder and its name only repeat the view; else the whole path. Untrusted text."""
    folder, _, name = path.rpartition("/")
    return name if folder == view and name.startswith(view) else path
