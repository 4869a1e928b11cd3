"""Transverse view of the upper abdomen: normal, or without a stomach bubble."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, second_half_weeks, side, surrounding_fluid
from engine.data.phantoms.field import BeamField, Frame, ellipse, inside, ridge


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw the abdomen; the vertebral column lies on the side of positive u."""
    rng = field.rng
    weeks, growth = second_half_weeks(rng)
    maternal_tissue(field, rng.uniform(0.14, 0.26))
    spine_right = bool(rng.random() < 0.5)
    angle = (0.0 if spine_right else np.pi) + rng.uniform(-0.5, 0.5)
    scale = 0.60 + 0.26 * growth + rng.uniform(-0.02, 0.02)
    frame = field.frame(rng.uniform(-0.08, 0.08), rng.uniform(0.95, 1.1), angle, scale)
    half_axes = (1.0, float(rng.uniform(0.86, 0.97)))
    surrounding_fluid(field, frame, half_axes)
    body, _, _ = ellipse(frame, (0, 0), half_axes)
    field.fill(inside(body, 0.03), 0.27 * (1 + 0.22 * field.texture(11)))
    liver, _, _ = ellipse(frame, (-0.15, 0.35), (0.6, 0.42), 0.3)
    field.fill(inside(liver, 0.08) * 0.8, 0.33 * (1 + 0.12 * field.texture(16)))
    field.wall(frame, half_axes, brightness=0.95, width=0.045, bone=0.12)
    field.vertebra(frame, 0.66)
    field.vessel(frame, 0.47, -0.08, 0.055)  # aorta
    field.vessel(frame, 0.42, 0.13, 0.05)  # inferior vena cava
    _umbilical_vein(field, frame)
    if not abnormal:
        _stomach(field, frame)
    return Drawn(f"Axial upper abdomen, vertebral column to {side(spine_right)}", weeks, "absent" if abnormal else "")


def _umbilical_vein(field: BeamField, frame: Frame) -> None:
    """A dark J that curves into the liver."""
    arc = np.hypot(frame.u + 0.1, frame.v - 0.05)
    vein = np.maximum(np.abs(arc - 0.38) - 0.045, np.maximum(-(frame.v - 0.06), frame.u - 0.05))
    field.fill(inside(vein), 0.03)
    field.specular += 0.35 * ridge(vein, 0.014)


def _stomach(field: BeamField, frame: Frame) -> None:
    rng = field.rng
    radius = float(rng.uniform(0.17, 0.25))
    bubble, _, _ = ellipse(
        frame, (0.02 + rng.uniform(-0.06, 0.06), -0.47), (radius * 1.25, radius), rng.uniform(-0.5, 0.5)
    )
    field.fill(inside(bubble), 0.012)
    field.specular += 0.35 * ridge(bubble, 0.018)
    field.attenuation -= 0.15 * inside(bubble)
