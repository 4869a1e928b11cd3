"""Folders that are either whole or not there: written beside, flushed, and renamed into place.

At no moment is there neither the old nor the new one: the old one is renamed aside first, and whoever looks next
(`recovered`) finds it there should the process have ended between the two renames.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.files import flush

PARTIAL = ".partial"
"""Ending of a folder that is being written; never taken for good."""
ASIDE = ".old"
"""Ending of a folder that is being replaced."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_SIGNS = (
    "No space left on device",
    "Disk quota exceeded",
    "(os error 28)",
    "(os error 122)",
    "PytorchStreamWriter failed",
    "inline_container",
)


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Have a folder written beside `folder`, which it replaces when the block ends well.

    Where it does not, what was written is removed, and an older `folder` stays as it was.
    """
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        fsync_tree(partial)
        put_in_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        recovered(folder)
        raise


def put_in_place(written: Path, folder: Path) -> None:
    """Rename a folder that has been flushed to its place; an older one there is replaced."""
    aside = folder.with_name(folder.name + ASIDE)
    for last in (False, False, True):
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        try:
            written.rename(folder)
            break
        except OSError as error:
            # Somebody who wants to read it has just put the older one back.
            if last or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    flush(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def standing(folder: Path) -> Path:
    """Where the content of `folder` is now: there, or put aside. For looking; `recovered` takes it back."""
    aside = folder.with_name(folder.name + ASIDE)
    return aside if aside.is_dir() and not folder.exists() else folder


def recovered(folder: Path) -> Path:
    """`folder`, taken back from where it was put aside if a process ended between the two renames."""
    aside = folder.with_name(folder.name + ASIDE)
    if aside.is_dir():
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(folder)
    return folder


def fsync_tree(folder: Path) -> None:
    """Flush every file of a folder, and the folders themselves, to disk."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def is_disk_full(error: BaseException) -> bool:
    """Whether a write has failed because there is no room.

    torch and safetensors write files by code of their own, whose errors are no OSError. That of safetensors names the
    cause; torch only says that its writer came to another place of the file than it should.
    """
    if isinstance(error, OSError):
        return error.errno in _FULL
    text = str(error)
    return any(sign in text for sign in _FULL_SIGNS)


def is_failed_write(error: BaseException) -> bool:
    """Whether files could not be written, for whatever reason: full, read-only, or a disk that is failing."""
    return isinstance(error, OSError) or is_disk_full(error) or "I/O error" in str(error)
