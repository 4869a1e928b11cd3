"""Which importer a source is for, from what it is and how it begins."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from engine.data.importers.hf_files import looks_like_hf
from engine.data.paths import storable
from engine.errors import DataError

_SNIFFED = 4096
"""Bytes from which a text file is recognised."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class SourceKind(StrEnum):
    """What can be imported from disk."""

    SHEET = "sheet"
    """Excel workbook with one row an image."""
    JSONL = "jsonl"
    """Chat JSONL, one conversation a line."""
    SHAREGPT = "sharegpt"
    """LLaMA-Factory's ShareGPT JSON, one array of conversations."""
    HUGGINGFACE = "huggingface"
    """A `datasets` folder on disk, or a folder of Parquet files."""


def kind_of(source: Path, asked: str = "auto") -> SourceKind:
    """The kind of a source; `asked` wins unless it is `auto`.

    Raises:
        DataError: there is no such file or folder, no such kind, or it cannot be told.
    """
    if asked != "auto" and asked not in list(SourceKind):
        raise DataError(f"There is no kind of source {asked!r}.", next_step=f"Choose: {_kinds()}, or auto.")
    # A named pipe would block the reader for ever, and a folder is read by one importer alone.
    if not source.is_file() and not source.is_dir():
        raise _unreadable(source, "It is neither a file nor a folder.")
    if asked != "auto":
        if (asked == SourceKind.HUGGINGFACE) != source.is_dir():
            raise _unreadable(source, f"A source of kind {asked} is a {'file' if source.is_dir() else 'folder'}.")
        return SourceKind(asked)
    if source.is_dir():
        if looks_like_hf(source):
            return SourceKind.HUGGINGFACE
        raise _unknown(source, "It is a folder without a saved dataset (state.json, dataset_dict.json, *.parquet).")
    return _kind_of_file(source)


def _kind_of_file(source: Path) -> SourceKind:
    try:
        with source.open("rb") as stream:
            start = stream.read(_SNIFFED)
    except OSError as error:
        raise _unreadable(source, error.strerror or str(error)) from error
    if start.startswith((_ZIP, _OLE)):
        return SourceKind.SHEET
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if source.suffix.casefold() in {".xlsx", ".xlsm", ".xls"}:
        return SourceKind.SHEET
    if text.startswith(b"["):
        return SourceKind.SHAREGPT
    # A JSONL whose first line is broken is still one: the importer tells which lines are.
    if text.startswith(b"{") or source.suffix.casefold() in {".jsonl", ".ndjson"}:
        return SourceKind.JSONL
    raise _unknown(source, "It begins neither as a workbook nor as JSON.")


def _unreadable(source: Path, reason: str) -> DataError:
    return DataError(
        f"The source {storable(str(source))} cannot be read.", reason, "Check the path, its permissions and --kind."
    )


def _unknown(source: Path, reason: str) -> DataError:
    return DataError(
        f"What kind of data {storable(source.name)} is cannot be told.",
        reason,
        f"Name its kind with --kind ({_kinds()}).",
    )


def _kinds() -> str:
    return ", ".join(SourceKind)
