"""What several views share: the mother's tissue layers, the placenta, the fluid around a body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.phantoms.field import BeamField, Frame, inside, ridge


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a painter drew."""

    orientation: str
    weeks: float
    finding: str = ""


def side(right: bool) -> str:
    """The word for a side of the screen."""
    return "right" if right else "left"


def maternal_tissue(field: BeamField, thickness: float) -> None:
    """Skin, fat and muscle under the probe, and in most images a placenta at the far side."""
    _placenta(field)
    rng = field.rng
    depth = field.z + 0.03 * field.texture(5)
    for layer in range(3):
        boundary = thickness * (layer + 0.4) / 3 + rng.uniform(-0.01, 0.01)
        echo = ridge(depth - boundary, 0.008 + 0.004 * layer)
        field.specular += 0.22 * echo * (0.6 + 0.4 * np.abs(field.texture(6)))
    field.fill(inside(depth - thickness), 0.42 * (1 + 0.25 * field.texture(9)))


def _placenta(field: BeamField) -> None:
    rng = field.rng
    if rng.random() >= 0.6:
        return
    edge = rng.uniform(1.55, 1.75) + rng.uniform(-0.25, 0.25) * field.x + 0.06 * field.texture(4) - field.z
    field.fill(inside(edge, 0.03), 0.38 * (1 + 0.3 * field.texture(14)))
    field.specular += 0.35 * ridge(edge, 0.015)


def surrounding_fluid(field: BeamField, frame: Frame, half_axes: tuple[float, float], share: float = 0.75) -> None:
    """Amniotic fluid around an ellipse of the given half axes."""
    radius = np.sqrt((frame.u / (half_axes[0] * 1.13)) ** 2 + (frame.v / (half_axes[1] * 1.15)) ** 2)
    field.fill(inside(radius - 1, 0.05) * share, 0.08)


def second_half_weeks(rng: np.random.Generator) -> tuple[float, float]:
    """Gestational age of 18 to 34 weeks, and how far along that range it is (0..1): the size follows it."""
    weeks = float(rng.uniform(18, 34))
    return weeks, (weeks - 18) / 16
