"""Losses of detail: blur, and a coarse grid of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from engine.data.augmentation.beams import Beams
from engine.data.augmentation.levels import Levels

ACROSS = 1.5
"""A beam is wider than its pulse is long, so blur is stronger across the beam than along it."""


@dataclass(frozen=True, slots=True)
class Blur:
    """A wider point spread function: a Gaussian along rows and columns, as out of focus."""

    sigma: float
    """Standard deviation along the beam, as a share of the longer side."""

    @property
    def words(self) -> str:
        """Such as `blur 1.2 %`."""
        return f"blur {100 * self.sigma:.1f} %"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Every channel alike."""
        del beams
        sigma = self.sigma * max(levels.shape[:2])
        result: Levels = ndimage.gaussian_filter(levels, (sigma, ACROSS * sigma, 0), mode="nearest", truncate=3)
        return result


@dataclass(frozen=True, slots=True)
class Coarsen:
    """As if the file had fewer pixels: averaged down to `side`, and back up again."""

    side: int
    """Pixels along the longer side that are left."""
    share: float = 1.0
    """At most this share of the pixels of the longer side is left: a small image loses detail as well."""

    @property
    def words(self) -> str:
        """Such as `96 px`."""
        return f"{self.side} px"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Unchanged where the image has no more pixels than that."""
        del beams
        height, width = levels.shape[:2]
        scale = min(self.side / max(height, width), self.share)
        if scale >= 1:
            return levels
        small = max(1, round(width * scale)), max(1, round(height * scale))
        planes = [
            Image.fromarray(np.ascontiguousarray(levels[..., channel]))
            .resize(small, Image.Resampling.BOX)
            .resize((width, height), Image.Resampling.BILINEAR)
            for channel in range(levels.shape[2])
        ]
        return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=2)
