"""Images as arrays of grey levels and back, seeded generators, and smooth random fields."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.float32]
"""Shape (height, width, channels) with levels of 0..1; one channel where the image is grey."""
Plane = NDArray[np.float32]
"""Shape (height, width)."""


def generator(key: str) -> np.random.Generator:
    """Random numbers that depend on `key` alone, not on a process, a worker or an order of calls."""
    return np.random.default_rng(seed_of(key))


def seed_of(key: str) -> int:
    """128 bits of SHA-256: neighbouring keys have unrelated seeds."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:16])


def to_levels(image: Image.Image) -> Levels:
    """Levels of an image; the image itself is not changed."""
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all():
        pixels = pixels[..., :1]
    return pixels.astype(np.float32) / np.float32(255)


def to_image(levels: Levels) -> Image.Image:
    """An RGB image; grey becomes three equal channels."""
    pixels = (np.clip(levels, 0, 1) * 255 + 0.5).astype(np.uint8)
    if pixels.shape[2] == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[..., 0]), "L").convert("RGB")
    return Image.fromarray(np.ascontiguousarray(pixels), "RGB")


def grey(levels: Levels) -> Plane:
    """The mean over the channels."""
    result: Plane = levels[..., 0] if levels.shape[2] == 1 else levels.mean(axis=2, dtype=np.float32)
    return result


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Plane:
    """A smooth random field whose largest magnitude is 1, with about `cells` lumps along each side."""
    knots = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    field = _spline(shape[0], cells) @ knots @ _spline(shape[1], cells).T
    largest = max(float(np.abs(field).max()), 1e-6)
    return (field / largest).astype(np.float32, copy=False)


@lru_cache(maxsize=32)
def _spline(length: int, cells: int) -> Plane:
    """(length, cells + 3) weights of a uniform cubic B-spline: twice differentiable, so no seams can be seen."""
    position = np.linspace(0, cells, length, endpoint=False)
    knot = position.astype(np.int64)
    t = position - knot
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    matrix = np.zeros((length, cells + 3), np.float32)
    for offset, weight in enumerate(weights):
        matrix[np.arange(length), knot + offset] = weight / 6
    return matrix
