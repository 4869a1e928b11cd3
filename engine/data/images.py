"""Pixels on demand: an image is decoded when it is asked for, never at import."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.check import MAX_FILE_BYTES, MAX_PIXELS
from engine.data.paths import RejectedError, open_regular
from engine.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

SIDE_MULTIPLE = 32
"""Qwen3-VL merges 2 x 2 patches of 16 px: other sides would be resized once more by the processor."""


def target_size(width: int, height: int, image_size: int) -> tuple[int, int]:
    """Size in pixels after loading: longest side `image_size`, the other in proportion, both multiples of 32."""
    if image_size < SIDE_MULTIPLE or image_size % SIDE_MULTIPLE:
        raise ValueError(f"image_size must be a positive multiple of {SIDE_MULTIPLE}, not {image_size}")
    longest = max(width, height)

    def side(length: int) -> int:
        # Integers only: the same rounding (half up) on every machine.
        return max(1, (2 * length * image_size + SIDE_MULTIPLE * longest) // (2 * SIDE_MULTIPLE * longest))

    return side(width) * SIDE_MULTIPLE, side(height) * SIDE_MULTIPLE


def load_image(file: Path, image_size: int | None = None, *, root: Path | None = None) -> Image.Image:
    """Decode one image to RGB and resize it (bicubic, as Qwen's processor does); None leaves the size as it is.

    Grey becomes three equal channels, 16-bit grey is scaled to 8 bits, transparency is dropped. The orientation flag
    of EXIF is not applied: the pixels are those of the file.

    Args:
        root: the folder that it must lie in, links followed; None where the user named the file.

    Raises:
        DataError: the file is missing, no regular file, outside `root`, truncated, damaged, not PNG or JPEG, or larger
            than `MAX_PIXELS`.
    """
    from PIL import Image

    try:
        with open_regular(file, root) as stream, Image.open(stream, formats=("PNG", "JPEG")) as opened:
            if os.fstat(stream.fileno()).st_size > MAX_FILE_BYTES:
                raise _unusable(file, f"the file is larger than {MAX_FILE_BYTES // 1024**2} MiB")
            if opened.width * opened.height > MAX_PIXELS:
                raise _unusable(file, f"{opened.width} x {opened.height} pixels, the limit is {MAX_PIXELS:,}")
            opened.load()
            image = _to_rgb(opened)
    except RejectedError as rejected:
        raise _unusable(file, rejected.reason) from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise _unusable(file, f"{type(error).__name__}: {error}") from error
    if image_size is None:
        return image
    size = target_size(image.width, image.height, image_size)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 when it converts, which turns nearly everything white.
        import numpy as np

        levels = np.clip(np.asarray(image, dtype=np.int64), 0, 0xFFFF) >> 8
        return Image.fromarray(levels.astype(np.uint8), "L").convert("RGB")
    return image.convert("RGB")


def _unusable(file: Path, reason: str) -> DataError:
    return DataError(
        f"The image {file} cannot be decoded.",
        reason,
        "Run `sonotune data check` to find every damaged image, replace the file, and import the dataset again.",
    )
