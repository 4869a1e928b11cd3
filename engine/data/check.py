"""Structure and hash of one image file, in one read and without decoding its pixels.

PNG: signature, chunk lengths and checksums up to IEND (W3C PNG, 3rd edition, section 5). JPEG: the marker segments
from SOI to EOI (ITU-T T.81, annex B). A file that passes can still hold pixels that decode to nonsense; decoding
(`images.py`) says so when it happens.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.data.paths import RejectedError, locate

CHECK_VERSION = 1
"""Of the rules below; facts that another version learned are not taken over."""

MAX_FILE_BYTES = 128 * 1024**2
MAX_PIXELS = 64_000_000
"""More than any ultrasound machine writes; beyond it a small file could fill the memory (decompression bomb)."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers SOF0 to SOF15; the three others in that range are tables."""
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
"""The next marker that opens a segment or ends the image, past stuffed bytes, fill bytes and restart markers."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the check learned of a sound image file."""

    sha256: str
    """Hash of the file's bytes, lower-case hexadecimal."""
    width: int
    height: int


def check_image(root: Path, path: str) -> ImageFacts | str:
    """Check the image at `path` under `root`.

    Returns:
        Its hash and size in pixels, or in one phrase why it cannot be used. Never raises for what a file holds.
    """
    try:
        return check_file(locate(root, path))
    except RejectedError as rejected:
        return rejected.reason


def check_file(file: Path) -> ImageFacts | str:
    """`check_image` for a file that was located before."""
    try:
        data = _read(file)
        width, height = _dimensions(data)
        if width < 1 or height < 1:
            raise _UnsoundError("the image has no pixels")
        if width * height > MAX_PIXELS:
            raise _UnsoundError(f"{width} x {height} pixels, more than the limit of {MAX_PIXELS:,}")
    except _UnsoundError as unsound:
        return str(unsound)
    return ImageFacts(hashlib.sha256(data).hexdigest(), width, height)


class _UnsoundError(Exception):
    """The file is not a whole image; the message says what is wrong with it."""


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _UnsoundError(f"the image file cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise _UnsoundError(f"the image file is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    return data


def _dimensions(data: bytes) -> tuple[int, int]:
    if not data:
        raise _UnsoundError("the image file is empty (zero bytes)")
    if data.startswith(PNG_SIGNATURE):
        return _walk_png(data)
    if data.startswith(JPEG_SIGNATURE):
        return _walk_jpeg(data)
    raise _UnsoundError("neither PNG nor JPEG")


def _walk_png(data: bytes) -> tuple[int, int]:
    view, position = memoryview(data), len(PNG_SIGNATURE)
    size: tuple[int, int] | None = None
    pixels = False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise _UnsoundError(f"damaged PNG: wrong checksum in chunk at byte {position}")
        if size is None:
            if kind != b"IHDR" or length != 13:
                raise _UnsoundError("damaged PNG: it does not begin with its header")
            size = struct.unpack_from(">II", data, position + 8)
        pixels = pixels or kind == b"IDAT"
        if kind == b"IEND":
            if not pixels:
                raise _UnsoundError("damaged PNG: it holds no image data")
            return size
        position = end + 4
    raise _UnsoundError("truncated PNG: its end is missing")


def _walk_jpeg(data: bytes) -> tuple[int, int]:
    position = 2
    size: tuple[int, int] | None = None
    scanned = False
    while (match := _MARKER.search(data, position)) is not None:
        marker, position = match[0][1], match.end()
        if marker == _END_OF_IMAGE:
            if size is None or not scanned:
                raise _UnsoundError("damaged JPEG: it holds no image data")
            return size
        if position + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise _UnsoundError(f"damaged JPEG: impossible segment at byte {position}")
        if marker in _FRAME_HEADERS and position + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        scanned = scanned or marker == _START_OF_SCAN
        position += length
    raise _UnsoundError("truncated JPEG: its end marker is missing")
