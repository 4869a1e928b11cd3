"""Image paths as data files write them: untrusted text that must stay inside the image root."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MAX_ITEM = 300
"""Characters of an item that a problem shows; the line number leads to the rest."""


MAX_PATH = 4_096
"""Characters: no file system takes a longer path, and comparing names takes more than a moment for a long one."""


class RejectedError(Exception):
    """One item cannot be used, and why. Never leaves engine.data: importers turn it into a `Problem`."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(reason)
        self.item = item
        self.reason = reason


def storable(text: str, limit: int = MAX_ITEM) -> str:
    """`text` cut to `limit` characters, with what UTF-8 cannot hold (half surrogate pairs) written as escapes."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold the text: JSON may smuggle in half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def normalise_path(text: object) -> str:
    """The identity of an image: a relative path with forward slashes and no empty or `.` parts.

    Raises:
        RejectedError: no text, empty, too long, absolute, climbing with `..`, or with a NUL or half a surrogate pair
            in it.
    """
    if not isinstance(text, str):
        raise RejectedError(storable(repr(text)), "the image path is not text")
    path = text.replace("\\", "/")
    reason = None
    if not path.strip("/. "):
        reason = "the image path is empty"
    elif len(path) > MAX_PATH:
        reason = f"the image path has more than {MAX_PATH:,} characters"
    elif "\0" in path:
        reason = "the image path holds a NUL byte"
    elif not is_encodable(path):
        reason = "the image path is not valid Unicode"
    elif path.startswith("/") or re.match(r"[A-Za-z]:", path):
        reason = "absolute path; image paths are relative to the image root"
    elif ".." in path.split("/"):
        reason = "the path leaves the image root (..)"
    if reason:
        raise RejectedError(storable(text), reason)
    return PurePosixPath(path).as_posix()


def view_of(path: str) -> str:
    """The view of an image: the first folder of its path.

    Raises:
        RejectedError: when the image lies in no folder.
    """
    first, _, rest = path.partition("/")
    if not rest:
        raise RejectedError(storable(path), "the image lies in no view folder")
    return first


def locate(root: Path, path: str) -> Path:
    """The regular file behind `path`, links followed, proved to lie under `root`.

    Raises:
        RejectedError: when it is missing, is no regular file, or a link leads out of the root.
    """
    try:
        found = (root / path).resolve(strict=True)
        if not found.is_relative_to(root.resolve()):
            raise RejectedError(storable(path), "a link leads out of the image root")
        # A named pipe or a device would block the reader for ever.
        if not found.is_file():
            raise RejectedError(storable(path), "not a regular file")
    except FileNotFoundError:
        raise RejectedError(storable(path), "the image file is missing") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise RejectedError(storable(path), f"the image file cannot be reached: {_cause(error)}") from None
    return found


def open_regular(file: Path, root: Path | None = None) -> BinaryIO:
    """Open a file to read it, proved to be a regular one, and to lie under `root`, at this very moment.

    An image was located when it was imported; what lies there when it is read, days later, may be a link out of the
    image root, or a named pipe that nobody ever writes to.

    Raises:
        RejectedError: it is no regular file, or a link leads out of `root`.
        OSError: it is missing or may not be read.
    """
    # O_NONBLOCK: opening a named pipe would wait for ever; on a regular file it means nothing.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        os.close(descriptor)
        raise RejectedError(storable(str(file)), "not a regular file")
    stream = os.fdopen(descriptor, "rb")
    try:
        if root is not None:
            # What was opened is compared, not what the path means a moment later.
            real = file.resolve(strict=True)
            if not real.is_relative_to(root.resolve()) or not os.path.samestat(opened, real.lstat()):
                raise RejectedError(storable(str(file)), "a link leads out of the image root")
    except BaseException:
        stream.close()
        raise
    return stream


class Finder:
    """`locate` for many images of one root: each folder is resolved once, and a plain file costs one `lstat`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, str] = {}

    def find(self, path: str) -> tuple[Path, os.stat_result]:
        """The regular file behind `path`, and what its folder says of it.

        Raises:
            RejectedError: as `locate` does.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._resolve(folder)
        file = f"{self._folders[folder]}/{name}"
        try:
            facts = os.lstat(file)
        except (OSError, ValueError):
            facts = None
        if facts is not None and stat.S_ISREG(facts.st_mode):
            return Path(file), facts
        found = locate(self._root, path)  # a link, or nothing usable: the whole proof, or the reason
        try:
            return found, found.stat()
        except OSError as error:
            raise RejectedError(storable(path), f"the image file cannot be reached: {_cause(error)}") from None

    def _resolve(self, folder: str) -> str:
        """Where `folder` really lies; a place that holds nothing when that is not under the root."""
        try:
            real = (self._root / folder).resolve(strict=True)
            return str(real) if real.is_relative_to(self._root.resolve()) else "/dev/null"
        except (OSError, RuntimeError, ValueError):
            return "/dev/null"


def _cause(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
