"""Import of chat JSONL: one line a question, several lines an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.data.files import check_name, import_lock
from engine.data.importers.chat import parse_line
from engine.data.importers.collect import Collector
from engine.data.importers.pipeline import Gathered, import_gathered, require_folder
from engine.data.importers.publish import Recorder
from engine.data.importers.report import Tolerances
from engine.data.importers.request import Measured, Progress, SourceOptions
from engine.data.paths import RejectedError, storable
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
    split_seed: int | None = None,
    shares: tuple[float, float, float] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    recorder: Recorder | None = None,
    measured: Measured | None = None,
) -> DatasetRecord:
    """Import a chat file into `datasets/<name>/`; see `import_chat_lines`, which takes the options in one value."""
    options = SourceOptions(split_seed, shares, replace, progress=progress, measured=measured)
    return import_chat_lines(workspace, name, file, image_root, options, recorder)


def import_chat_lines(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    options: SourceOptions,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Import a chat file into `datasets/<name>/`.

    Lines and images that cannot be used are left out, counted, and listed with their reasons in `Dataset.problems`.
    The same content gives the same fingerprint, whatever the order of its lines.

    Args:
        image_root: folder to which the image paths are relative; the first folder of a path is the view.
        recorder: called at the end with the record and one row an image.

    Raises:
        DataError: file or image root are missing, nothing usable is in it, or the name is taken by other content; an
            existing dataset then stays as it was.
    """
    check_name(name)
    require_folder(image_root)
    with import_lock(workspace, name):
        gathered = gather_lines(file)
        return import_gathered(workspace, name, "jsonl", gathered, image_root.resolve(), options, recorder)


def gather_lines(file: Path) -> Gathered:
    """Read a chat file to its end; DataError where it cannot be read."""
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
        raise unreadable(file, error) from error
    return Gathered(collector, Tolerances(file.name), chat_options(file, collector))


def chat_options(file: Path, collector: Collector) -> dict[str, object]:
    """What the record of a chat import says of its source."""
    return {
        "file": storable(file.name),
        "repeated_lines": collector.repeats,
        "unknown_keys": dict(collector.unknown_keys.most_common(50)),
    }


def unreadable(file: Path, error: OSError) -> DataError:
    """The error for a source that the system does not let us read."""
    return DataError(
        f"The file {storable(str(file))} cannot be read.",
        error.strerror or str(error),
        "Check the path and its permissions.",
    )


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
