"""Draws changes: which operations, and how strong. All of it comes from a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from engine.data.augmentation.change import Change, Step
from engine.data.augmentation.geometry import Deform, Mirror, Turn
from engine.data.augmentation.intensity import Attenuate, Brightness, Contrast, TimeGain
from engine.data.augmentation.levels import generator
from engine.data.augmentation.names import LEVELS, OPERATIONS
from engine.data.augmentation.shadow import Shadow
from engine.data.augmentation.speckle import Speckle

__all__ = ["LEVELS", "OPERATIONS", "Change", "draw_change", "single_change", "synthetic_change"]

CHANCES: Mapping[str, float] = {
    "rotation": 0.8, "mirror": 0.5, "brightness": 0.6, "contrast": 0.6,
    "deformation": 0.5, "speckle": 0.4, "shadow": 0.25, "gain": 0.4, "attenuation": 0.3,
}  # fmt: skip
"""Probability with which a level that knows the operation draws it. Shadow is the rarest: it can hide the finding."""

GAIN_KNOTS = 5
"""Sliders of the time-gain curve."""


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


_DRAW: Mapping[str, Callable[[np.random.Generator], Step]] = {
    "rotation": lambda rng: Turn(float(rng.uniform(-10, 10))),
    "mirror": lambda _: Mirror(),
    "brightness": lambda rng: Brightness(float(rng.uniform(0.8, 1.2))),
    "contrast": lambda rng: Contrast(float(rng.uniform(0.75, 1.3))),
    "deformation": lambda rng: Deform(float(rng.uniform(0.015, 0.04)), int(rng.integers(3, 6)), _seed(rng)),
    "speckle": lambda rng: Speckle(float(rng.uniform(0.08, 0.25)), float(rng.uniform(0.006, 0.014)), _seed(rng)),
    "shadow": lambda rng: Shadow(float(rng.uniform(0.35, 0.8)), float(rng.uniform(0.04, 0.12)), _seed(rng)),
    "gain": lambda rng: TimeGain(tuple(float(knot) for knot in rng.uniform(0.75, 1.25, GAIN_KNOTS))),
    "attenuation": lambda rng: Attenuate(float(rng.uniform(0.08, 0.3))),
}


def draw_change(level: str, key: str, *, may_mirror: bool, may_turn: bool = True) -> Change:
    """The change that `key` stands for: the same key gives the same pixels on every machine with the same numpy.

    Args:
        level: one of `LEVELS`; `none` changes nothing.
        key: such as `42/epoch 3/image 17`.
        may_mirror: whether the true answers of the image are known after left and right were exchanged.
        may_turn: whether they still hold after a turn; see `engine.questions.mirroring.depends_on_tilt`.

    Raises:
        ValueError: there is no such level; recipes are checked before this is called.
    """
    if level not in LEVELS:
        raise ValueError(f"augmentation is one of {', '.join(LEVELS)}, not {level!r}")
    allowed = {"mirror": may_mirror, "rotation": may_turn}
    known = LEVELS[: LEVELS.index(level) + 1]
    steps = []
    for operation in OPERATIONS:
        # A generator each: what is drawn of one operation does not depend on whether another is allowed.
        rng = generator(f"{key}/{operation.name}")
        drawn = rng.random() < CHANCES[operation.name]
        if drawn and operation.level in known and allowed.get(operation.name, True):
            steps.append(_DRAW[operation.name](rng))
    return Change(tuple(steps))


def single_change(operation: str, key: str) -> Change:
    """One operation of `OPERATIONS` alone, with the strength that `key` stands for.

    Raises:
        KeyError: there is no such operation.
    """
    return Change((_DRAW[operation](generator(f"{key}/{operation}")),))


def synthetic_change(key: str) -> Change:
    """What makes a synthetic abnormal case of a real one: elastic and intensity changes, never a mirror image.

    Every step has a least strength, so that the copy is never the original again; the strongest deformation moves a
    structure by 3 % of the side, which keeps a finding what it is.
    """
    rng = generator(f"{key}/synthetic")

    def away_from_one(low: float, high: float) -> float:
        return 1 + float(rng.choice((-1.0, 1.0))) * float(rng.uniform(low, high))

    return Change(
        (
            Deform(float(rng.uniform(0.015, 0.03)), int(rng.integers(3, 5)), _seed(rng)),
            Brightness(away_from_one(0.05, 0.15)),
            Contrast(away_from_one(0.06, 0.18)),
            TimeGain(tuple(float(knot) for knot in rng.uniform(0.85, 1.15, GAIN_KNOTS))),
        )
    )
