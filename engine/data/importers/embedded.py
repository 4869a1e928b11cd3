"""Images that a source carries inside itself: written as files, so that they can be seen, hashed and trained on."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from engine.data.check import JPEG_SIGNATURE, MAX_FILE_BYTES, PNG_SIGNATURE
from engine.data.importers.known_files import KnownFiles, Stamp
from engine.data.importers.naming import split_extension
from engine.data.paths import RejectedError, normalise_path, storable, view_of


class ImageWriter:
    """Writes images into a folder, one folder a view; an image that is there already is linked, not written again."""

    def __init__(self, folder: Path, earlier: Path, known: KnownFiles) -> None:
        """Write into `folder`; `earlier` holds the images of the import before, of which `known` tells the stamps."""
        self._folder = folder
        self._earlier = earlier
        self._known = known
        self._taken: dict[str, str] = {}
        """Hash by path."""
        self._paths: dict[tuple[str, str | None, str], str] = {}

    def put(self, view: str, name: str | None, data: bytes) -> str:
        """Write one image and return its path; equal bytes under an equal name are one image.

        Args:
            name: file name or path as the source gives it; None takes the hash for a name.

        Raises:
            RejectedError: it is neither PNG nor JPEG, too large, or its view or name cannot be a file's.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        key = (view, name, sha256)
        if key not in self._paths:
            self._paths[key] = self._write(view, name, data, sha256)
        return self._paths[key]

    def _write(self, view: str, name: str | None, data: bytes, sha256: str) -> str:
        stem, extension = _named(name, data, sha256)
        path = normalise_path(f"{view}/{stem}{extension}")
        if self._taken.get(path, sha256) != sha256:
            path = normalise_path(f"{view}/{stem}-{sha256[:12]}{extension}")
        view_of(path)  # a view named "." leaves no folder
        if path not in self._taken:
            self._taken[path] = sha256
            file = self._folder / path
            try:
                file.parent.mkdir(exist_ok=True)
                if not self._link(path, file, sha256):
                    file.write_bytes(data)
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno not in _NAME_FAULTS:
                    raise  # a full disk is no fault of this image
                raise RejectedError(storable(path), f"its name cannot be a file's: {error}") from None
        return path

    def _link(self, path: str, file: Path, sha256: str) -> bool:
        """Take over the file of the import before; its stamp stays, so that it is not even read again."""
        before = self._known.get(path)
        if before is None or before[1].sha256 != sha256:
            return False
        try:
            if Stamp.of((self._earlier / path).lstat()) != before[0]:
                return False
            os.link(self._earlier / path, file)
        except OSError:
            return False  # a file system without hard links: the image is written again
        return True


_NAME_FAULTS = {36, 22, 20, 21, 84}
"""ENAMETOOLONG, EINVAL, ENOTDIR, EISDIR, EILSEQ."""


def _named(name: str | None, data: bytes, sha256: str) -> tuple[str, str]:
    """Stem and extension of a file: the extension follows the bytes, whatever the name says."""
    if len(data) > MAX_FILE_BYTES:
        raise RejectedError(storable(name or sha256), f"the image is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    if data.startswith(PNG_SIGNATURE):
        fitting: tuple[str, ...] = (".png",)
    elif data.startswith(JPEG_SIGNATURE):
        fitting = (".jpg", ".jpeg")
    else:
        raise RejectedError(storable(name or sha256), "neither PNG nor JPEG")
    last = (name or "").replace("\\", "/").rpartition("/")[2].strip()
    if not last or last in {".", ".."}:
        return sha256[:16], fitting[0]
    stem, extension = split_extension(last)
    return stem, extension if extension.casefold() in fitting else fitting[0]
