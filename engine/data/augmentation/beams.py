"""Where the sound came from: beams and depth, estimated from the outline of the sector.

Shadows, gain and attenuation follow the beam, not the rows of the picture. A file tells nothing of the probe, but a
sector shows it: its two straight edges meet in the centre of the probe's curvature. Where the picture fills its frame
(a linear probe, or a crop), beams are taken as parallel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.data.augmentation.levels import Levels, Plane, grey

BLACK = 6 / 255
"""Level up to which a pixel counts as background; JPEG leaves a little noise in it."""
COARSE = 48
"""Sampled pixels along the longer side: enough for an outline."""
SKIPPED = 2
"""First rows of the outline that are not looked at: they may hold one tip of a curved face only."""
FARTHEST = 20.0
"""Distance of the apex, in heights of the sector, from which on beams are practically parallel."""


@dataclass(frozen=True)
class Beams:
    """Polar coordinates around the probe of one image."""

    shape: tuple[int, int]
    """Height and width in pixels."""
    apex: tuple[float, float]
    """Row and column where the edges of the sector meet, in pixels; the row is negative as a rule."""
    near: float
    """Distance from the apex to the face of the probe, in pixels."""
    far: float
    """Distance from the apex to the deepest echo, in pixels."""

    @classmethod
    def of(cls, levels: Levels) -> Beams:
        """The beams of an image; parallel ones where no sector can be seen."""
        height, width = levels.shape[:2]
        stride = max(1, max(height, width) // COARSE)
        mask = _sector(grey(levels)[::stride, ::stride])
        rows = np.flatnonzero(mask.any(axis=1))
        if len(rows) < 4:
            return cls((height, width), (-FARTHEST * height, width / 2), FARTHEST * height, (FARTHEST + 1) * height)
        left, right = _edges(mask, rows)
        top, bottom = float(rows[0]) * stride, float(rows[-1] + 1) * stride
        above, first = _above(right - left)
        apex = top - above * stride, float(np.median((left + right) / 2)) * stride
        near = float(np.hypot(above, first / 2)) * stride
        return cls((height, width), apex, near, max(bottom - apex[0], near + 1))

    @cached_property
    def depth(self) -> Plane:
        """0 at the probe, 1 at the deepest echo; shape (height, width)."""
        rows, columns = self._around()
        depth = np.clip((np.hypot(rows, columns) - self.near) / (self.far - self.near), 0, 1)
        return depth.astype(np.float32, copy=False)

    @cached_property
    def lateral(self) -> Plane:
        """Tangent of the angle between each pixel's beam and the vertical; shape (height, width)."""
        rows, columns = self._around()
        return (columns / np.maximum(rows, 1)).astype(np.float32, copy=False)

    def _around(self) -> tuple[Plane, Plane]:
        rows = np.arange(self.shape[0], dtype=np.float32)[:, None] - np.float32(self.apex[0])
        columns = np.arange(self.shape[1], dtype=np.float32)[None] - np.float32(self.apex[1])
        return rows, columns


def _sector(coarse: Plane) -> NDArray[np.bool_]:
    """The largest bright region: depth ticks, logos and words beside the sector are not it."""
    seen = ndimage.binary_closing(coarse > BLACK, np.ones((3, 3), bool))
    labels, count = ndimage.label(seen)
    if count < 2:
        return np.asarray(seen, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax(), bool)


def _edges(mask: NDArray[np.bool_], rows: NDArray[np.intp]) -> tuple[Plane, Plane]:
    left = mask[rows].argmax(axis=1).astype(np.float32)
    right = (mask.shape[1] - mask[rows][:, ::-1].argmax(axis=1)).astype(np.float32)
    return left, right


def _above(widths: Plane) -> tuple[float, float]:
    """How far above its first row the edges of a sector meet, and its width there; in rows and columns of the mask.

    The width grows in proportion to the distance from the apex, from the face of the probe down to where the frame or
    the deepest arc cuts it off. A straight line through those rows is steadier than any two of them.
    """
    height = float(len(widths))
    widest = int(np.argmax(widths >= 0.97 * widths.max()))
    if widest < SKIPPED + 3:
        return FARTHEST * height, float(np.median(widths))
    rows = np.arange(SKIPPED, widest + 1, dtype=np.float32)
    slope, first = (float(each) for each in np.polyfit(rows, widths[SKIPPED : widest + 1], 1))
    if slope <= 0 or first <= 0:
        return (FARTHEST * height, float(np.median(widths))) if slope <= 0 else (0.0, 0.0)
    return min(first / slope, FARTHEST * height), first
