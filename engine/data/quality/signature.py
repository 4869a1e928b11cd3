"""One image decoded, and what is kept of it: perceptual hash, brightness, contrast, sharpness, a thumbnail.

The hash is the 64-bit pHash: the 8 x 8 lowest frequencies of the discrete cosine transform of a 32 x 32 grey thumbnail,
each one bit that says whether it is above their median (C. Zauner, Implementation and Benchmarking of Perceptual Image
Hash Functions, 2010).
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.data.check import MAX_FILE_BYTES, MAX_PIXELS
from engine.data.paths import RejectedError, locate, storable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

CHECK_VERSION = 1
"""Version of everything below: results of another version are not used."""

THUMBNAIL_SIDE = 32
HASH_SIDE = 8
SHARPNESS_SIDE = 256
"""Images are reduced to about this before sharpness is measured, so that a larger picture isn't a blurrier one."""

TINY_SIDE = 64
"""Pixels: below it the shorter side holds less than two patches of the model."""
BLANK_DEVIATION = 2.0
"""Grey levels of 256: below this standard deviation there is nothing to see."""

CHANGED = "the image's bytes have changed since the import"


@dataclass(frozen=True, slots=True)
class Signature:
    """What the check keeps of one image's content; it depends on the bytes of the file alone."""

    sha256: str
    width: int = 0
    height: int = 0
    phash: int = 0
    """64 bits, row by row from the lowest frequencies."""
    mean: float = 0.0
    """Mean grey level, 0 to 255."""
    deviation: float = 0.0
    """Standard deviation of the grey levels: contrast."""
    sharpness: float = 0.0
    """Standard deviation of the Laplacian, in grey levels, of the image reduced to about 256 pixels."""
    thumbnail: bytes = b""
    """32 x 32 grey levels, row by row; empty where the image cannot be decoded."""
    fault: str | None = None
    """Why it cannot be decoded."""

    @property
    def tiny(self) -> bool:
        """Whether its shorter side is below `TINY_SIDE`."""
        return self.fault is None and min(self.width, self.height) < TINY_SIDE

    @property
    def blank(self) -> bool:
        """Whether it shows one grey level and nothing else."""
        return self.fault is None and self.deviation < BLANK_DEVIATION


def sign_image(root: Path, path: str, sha256: str) -> Signature | str:
    """The signature of the image at `path` under `root`, which had the hash `sha256` at import.

    Returns:
        The signature, with its `fault` where the bytes are those of the import but no image; or in one phrase why the
        file is not the one that was imported. Never raises for what a file holds.
    """
    try:
        with locate(root, path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except RejectedError as rejected:
        return rejected.reason
    except OSError as error:
        return f"the image file cannot be read: {error.strerror or error}"
    if hashlib.sha256(data).hexdigest() != sha256:
        return CHANGED
    return sign_bytes(data, sha256)


def sign_bytes(data: bytes, sha256: str) -> Signature:
    """The signature of an image file's bytes, whose hash is `sha256`."""
    from PIL import Image

    try:
        image = _decode(data)
    # Pillow's decoders raise all of these for damaged files.
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        return Signature(sha256, fault=storable(f"cannot be decoded: {type(error).__name__}: {error}"))
    thumbnail = _thumbnail(image)
    mean, deviation = _brightness(image)
    return Signature(
        sha256=sha256,
        width=image.width,
        height=image.height,
        phash=perceptual_hash(thumbnail),
        mean=mean,
        deviation=deviation,
        sharpness=_sharpness(image),
        thumbnail=thumbnail.tobytes(),
    )


def perceptual_hash(thumbnail: NDArray[np.uint8]) -> int:
    """The 64-bit pHash of a (32, 32) grey thumbnail."""
    import numpy as np

    basis = _cosines()
    coefficients = (basis @ thumbnail.astype(np.float64) @ basis.T).ravel()
    bits = np.packbits(coefficients > np.median(coefficients))
    return int.from_bytes(bits.tobytes(), "big")


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """(8, 32): the first rows of the orthonormal DCT-II."""
    import numpy as np

    frequency, place = np.arange(HASH_SIDE)[:, None], np.arange(THUMBNAIL_SIDE)[None]
    basis = np.cos(np.pi * (2 * place + 1) * frequency / (2 * THUMBNAIL_SIDE)) * math.sqrt(2 / THUMBNAIL_SIDE)
    basis[0] /= math.sqrt(2)
    return np.asarray(basis, np.float64)


def _decode(data: bytes) -> Image.Image:
    """All pixels as 8-bit grey."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError(f"{opened.width} x {opened.height} pixels, the limit is {MAX_PIXELS:,}")
        opened.load()
        if opened.mode.startswith("I"):
            # Pillow clips 16-bit grey at 255 when it converts, which turns nearly everything white.
            import numpy as np

            levels = np.clip(np.asarray(opened, dtype=np.int64), 0, 0xFFFF) >> 8
            return Image.fromarray(levels.astype(np.uint8), "L")
        return opened.convert("L") if opened.mode != "L" else opened.copy()


def _thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    # Lanczos keeps fine detail from folding into coarse: a shift of a third of a thumbnail's pixel stays a shift.
    import numpy as np
    from PIL import Image

    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), np.uint8)


def _brightness(image: Image.Image) -> tuple[float, float]:
    """Mean and standard deviation, from the 256 counts: no copy of the pixels is made."""
    counts = image.histogram()
    total = sum(counts)
    mean = sum(level * count for level, count in enumerate(counts)) / total
    variance = sum((level - mean) ** 2 * count for level, count in enumerate(counts)) / total
    return mean, math.sqrt(variance)


def _sharpness(image: Image.Image) -> float:
    import numpy as np

    factor = max(1, max(image.size) // SHARPNESS_SIDE)
    pixels: Any = np.asarray(image.reduce(factor) if factor > 1 else image, np.int16)
    if min(pixels.shape) < 3:
        return 0.0
    inner = pixels[1:-1, 1:-1]
    around = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:]
    return float(np.std(around - 4 * inner, dtype=np.float64))
