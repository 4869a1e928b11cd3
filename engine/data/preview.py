"""Small pictures of images for a screen: decoded, shrunk, and stretched so that tissue can be seen in few grey levels.

They are for finding one's way, never for judging an image. Pillow alone does the work: numpy costs more to import than
a preview costs to make.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.data.check import JPEG_SIGNATURE, MAX_FILE_BYTES, PNG_SIGNATURE
from engine.data.paths import RejectedError, open_regular
from engine.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MAX_DECODED_PIXELS = 16_000_000
"""More would take the screen's process hundreds of megabytes and whole seconds; a JPEG is decoded at a reduced size."""

MAX_SIDE = 2048
"""Of a preview, in pixels."""

BLACK = 5
"""Grey level up to which a pixel counts as background; JPEG leaves a little noise in it."""
LOW_SHARE, HIGH_SHARE = 0.01, 0.99
"""Percentiles of the pixels that are not black; what lies between them fills the whole range of grey."""
GAMMA = 0.7

CHROMA = 32
"""Difference between the channels of a pixel from which on it counts as coloured."""
COLOURED_SHARE = 0.005
"""Share of coloured pixels that makes a colour image, such as a Doppler frame; below it lie calipers and logos."""


class PreviewMode(StrEnum):
    """How the grey levels of the file become those of the preview."""

    STRETCHED = "stretched"
    """Percentile stretch over the pixels that are not black, then gamma 0.7."""
    RAW = "raw"
    """As they are in the file."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture in rows from top to bottom."""

    width: int
    height: int
    pixels: bytes
    """One byte of grey a pixel, or three (red, green, blue) where `colour` is set."""
    colour: bool
    original_width: int
    original_height: int
    mode: PreviewMode


def load_preview(file: Path, width: int, height: int, mode: PreviewMode | str = PreviewMode.STRETCHED) -> Preview:
    """A preview of `file` that fills a box of `width` x `height` pixels as far as its proportions allow.

    Small images are enlarged. 16-bit grey is scaled to 8 bits, transparency is dropped, EXIF orientation is not
    applied: the pixels are those that training sees.

    Raises:
        DataError: the file is missing, no regular file, truncated, damaged, neither PNG nor JPEG, or too large.
    """
    mode = PreviewMode(mode)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"a preview has sides of 1 to {MAX_SIDE} pixels, not {width} x {height}")
    try:
        with _open_regular(file) as stream:
            opened = _decoder(file, stream)
            original = opened.size
            small = _shrunk(file, opened, width, height)
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, struct.error, zlib.error) as error:
        raise _unusable(file, _reason(error)) from error
    colour = small.mode == "RGB" and _is_coloured(small)
    if not colour:
        small = small.convert("L")
    if mode is PreviewMode.STRETCHED:
        table = stretch_table(small.convert("L").histogram())
        small = small.point(table * len(small.getbands()))
    return Preview(small.width, small.height, small.tobytes(), colour, *original, mode)


def _open_regular(file: Path) -> BinaryIO:
    """The file, which must lie in its own folder: it was located a while ago, and may have become a link since."""
    try:
        stream = open_regular(file, file.parent)
    except RejectedError as rejected:
        raise _unusable(file, rejected.reason) from None
    if os.fstat(stream.fileno()).st_size <= MAX_FILE_BYTES:
        return stream
    stream.close()
    raise _unusable(file, f"the file is larger than {MAX_FILE_BYTES // 1024**2} MiB")


def _decoder(file: Path, stream: BinaryIO) -> ImageFile:
    """The opened image, its pixels not decoded yet.

    Pillow's two plugins are used directly: Image.open would load three more, and warn about large images on stderr,
    which belongs to the screen.
    """
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(PNG_SIGNATURE):
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(stream)
    if head.startswith(JPEG_SIGNATURE):
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(stream)
    raise _unusable(file, "neither PNG nor JPEG" if head else "the image file is empty (zero bytes)")


def _shrunk(file: Path, opened: ImageFile, width: int, height: int) -> Image:
    """The picture in its new size, in mode L or RGB."""
    from PIL.Image import Resampling

    original_width, original_height = opened.size
    size = fitted(original_width, original_height, width, height)
    # The decoder of JPEG can leave out detail; twice the size that is needed loses nothing that would be seen.
    opened.draft("RGB", (2 * size[0], 2 * size[1]))
    if opened.width * opened.height > MAX_DECODED_PIXELS:
        raise _unusable(file, f"{original_width} x {original_height} pixels are too many for a preview")
    opened.load()
    shrinks = size[0] < opened.width
    return _eight_bit(opened).resize(size, Resampling.BOX if shrinks else Resampling.BILINEAR, reducing_gap=2.0)


def fitted(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The largest size with the proportions of `width` x `height` that fits the box; no side falls below 1."""
    scale = min(box_width / width, box_height / height)
    return (
        min(box_width, max(1, round(width * scale))),
        min(box_height, max(1, round(height * scale))),
    )


def _eight_bit(image: Image) -> Image:
    """The image in mode L or RGB."""
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 when it converts, which turns nearly everything white.
        return image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    image.info.pop("transparency", None)  # Pillow would warn that it is being dropped
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode in ("1", "LA") else "RGB")


def _is_coloured(image: Image) -> bool:
    from PIL.ImageChops import darker, lighter, subtract

    red, green, blue = image.split()
    chroma = subtract(lighter(lighter(red, green), blue), darker(darker(red, green), blue))
    return sum(chroma.histogram()[CHROMA:]) > COLOURED_SHARE * image.width * image.height


def stretch_table(histogram: list[int]) -> list[int]:
    """New level for each of the 256 grey levels; unchanged where there is no range to stretch.

    Args:
        histogram: number of pixels of each level.
    """
    seen = sum(histogram[BLACK + 1 :])
    low, high = _percentile(histogram, seen * LOW_SHARE), _percentile(histogram, seen * HIGH_SHARE)
    if not seen or high <= low:
        return list(range(256))
    span = high - low
    return [round(255 * min(max((level - low) / span, 0.0), 1.0) ** GAMMA) for level in range(256)]


def _percentile(histogram: list[int], wanted: float) -> int:
    """The level, above black, up to which `wanted` pixels lie."""
    so_far = 0
    for level in range(BLACK + 1, 256):
        so_far += histogram[level]
        if so_far >= wanted:
            return level
    return 255


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the image file is missing"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it"
    return f"the image file is damaged or cut off: {error or type(error).__name__}"


def _unusable(file: Path, reason: str) -> DataError:
    return DataError(
        f"The image {file} cannot be shown.",
        reason,
        "Run `sonotune data check` to find every damaged image, replace the file, and import the dataset again.",
    )
