"""Changes of grey levels: brightness, contrast, time-gain curve, attenuation with depth.

A displayed level is decibels over the dynamic range of the machine: the picture is log-compressed. So a loss of energy
in proportion to depth takes levels away in proportion to depth. Black stays black everywhere: beside the sector there
is nothing that a knob could make brighter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.augmentation.beams import BLACK, Beams
from engine.data.augmentation.levels import Levels, Plane, grey


@dataclass(frozen=True, slots=True)
class Brightness:
    """All levels times `factor`."""

    factor: float

    @property
    def words(self) -> str:
        """Such as `brightness x1.10`."""
        return f"brightness x{self.factor:.2f}"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Levels are cut off at 1, as on a screen."""
        del beams
        result: Levels = np.minimum(levels * np.float32(self.factor), np.float32(1))
        return result


@dataclass(frozen=True, slots=True)
class Contrast:
    """Distances from the mean of the tissue times `factor`."""

    factor: float

    @property
    def words(self) -> str:
        """Such as `contrast x0.85`."""
        return f"contrast x{self.factor:.2f}"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Tissue is what is brighter than black; an image without any stays as it is."""
        del beams
        plane = grey(levels)
        tissue = plane[plane > BLACK]
        if not tissue.size:
            return levels
        mean = np.float32(tissue.mean())
        changed = mean + np.float32(self.factor) * (levels - mean)
        # Fades in over the darkest levels, else less contrast would lift the black border to grey.
        share = np.minimum(levels / np.float32(2 * BLACK), np.float32(1))
        result: Levels = np.clip(levels + share * (changed - levels), 0, 1)
        return result


@dataclass(frozen=True, slots=True)
class TimeGain:
    """Another time-gain compensation: the sliders that make up for attenuation, set otherwise (Szabo, Diagnostic
    Ultrasound Imaging, 2nd ed. 2014, ch. 10)."""

    knots: tuple[float, ...]
    """Factors at equal steps of depth, from the probe on."""

    @property
    def words(self) -> str:
        """Such as `gain x0.82 to x1.15`."""
        low, high = min(self.knots), max(self.knots)
        return f"gain x{low:.2f}" if high - low < 0.005 else f"gain x{low:.2f} to x{high:.2f}"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Factors are interpolated along the depth; levels are cut off at 1."""
        factors = np.asarray(self.knots, np.float32)
        table = np.interp(np.linspace(0, len(factors) - 1, 256), np.arange(len(factors)), factors).astype(np.float32)
        curve: Plane = table[(beams.depth * np.float32(255) + np.float32(0.5)).astype(np.uint8)]
        result: Levels = np.minimum(levels * curve[..., None], np.float32(1))
        return result


@dataclass(frozen=True, slots=True)
class Attenuate:
    """More absorption on the way: about 0.5 dB per cm and MHz in soft tissue, there and back (Szabo, ch. 4)."""

    loss: float
    """Share of the displayed range that is lost at the deepest echo."""

    @property
    def words(self) -> str:
        """Such as `depth loses 25 %`."""
        return f"depth loses {100 * self.loss:.0f} %"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Levels fall linearly with depth, and not below black."""
        result: Levels = np.maximum(levels - np.float32(self.loss) * beams.depth[..., None], np.float32(0))
        return result


@dataclass(frozen=True, slots=True)
class LowGain:
    """Receive gain too low: on a log-compressed display every level falls by the same amount, and weak echoes vanish
    below black (Szabo, ch. 10)."""

    loss: float
    """Share of the displayed range by which every level falls."""

    @property
    def words(self) -> str:
        """Such as `gain lowered by 16 %`."""
        return f"gain lowered by {100 * self.loss:.0f} %"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Not below black."""
        del beams
        result: Levels = np.maximum(levels - np.float32(self.loss), np.float32(0))
        return result
