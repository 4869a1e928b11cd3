"""What a split file says, in any of its forms, as (line or entry number, path, split) in the words of the file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.paths import storable
from engine.errors import DataError

MAX_BYTES = 256 * 1024**2

_PATH_HEADS = ("path", "image", "imagepath", "imagename", "file", "filename", "filepath", "images")
_SPLIT_HEADS = ("split", "set", "subset", "part", "partition")

Named = tuple[int, str, str]
"""(line or entry number, path, split) as written."""


def named_in(file: Path) -> Iterator[Named]:
    """Every image that a split file names; DataError where it cannot be read."""
    text = _read(file)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        yield from _from_json(file, text)
    else:
        yield from _from_table(file, text)


def _read(file: Path) -> str:
    try:
        if not file.is_file():
            raise FileNotFoundError(2, "there is no such file", str(file))
        if file.stat().st_size > MAX_BYTES:
            raise OSError(f"it is larger than {MAX_BYTES // 1024**2} MiB")
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 (byte {error.start + 1})"
    raise DataError(
        f"The split file {storable(str(file))} cannot be read.", reason, "Check the path, or save it as UTF-8 text."
    )


def _from_json(file: Path, text: str) -> Iterator[Named]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, f"invalid JSON: {storable(str(error), 120)}") from error
    for number, (said, word) in enumerate(_pairs(content), 1):
        if not isinstance(said, str) or not isinstance(word, str):
            raise _unreadable(file, f"entry {number} is no pair of a path and a split: {storable(repr(said), 80)}")
        yield number, said, word


def _pairs(content: Any) -> Iterator[tuple[Any, Any]]:
    """(path, split) of the three JSON forms."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if isinstance(value, list):
                yield from ((path, key) for path in value)
            else:
                yield key, value
        return
    for entry in content:
        row = {_plain(str(key)): value for key, value in entry.items()} if isinstance(entry, Mapping) else {}
        yield (
            next((row[head] for head in _PATH_HEADS if head in row), None),
            next((row[head] for head in _SPLIT_HEADS if head in row), None),
        )


def _from_table(file: Path, text: str) -> Iterator[Named]:
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=first.count)
    path_column, split_column = 0, 1
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), 1):
            if not any(cell.strip() for cell in row):
                continue
            heads = [_plain(cell) for cell in row]
            if number == 1 and (columns := _columns(heads)) is not None:
                path_column, split_column = columns
                continue
            if len(row) <= max(path_column, split_column):
                raise _unreadable(file, f"line {number} has {len(row)} columns: {storable(str(row), 80)}")
            yield number, row[path_column], row[split_column]
    except csv.Error as error:
        raise _unreadable(file, storable(str(error), 120)) from error


def _columns(heads: Sequence[str]) -> tuple[int, int] | None:
    """Places of path and split in a row of column names; None when the row is none."""
    path = next((heads.index(head) for head in _PATH_HEADS if head in heads), None)
    split = next((heads.index(head) for head in _SPLIT_HEADS if head in heads), None)
    return None if path is None or split is None else (path, split)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _unreadable(file: Path, reason: str) -> DataError:
    return DataError(
        f"The split file {storable(file.name)} cannot be read.",
        reason,
        'It needs a column "path" and a column "split", or JSON such as {"train": ["Femur/Femur_001.png"]}.',
    )
