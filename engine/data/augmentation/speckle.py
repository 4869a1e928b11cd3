"""Speckle: the grain that interference of many small scatterers gives to every ultrasound image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from engine.data.augmentation.beams import Beams
from engine.data.augmentation.levels import Levels, Plane

ACROSS = 1.6
"""Grains are wider across the beam than along it, because the lateral resolution is the worse one."""


@dataclass(frozen=True, slots=True)
class Speckle:
    """Multiplicative noise. Fully developed speckle has a Rayleigh amplitude, the length of a complex Gaussian
    (Wagner et al. 1983, IEEE Trans. Sonics Ultrason. 30(3):156)."""

    strength: float
    """Standard deviation of the factor, about."""
    grain: float
    """Size of a grain along the beam, as a share of the longer side."""
    seed: int

    @property
    def words(self) -> str:
        """Such as `speckle 25 %`."""
        return f"speckle {100 * self.strength:.0f} %"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Levels times 1 + noise, cut off at 0 and 1; black stays black."""
        del beams
        noise = rayleigh(np.random.default_rng(self.seed), (levels.shape[0], levels.shape[1]), self.grain)
        factor = 1 + np.float32(self.strength) * noise
        result: Levels = np.clip(levels * factor[..., None], 0, 1)
        return result


def rayleigh(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Plane:
    """Rayleigh noise with mean 0 and standard deviation 1, correlated over `grain` (share of the longer side)."""
    sigma = max(0.4, grain * max(shape) / 2)
    parts = [
        ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (sigma, ACROSS * sigma), truncate=2.5)
        for _ in range(2)
    ]
    amplitude = np.hypot(*parts)
    result: Plane = (amplitude - amplitude.mean()) / np.float32(max(float(amplitude.std()), 1e-6))
    return result
