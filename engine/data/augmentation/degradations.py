"""How strong each degradation is at each severity.

Strengths were set by eye on phantoms of all views at 192 and 512 px: see `degrading.SEVERITIES` for what they mean.
They are part of what a stored figure means, so a change of them asks for new names.
"""

from __future__ import annotations

from engine.data.augmentation.change import Change
from engine.data.augmentation.intensity import LowGain
from engine.data.augmentation.levels import generator
from engine.data.augmentation.resolution import Blur, Coarsen
from engine.data.augmentation.shadow import Shadow
from engine.data.augmentation.speckle import Speckle

SPECKLE_STRENGTH = (0.12, 0.22, 0.36)
GRAIN = 0.012
"""Of the noise, as a share of the longer side."""
BLUR_SIGMA = (0.005, 0.009, 0.014)
"""Share of the longer side."""
SHADOWS = ((1, 0.6, 0.10), (2, 0.75, 0.12), (3, 0.85, 0.14))
"""How many, how dark, how wide."""
GAIN_CUT = (0.1, 0.19, 0.28)
"""Share of the displayed range by which every level falls."""
SIDES = ((96, 0.6), (64, 0.4), (40, 0.25))
"""Pixels along the longer side that are left, and the largest share: below 160 px the pixels alone would be none."""


def steps_of(kind: str, severity: int, key: str) -> Change:
    """The change for one image; `kind` and `severity` have been checked."""
    # Severity is no part of the key: the shadows of severity 1 are the first ones of severity 3.
    rng = generator(f"{key}/{kind}")
    place = severity - 1
    match kind:
        case "speckle":
            return Change((Speckle(SPECKLE_STRENGTH[place], GRAIN, int(rng.integers(2**63))),))
        case "blur":
            return Change((Blur(BLUR_SIGMA[place]),))
        case "shadow":
            count, strength, width = SHADOWS[place]
            return Change(tuple(Shadow(strength, width, int(rng.integers(2**63))) for _ in range(count)))
        case "low_gain":
            return Change((LowGain(GAIN_CUT[place]),))
        case _:
            return Change((Coarsen(*SIDES[place]),))
