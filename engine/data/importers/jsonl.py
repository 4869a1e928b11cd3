"""Import of chat JSONL: one line a question, several lines an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from engine.data.files import check_name, import_lock
from engine.data.importers.assemble import ImportRequest, Progress, assemble
from engine.data.importers.chat import parse_line
from engine.data.importers.collect import Collector
from engine.data.importers.publish import Recorder, publish, require_replaceable
from engine.data.paths import RejectedError, storable
from engine.data.split import DEFAULT_SHARES
from engine.errors import DataError
from engine.types import DatasetRecord
from engine.workspace import Workspace

MAX_LINE_BYTES = 4 * 1024**2
"""A longer line is no question: it is skipped without being held in memory."""


def import_jsonl(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    *,
    split_seed: int = 0,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
    replace: bool = False,
    progress: Progress | None = None,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Import a chat file into `datasets/<name>/`.

    Lines and images that cannot be used are left out, counted, and listed with their reasons in `Dataset.problems`.
    The same content imported again gives the same fingerprints, whatever the order of its lines.

    Args:
        image_root: folder to which the image paths are relative; the first folder of a path is the view.
        split_seed: seed of the stratified split.
        shares: of train, validation and test.
        replace: whether a dataset of this name with other content may be replaced.
        progress: called with (images checked, images).
        recorder: called at the end with the record and one row an image.

    Raises:
        DataError: file or image root are missing, nothing usable is in it, or the name is taken by other content; an
            existing dataset then stays as it was.
    """
    request = ImportRequest(check_name(name), "jsonl", split_seed, shares, replace)
    if not image_root.is_dir():
        raise DataError(
            f"The image root {storable(str(image_root))} is no folder.",
            "Image paths in the file are relative to it.",
            "Pass the folder that holds one folder a view.",
        )
    with import_lock(workspace, name):
        collector = _collect(file)
        entries = collector.entries()
        options = {
            "file": storable(file.name),
            "repeated_lines": collector.repeats,
            "unknown_keys": dict(collector.unknown_keys.most_common(50)),
        }
        request = dataclasses.replace(request, options=options)
        new = assemble(workspace, request, entries, collector.problems(), root=image_root.resolve(), progress=progress)
        require_replaceable(workspace, request, new)
        return publish(workspace, new, recorder)


def _collect(file: Path) -> Collector:
    collector = Collector(file.name)
    try:
        for number, raw in _lines(file):
            try:
                if raw is None:
                    raise RejectedError("", f"the line is longer than {MAX_LINE_BYTES // 1024**2} MiB")
                if raw.strip():
                    collector.add(number, parse_line(raw))
            except RejectedError as rejected:
                collector.reject(number, rejected.item, rejected.reason)
    except OSError as error:
        raise DataError(
            f"The file {storable(str(file))} cannot be read.",
            error.strerror or str(error),
            "Check the path and its permissions.",
        ) from error
    return collector


def _lines(file: Path) -> Iterator[tuple[int, bytes | None]]:
    """Numbered raw lines from 1 on; None for one that is too long. A byte-order mark at the start is dropped."""
    with file.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
                yield number, line
                continue
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, None
