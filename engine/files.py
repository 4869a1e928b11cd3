"""Small things about files that many parts need: on disk for sure, whole or not at all, hashed, room left."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk: a rename is durable only after the latter."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(file: Path, text: str, errors: str = "strict") -> None:
    """Write a file of text in UTF-8, or replace it: whoever opens it finds all of the old or all of the new.

    It is its owner's alone, and on disk when this returns.

    Args:
        file: in a folder that is there.
        text: its content.
        errors: as for `open`.

    Raises:
        OSError: it cannot be written; an older one stays as it was.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors=errors) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        partial.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    flush(file.parent)


def sha256_of(file: Path) -> str:
    """Hash of a file's bytes, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk that holds a folder, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
