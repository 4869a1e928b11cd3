"""Acoustic shadow: behind a strong reflector there is little sound left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.augmentation.beams import BLACK, Beams
from engine.data.augmentation.levels import Levels, Plane, grey

DEEPEST = 0.7
"""Depth up to which a reflector is looked for: below it, a shadow would hardly cover anything."""
BRIGHTEST = 0.02
"""Share of the pixels among which the reflector is chosen."""
BRIGHT = 0.7
"""Level from which on they can be one, as a share of the brightest."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Beams that pass a bright spot are darkened below it: bone and gas send back or absorb nearly all of the sound
    (Feldman et al. 2009, RadioGraphics 29:1179)."""

    strength: float
    """Share of the level that is lost in the middle of the shadow."""
    width: float
    """Width of the shadow at the spot, as a share of the width of the image."""
    seed: int
    """Chooses the spot among the brightest ones."""

    @property
    def words(self) -> str:
        """Such as `shadow 60 %`."""
        return f"shadow {100 * self.strength:.0f} %"

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """A wedge in a sector, a band where beams are parallel; nothing where there is nothing bright."""
        spot = _reflector(grey(levels), beams, np.random.default_rng(self.seed))
        if spot is None:
            return levels
        row, column = spot
        half = self.width * levels.shape[1] / 2 / max(row - beams.apex[0], 1.0)
        across: Plane = np.abs(beams.lateral - beams.lateral[row, column]) / np.float32(half)
        # A flat middle with soft edges: the beam has a width of its own.
        inside = np.clip((np.float32(1.25) - across) * 2, 0, 1)
        below = np.clip((beams.depth - beams.depth[row, column]) * 25, 0, 1)
        kept = 1 - np.float32(self.strength) * inside * below
        result: Levels = levels * kept[..., None]
        return result


def _reflector(plane: Plane, beams: Beams, rng: np.random.Generator) -> tuple[int, int] | None:
    """Row and column of one of the brightest pixels that are not too deep."""
    stride = max(1, max(plane.shape) // 96)
    coarse = np.where(beams.depth[::stride, ::stride] < DEEPEST, plane[::stride, ::stride], 0)
    # Nothing is chosen in the first tenth: what the skin reflects would darken a whole sector.
    coarse = np.where(beams.depth[::stride, ::stride] > 0.1, coarse, 0)
    count = max(1, int(BRIGHTEST * coarse.size))
    threshold = max(float(np.partition(coarse.ravel(), -count)[-count]), BRIGHT * float(coarse.max()), BLACK)
    places = np.argwhere(coarse >= threshold)
    if not len(places):
        return None
    row, column = places[int(rng.integers(len(places)))]
    return int(row) * stride, int(column) * stride
