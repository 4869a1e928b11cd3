"""Import of the annotation sheet: one row an image, its folder, its name, its status and eight answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.files import check_name, import_lock
from engine.data.importers.collect import Collector
from engine.data.importers.columns import FOLDER, IMAGE, STATUS, Columns, find_columns
from engine.data.importers.naming import name_key
from engine.data.importers.parsed import ParsedLine
from engine.data.importers.pipeline import Gathered, import_gathered, require_folder
from engine.data.importers.publish import Recorder
from engine.data.importers.report import Notice, Tolerances, notice
from engine.data.importers.request import SourceOptions
from engine.data.importers.workbook import HEAD_ROWS, Cell, MergedColumn, Row, Sheet, open_workbook
from engine.data.paths import RejectedError, normalise_path, storable, view_of
from engine.errors import DataError
from engine.types import QUESTION_IDS, DatasetRecord
from engine.workspace import Workspace

COMPLETE = "complete"
"""Status of the rows that are used."""


def import_sheet(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    options: SourceOptions,
    recorder: Recorder | None = None,
    *,
    sheet: str | None = None,
) -> DatasetRecord:
    """Import an annotation sheet into `datasets/<name>/`.

    Args:
        image_root: folder that holds one folder a view.
        sheet: which sheet of the workbook; None takes the one whose heads fit best.

    Raises:
        DataError: file or image root are missing, no sheet has the columns, nothing usable is in it, or the name is
            taken by other content; an existing dataset then stays as it was.
    """
    check_name(name)
    require_folder(image_root)
    with import_lock(workspace, name):
        gathered = gather_rows(file, sheet)
        return import_gathered(workspace, name, "sheet", gathered, image_root.resolve(), options, recorder)


def gather_rows(file: Path, sheet: str | None = None) -> Gathered:
    """Read a sheet to its end; DataError where it cannot be read."""
    with open_workbook(file) as sheets:
        chosen, head = _choose(file, sheets, sheet)
        reading = _Reading(Collector(file.name, "rows"), Tolerances(file.name), head.columns)
        reading.note_head(chosen.name, [each.name for each in sheets], head.row)
        merged = chosen.merged_below()
        last_column = max(head.columns.places.values()) + 1
        for number, row in chosen.rows(head.row + 1, columns=last_column):
            reading.take(number, reading.filled(number, row, merged))
    options: dict[str, object] = {
        "file": storable(file.name),
        "sheet": storable(chosen.name, 120),
        "repeated_lines": reading.collector.repeats,
        "unknown_columns": [storable(each, 80) for each in head.columns.ignored[:50]],
    }
    return Gathered(reading.collector, reading.tolerances, options, reading.notices(), reading.set_aside)


@dataclass(frozen=True, slots=True)
class _Head:
    row: int
    columns: Columns

    @property
    def fit(self) -> int:
        """How many columns were recognised; 0 without images or without any question."""
        return len(self.columns.places) if IMAGE in self.columns.places and self.columns.questions else 0


def _choose(file: Path, sheets: Sequence[Sheet], wanted: str | None) -> tuple[Sheet, _Head]:
    """The sheet to read and its heads: the one asked for, else the first of those that fit best."""
    candidates = list(sheets)
    if wanted is not None:
        exact = [sheet for sheet in sheets if sheet.name == wanted]
        candidates = exact or [sheet for sheet in sheets if name_key(sheet.name) == name_key(wanted)]
    names = ", ".join(storable(sheet.name, 60) for sheet in sheets) or "none"
    if not candidates:
        raise DataError(
            f"There is no sheet named {storable(str(wanted), 60)} in {storable(file.name)}.",
            f"Its sheets are: {names}.",
            "Name one of them with --sheet, or leave it out.",
        )
    heads = [(sheet, _best_head(sheet)) for sheet in candidates]
    sheet, head = max(heads, key=lambda pair: pair[1].fit)  # the first of equals
    if not head.fit:
        raise DataError(
            f"No sheet of {storable(file.name)} has the columns of the annotations.",
            f"Looked for Folder Name, Image Name, Status and Q1 to Q8 in the first {HEAD_ROWS} rows of: {names}.",
            "Write these heads above the columns, or name the sheet with --sheet.",
        )
    if head.columns.repeated:
        pairs = "; ".join(f"{meaning}: {one!r} and {two!r}" for meaning, one, two in head.columns.repeated)
        raise DataError(
            f"Two columns of the sheet {storable(sheet.name, 60)} mean the same.",
            storable(pairs),
            "Remove or rename one of each pair, then import again.",
        )
    return sheet, head


def _best_head(sheet: Sheet) -> _Head:
    heads = [
        _Head(number, find_columns([cell.text if cell else "" for cell in row]))
        for number, row in sheet.rows(last=HEAD_ROWS)
    ]
    return max(heads, key=lambda head: head.fit, default=_Head(0, Columns({})))


@dataclass(slots=True)
class _Reading:
    """The rows of one sheet as they are read."""

    collector: Collector
    tolerances: Tolerances
    columns: Columns
    set_aside: list[str] = field(default_factory=list)
    _notices: list[Notice] = field(default_factory=list)
    _not_complete: Counter[str] = field(default_factory=Counter)
    _unanswered: Counter[str] = field(default_factory=Counter)
    _odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Cells that hold something else than text, by what was noticed."""
    _above: dict[int, tuple[int, Cell | None]] = field(default_factory=dict)
    """Row and cell that merged cells below take their value from, by column."""

    def note_head(self, name: str, names: Sequence[str], row: int) -> None:
        """Report what was chosen, and how heads differ from those of the annotation sheet."""
        if len(names) > 1:
            others = ", ".join(storable(each, 60) for each in names if each != name)
            self._notices.append(notice("one sheet of several was read", [f"{name}; not read: {others}"]))
        for head, proper in self.columns.forgiven:
            self.tolerances.add("column name", head, proper, [row])
        if STATUS not in self.columns.places:
            self._notices.append(notice("no column Status: every row counts as complete", [f"sheet {name}"], loud=True))
        missing = [question for question in QUESTION_IDS if question not in self.columns.places]
        if missing:
            self._notices.append(notice("questions without a column", missing))

    def filled(self, number: int, row: Row, merged: Mapping[int, MergedColumn]) -> Row:
        """The row as a person sees it: cells of a merged block show the value at its top."""
        cells = list(row)
        for column, tops in merged.items():
            if column >= len(cells) or column not in self.columns.places.values():
                continue
            top = tops.get(number)
            if top is None:
                self._above[column] = (number, cells[column])
            elif cells[column] is None and (above := self._above.get(column)) and above[0] == top and above[1]:
                cells[column] = above[1]
                self.tolerances.add("merged cells", "(empty)", above[1].text, [number])
        return cells

    def take(self, number: int, row: Row) -> None:
        """Take in one row that is not empty."""
        cells = {meaning: row[place] if place < len(row) else None for meaning, place in self.columns.places.items()}
        folder, image = self._name(cells, FOLDER), self._name(cells, IMAGE)
        if not image and not any(cells[question] for question in self.columns.questions):
            return  # a heading between blocks, or a formatted row that nobody filled in
        try:
            if not image:
                raise RejectedError(storable(folder), "no image name (empty, or a formula without a stored value)")
            line = ParsedLine(normalise_path(_joined(folder, image)))
            view_of(line.path)
            if not self._is_complete(number, cells):
                self.set_aside.append(line.path)
                return
            self._take_answers(number, line, cells)
            self.collector.add(number, line)
        except RejectedError as rejected:
            if self._is_complete(number, cells, count=False):
                self.collector.reject(number, rejected.item, rejected.reason)

    def _name(self, cells: Mapping[str, Cell | None], meaning: str) -> str:
        cell = cells.get(meaning)
        return cell.text if cell else ""

    def _is_complete(self, number: int, cells: Mapping[str, Cell | None], *, count: bool = True) -> bool:
        if STATUS not in cells:
            return True
        written = self._name(cells, STATUS)
        status = " ".join(written.split()).casefold()
        if status == COMPLETE:
            if count and written != COMPLETE:
                self.tolerances.add("status", written, COMPLETE, [number])
            return True
        if count:
            self._not_complete[storable(status, 60) or "(empty)"] += 1
        return False

    def _take_answers(self, number: int, line: ParsedLine, cells: Mapping[str, Cell | None]) -> None:
        for question in self.columns.questions:
            cell = cells[question]
            if cell is None:
                self._unanswered[question] += 1
            elif cell.kind == "error":
                line.faults.append(
                    RejectedError(
                        storable(line.path), f"{question} holds the spreadsheet error {storable(cell.text, 20)}"
                    )
                )
            else:
                line.answer(question, cell.text)
                if cell.kind != "text":
                    belongs = "weeks belong" if question == "Q5" else "text belongs"
                    words = f"row {number}, {question}: {storable(cell.text, 60)}"
                    self._odd[f"a {cell.kind} where {belongs}"].append(words)
        if not line.answers and not line.faults:
            raise RejectedError(storable(line.path), "a complete row without any answer")

    def notices(self) -> list[Notice]:
        """Everything noticed, once all rows are read."""
        found = list(self._notices)
        if self._not_complete:
            rows = [f"{status}: {count} rows" for status, count in self._not_complete.most_common()]
            found.append(notice("rows that are not complete", rows, count=self._not_complete.total()))
        if self._unanswered:
            rows = [f"{question}: {self._unanswered[question]} rows" for question in self.columns.questions]
            kept = [words for words in rows if not words.endswith(": 0 rows")]
            found.append(notice("answers missing in complete rows", kept, count=self._unanswered.total()))
        return found + [notice(title, words) for title, words in sorted(self._odd.items())]


def _joined(folder: str, image: str) -> str:
    """Path of a row; an image name that repeats its folder stands alone."""
    image = image.replace("\\", "/")
    first = image.partition("/")[0] if "/" in image else None
    if not folder.strip() or (first is not None and name_key(first) == name_key(folder)):
        return image
    return f"{folder}/{image}"
