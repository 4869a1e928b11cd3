"""From a source of any kind to the importer that reads it."""

from __future__ import annotations

from pathlib import Path

from engine.data.importers.publish import Recorder
from engine.data.importers.request import SourceOptions
from engine.data.importers.source import SourceKind, kind_of
from engine.errors import DataError
from engine.types import DatasetRecord
from engine.workspace import Workspace


def start_import(
    workspace: Workspace,
    name: str,
    source: Path,
    images: Path | None,
    kind: str,
    sheet: str | None,
    options: SourceOptions,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Import `source` with the importer for its kind.

    Args:
        images: image root; None takes the folder of the source (for a `datasets` folder, the folder itself).
        kind: `auto`, or a `SourceKind`.
        sheet: of a workbook.

    Raises:
        DataError: its kind cannot be told, a sheet was named for something else, or the importer refuses.
    """
    found = kind_of(source, kind)
    if sheet is not None and found is not SourceKind.SHEET:
        raise DataError(f"A source of kind {found} has no sheets.", next_step="Leave --sheet out.")
    root = images or source.parent
    match found:
        case SourceKind.SHEET:
            from engine.data.importers.sheet import import_sheet

            return import_sheet(workspace, name, source, root, options, recorder, sheet=sheet)
        case SourceKind.JSONL:
            from engine.data.importers.jsonl import import_chat_lines

            return import_chat_lines(workspace, name, source, root, options, recorder)
        case SourceKind.SHAREGPT:
            from engine.data.importers.sharegpt import import_sharegpt

            return import_sharegpt(workspace, name, source, root, options, recorder)
        case SourceKind.HUGGINGFACE:
            from engine.data.importers.hf_folder import import_hf_folder

            return import_hf_folder(workspace, name, source, images, options, recorder)
