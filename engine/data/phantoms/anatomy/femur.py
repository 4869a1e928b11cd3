"""The femur along its length: normal, short, or bowed."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, second_half_weeks
from engine.data.phantoms.field import BeamField, Frame, ellipse, inside, ridge

TILTS = {
    "Femur horizontal": (-0.1, 0.1),
    "Femur tilted down to right": (0.2, 0.45),
    "Femur tilted down to left": (-0.45, -0.2),
}
"""Orientation by the range of angles in which it is drawn, in radians."""


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw a thigh with its bone; the size of the thigh, not of the bone, follows the gestational age."""
    rng = field.rng
    weeks, growth = second_half_weeks(rng)
    maternal_tissue(field, rng.uniform(0.16, 0.30))
    orientation = list(TILTS)[int(rng.integers(len(TILTS)))]
    frame = field.frame(
        rng.uniform(-0.1, 0.1), rng.uniform(0.75, 1.0), rng.uniform(*TILTS[orientation]), 0.60 + 0.30 * growth
    )
    finding = ["short", "bowed"][int(rng.integers(2))] if abnormal else ""
    half_length, bow = _shape(rng, finding)
    _thigh(field, frame)
    _bone(field, frame, half_length, bow)
    return Drawn(orientation, weeks, finding)


def _shape(rng: np.random.Generator, finding: str) -> tuple[float, float]:
    """Half the length of the shaft, and the height of its curve."""
    if finding == "short":
        return float(rng.uniform(0.42, 0.58)), float(rng.uniform(-0.04, 0.05))
    if finding == "bowed":
        return float(rng.uniform(0.74, 0.92)), float(rng.uniform(0.15, 0.24))
    return float(rng.uniform(0.84, 0.98)), float(rng.uniform(-0.05, 0.05))


def _thigh(field: BeamField, frame: Frame) -> None:
    outline, _, _ = ellipse(frame, (0.0, 0.03), (1.35, 0.52))
    field.fill(inside(outline - 0.12, 0.06) * 0.8, 0.07)
    field.fill(inside(outline, 0.03), 0.26 * (1 + 0.3 * field.texture(10)))
    skin = field.alignment(frame, frame.u / 1.8, frame.v / 0.27)
    field.specular += 0.45 * ridge(outline, 0.025) * (0.3 + 0.7 * skin)
    fibres = np.sin(38 * frame.v + 5 * field.texture(5))
    field.scatter = np.maximum(field.scatter + 0.06 * inside(outline, 0.05) * fibres, 0.01)


def _bone(field: BeamField, frame: Frame, half_length: float, bow: float) -> None:
    along = np.clip(frame.u, -half_length, half_length) / half_length
    across = frame.v - bow * (1 - 2 * along**2)
    width = 0.055 + 0.03 * np.abs(frame.u / half_length) ** 4
    shaft = np.exp(-((across / width) ** 2)) * inside(np.abs(frame.u) - half_length, 0.03)
    # Mineralisation varies, so that neither brightness nor shadow alone tells the length.
    brightness, shadow = field.rng.uniform(2.2, 3.6), field.rng.uniform(3, 11)
    field.specular += brightness * shaft * (0.3 + 0.7 * field.alignment(frame, 0.0, 1.0))
    field.attenuation += shadow * shaft
    for sign in (-1, 1):  # cartilage at both ends is dark
        cartilage, _, _ = ellipse(frame, (sign * (half_length + 0.12), -bow), (0.12, 0.13))
        field.fill(inside(cartilage, 0.03) * 0.8, 0.06)
