"""Small helpers for files that must survive a crash: durable writes, atomic renames, a lock between imports."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.data.paths import storable
from engine.errors import DataError
from engine.workspace import Workspace

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """`name`, when it is fit to be a dataset's name: it becomes a folder.

    Raises:
        DataError: it has other characters than letters, digits, dot, hyphen and underscore, or more than 64.
    """
    if not _NAME.fullmatch(name):
        raise DataError(
            f"{storable(name, 80)!r} is no name for a dataset.",
            "A name begins with a letter or digit and has up to 64 letters, digits, dots, hyphens and underscores.",
            "Choose another name, such as phantoms or fetal-2026.",
        )
    return name


def write_durably(file: Path, data: bytes | memoryview) -> None:
    """Write `data` to `file` and wait until it is on disk."""
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def import_lock(workspace: Workspace, name: str) -> Iterator[None]:
    """Keep a second import of the same dataset out; the lock ends with the process, whatever ends it.

    Raises:
        DataError: another import of this dataset is running, or the folder cannot be written.
    """
    try:
        workspace.datasets.mkdir(parents=True, exist_ok=True)
        stream = (workspace.datasets / f".{name}.lock").open("w")
    except OSError as error:
        raise DataError(
            f"The folder {workspace.datasets} cannot be written.",
            error.strerror or str(error),
            "Choose another workspace with --workspace, or mend its permissions.",
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"Another import of the dataset {name} is running.",
                "Two imports would overwrite each other's files.",
                "Wait until it has ended, or choose another name.",
            ) from None
        yield
