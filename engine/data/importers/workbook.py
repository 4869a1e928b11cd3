"""Excel workbooks, read row by row: nothing is evaluated, and a file that would fill the memory is refused.

openpyxl reads the cells (streaming, values as the sheet last showed them). Merged cells are looked up in the sheet's
XML, because a streaming reader does not tell them (ECMA-376 part 1, 18.3.1.55).
"""

from __future__ import annotations

import datetime
import lzma
import re
import struct
import warnings
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.data.paths import storable
from engine.errors import DataError

MAX_PART_BYTES = 256 * 1024**2
"""Of all XML in the file together, unpacked: a sheet of 100,000 rows has a tenth of it."""
MAX_RATIO = 300
"""Packed to unpacked, of parts above `RATIO_FROM`: text of people is packed 5 to 50 times, a bomb a thousand times."""
RATIO_FROM = 8 * 1024**2
MAX_ROWS = 1_048_576
"""The most that Excel itself allows."""
MAX_COLUMNS = 256
HEAD_ROWS = 20
"""The heads are looked for in the first rows of a sheet."""
MAX_MERGED = 200_000
"""Merged blocks of a sheet; people merge a few hundred."""
MAX_CELL = 1_000_000
"""Characters; Excel itself stops at 32,767."""

_FAULTS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, SyntaxError, KeyError, ValueError, TypeError,
    IndexError, AttributeError, EOFError, OverflowError, RuntimeError, RecursionError,
)  # fmt: skip
"""What openpyxl raises for files that are no proper workbook; `SyntaxError` is what both XML parsers' errors are, that
of lxml, which it takes where it is installed, and that of the standard library."""
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]{0,150}?\bref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_ERRORS = frozenset({"#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"})
"""What a cell shows whose formula failed."""
_OLD_FORMAT = b"\xd0\xcf\x11\xe0"


class Cell(NamedTuple):
    """One cell that is not empty; a tuple, because there are hundreds of thousands."""

    text: str
    """What stands in it, as it stands; a number or a date in its plainest form."""
    kind: str
    """`text`, `number`, `date`, `truth value` or `error`."""


Row = Sequence[Cell | None]


class MergedColumn:
    """The merged blocks of one column. Ranges, not rows: a hostile sheet merges a million rows in each column."""

    def __init__(self, blocks: Sequence[tuple[int, int]]) -> None:
        """From (first, last) rows."""
        self._blocks = sorted(blocks)

    def get(self, row: int) -> int | None:
        """The row whose value this one shows; None for a row that shows its own."""
        place = bisect_right(self._blocks, (row,)) - 1  # the last block that begins above this row
        if place < 0:
            return None
        top, bottom = self._blocks[place]
        return top if row <= bottom else None


class Sheet:
    """One sheet of an open workbook."""

    def __init__(self, sheet: Any, archive: zipfile.ZipFile) -> None:
        self._sheet = sheet
        self._archive = archive
        self.name = str(sheet.title)

    def rows(self, first: int = 1, last: int = MAX_ROWS, columns: int = MAX_COLUMNS) -> Iterator[tuple[int, Row]]:
        """(row number from 1 on, cells) of rows that are not empty."""
        # What the file says of its own size is often wrong, and rows below it would be lost without a word.
        self._sheet.reset_dimensions()
        found = self._sheet.iter_rows(min_row=first, max_row=last, max_col=columns, values_only=True)
        for number, values in enumerate(found, first):
            row = [None if value is None else _cell(value) for value in values]
            if any(row):
                yield number, row

    def merged_below(self) -> dict[int, MergedColumn]:
        """Cells that show the value of a merged cell above them, by column from 0 on."""
        from openpyxl.utils import column_index_from_string

        blocks: dict[int, list[tuple[int, int]]] = {}
        for count, (left, top, right, bottom) in enumerate(self._merges(), 1):
            if count > MAX_MERGED:
                raise ValueError(f"more than {MAX_MERGED:,} merged cells")
            column = column_index_from_string(left.decode()) - 1
            if left == right and column < MAX_COLUMNS:
                blocks.setdefault(column, []).append((int(top), min(int(bottom), MAX_ROWS)))
        return {column: MergedColumn(found) for column, found in blocks.items()}

    def _merges(self) -> Iterator[tuple[bytes, ...]]:
        tail = b""
        with self._archive.open(self._sheet._worksheet_path) as stream:
            while chunk := stream.read(1 << 20):
                text = tail + chunk
                end = 0
                for match in _MERGED.finditer(text):
                    yield match.groups()
                    end = match.end()
                tail = text[max(end, len(text) - 200) :]


@contextmanager
def open_workbook(file: Path) -> Iterator[list[Sheet]]:
    """The sheets of a workbook, while it is open.

    Raises:
        DataError: it is missing, no workbook (any more), too large, or damaged; also while its rows are being read.
    """
    try:
        _refuse_bombs(file)
        from openpyxl import load_workbook

        with warnings.catch_warnings(), zipfile.ZipFile(file) as archive:
            warnings.simplefilter("ignore")  # openpyxl speaks of styles and extensions that do not matter here
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield [Sheet(sheet, archive) for sheet in workbook.worksheets]
            finally:
                workbook.close()
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error), "Check the path and its permissions.") from error
    except _FAULTS as error:
        raise _unreadable(
            file, f"It is no undamaged workbook: {type(error).__name__}: {storable(str(error), 160)}"
        ) from error


def _refuse_bombs(file: Path) -> None:
    """Look at the sizes that the archive declares; zipfile never unpacks more than these."""
    if not file.is_file():
        raise _unreadable(file, "There is no such file.", "Check the path.")
    with file.open("rb") as stream:
        if stream.read(4) == _OLD_FORMAT:
            raise _unreadable(file, "It is an old .xls file, or protected by a password.")
    with zipfile.ZipFile(file) as archive:
        parts = [part for part in archive.infolist() if part.filename.endswith((".xml", ".rels"))]
    total = sum(part.file_size for part in parts)
    if total > MAX_PART_BYTES:
        raise _unreadable(file, f"Unpacked it has {total // 1024**2:,} MiB; the limit is {MAX_PART_BYTES // 1024**2}.")
    for part in parts:
        if part.file_size > RATIO_FROM and part.file_size > MAX_RATIO * max(1, part.compress_size):
            ratio = part.file_size // max(1, part.compress_size)
            raise _unreadable(file, f"{storable(part.filename, 80)} is packed {ratio:,} times, as no table is.")


def _cell(value: object) -> Cell | None:
    if type(value) is str:  # nearly all cells
        text = _ESCAPED.sub(_unescaped, value) if "_x" in value else value
        kind = "error" if text in _ERRORS else "text"
    else:
        text, kind = _plain(value)
    return Cell(text[:MAX_CELL], kind) if text and not text.isspace() else None


def _unescaped(match: re.Match[str]) -> str:
    """A character that XML cannot hold stands escaped in the file (ECMA-376 part 1, 22.9.2.19, ST_Xstring)."""
    return chr(int(match[1], 16))


def _plain(value: object) -> tuple[str, str]:
    """A value that is no text, as text, and its kind."""
    match value:
        case bool():
            return str(value).upper(), "truth value"
        case int():
            return str(value), "number"
        case float():
            return (str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)), "number"
        case datetime.datetime():
            whole_day = value.time() == datetime.time()
            return (value.date().isoformat() if whole_day else value.isoformat(" ")), "date"
        case datetime.date() | datetime.time() | datetime.timedelta():
            return str(value), "date"
        case _:
            return str(value), "text"


def _unreadable(file: Path, reason: str, step: str = "Save it as an .xlsx workbook, without a password.") -> DataError:
    return DataError(f"The workbook {storable(str(file))} cannot be read.", reason, step)
