"""The cases of a dataset as one Arrow IPC file. The only module that touches pyarrow, which costs 0.4 s to import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.data.files import write_durably
from engine.data.paths import RejectedError, normalise_path, storable
from engine.errors import DataError
from engine.types import QUESTION_IDS, Case, Split

FINGERPRINT_KEY = b"sonotune.fingerprint"
"""Schema metadata: ties the file to its manifest, so that half of an interrupted import is never read as whole."""


def write_cases(file: Path, cases: Sequence[Case], fingerprint: str) -> None:
    """Write `cases` to `file` and flush it to disk; `fingerprint` is that of content and split together."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

    columns: dict[str, Any] = {
        "path": pa.array([case.path for case in cases], pa.string()),
        "view": pa.array([case.view for case in cases], pa.string()),
        "split": pa.array([case.split.value for case in cases], pa.string()),
        "sha256": pa.array([case.sha256 for case in cases], pa.string()),
        "width": pa.array([case.width for case in cases], pa.int32()),
        "height": pa.array([case.height for case in cases], pa.int32()),
    }
    for question in QUESTION_IDS:
        columns[question] = pa.array([case.answers.get(question) for case in cases], pa.large_string())
    table = pa.table(columns).replace_schema_metadata({FINGERPRINT_KEY: fingerprint.encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    write_durably(file, memoryview(sink.getvalue()))


def read_cases(file: Path, image_root: Path, fingerprint: str) -> list[Case]:
    """Read all cases, in manifest order.

    Raises:
        DataError: the file is missing or damaged, or belongs to another manifest than `fingerprint` says.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as reader:
            table = reader.read_all()
            table.validate(full=True)  # of somebody else's workspace, perhaps: it must not crash the process
            metadata = table.schema.metadata or {}
            if metadata.get(FINGERPRINT_KEY, b"").decode() != fingerprint:
                raise _damaged(file, "it belongs to another import than the manifest beside it")
            columns = table.to_pydict()
        return [_case(index, columns, image_root) for index in range(table.num_rows)]
    except RejectedError as rejected:
        raise _damaged(file, f"{rejected.item}: {rejected.reason}") from None
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from error


def _case(index: int, columns: dict[str, list[Any]], image_root: Path) -> Case:
    path = columns["path"][index]
    # Written by an import that has looked at it; but a file that came with somebody else's workspace may say anything.
    if path != normalise_path(path):
        raise RejectedError(storable(path), "no path that an import writes")
    return Case(
        index=index,
        path=path,
        file=image_root / path,
        view=columns["view"][index],
        split=Split(columns["split"][index]),
        answers={each: columns[each][index] for each in QUESTION_IDS if columns[each][index] is not None},
        sha256=columns["sha256"][index],
        width=columns["width"][index],
        height=columns["height"][index],
    )


def _damaged(file: Path, reason: str) -> DataError:
    return DataError(f"The case file {file} cannot be used.", reason, "Import the dataset again with `--replace`.")
