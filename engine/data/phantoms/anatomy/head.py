"""Trans-ventricular view of the head: normal, or with dilated lateral ventricles."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, second_half_weeks, side, surrounding_fluid
from engine.data.phantoms.field import BeamField, Frame, ellipse, inside, ridge


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw the head; the occiput lies on the side of negative u."""
    rng = field.rng
    weeks, growth = second_half_weeks(rng)
    maternal_tissue(field, rng.uniform(0.14, 0.24))
    occiput_right = bool(rng.random() < 0.5)
    scale = 0.64 + 0.24 * growth + rng.uniform(-0.03, 0.03)
    frame = field.frame(
        rng.uniform(-0.08, 0.08), rng.uniform(0.95, 1.1), rng.uniform(-0.5, 0.5), scale, mirrored=occiput_right
    )
    half_axes = (1.0, float(rng.uniform(0.74, 0.82)))
    surrounding_fluid(field, frame, half_axes, 0.8)
    skull, _, _ = ellipse(frame, (0, 0), half_axes)
    field.fill(inside(skull, 0.03), 0.17 * (1 + 0.2 * field.texture(9)))
    field.fill(inside(-skull - 0.16, 0.05) * inside(skull) * 0.6, 0.26)  # cortex
    _midline(field, frame)
    _ventricles(field, frame, float(rng.uniform(0.16, 0.22) if abnormal else rng.uniform(0.05, 0.085)))
    field.wall(frame, half_axes, brightness=2.6, width=0.032, bone=1.8)
    return Drawn(f"Axial head, occiput to {side(occiput_right)}", weeks, "dilated" if abnormal else "")


def _midline(field: BeamField, frame: Frame) -> None:
    """Falx, cavum septi pellucidi in its frontal third, thalami beside the third ventricle."""
    u, v = frame.u, frame.v
    outside_cavum = 1 - ((u > 0.30) & (u < 0.52)).astype(np.float32)
    falx = ridge(v + 0.01 * np.sin(6 * u), 0.018) * inside(np.abs(u) - 0.86, 0.03) * outside_cavum
    field.specular += 0.8 * falx * (0.35 + 0.65 * field.alignment(frame, 0.0, 1.0))
    field.fill(inside(np.maximum(np.abs(u - 0.41) - 0.10, np.abs(v) - 0.05), 0.015), 0.03)
    field.specular += 0.5 * ridge(np.abs(v) - 0.055, 0.014) * inside(np.abs(u - 0.41) - 0.10)
    for sign in (-1, 1):
        thalamus, _, _ = ellipse(frame, (0.02, sign * 0.15), (0.23, 0.12), sign * 0.35)
        field.fill(inside(thalamus), 0.085)
        field.specular += 0.12 * ridge(thalamus, 0.02)
    field.specular += 0.25 * ridge(np.abs(v) - 0.02, 0.012) * inside(np.abs(u - 0.02) - 0.14)


def _ventricles(field: BeamField, frame: Frame, width: float) -> None:
    """Posterior horns with choroid plexus; the one near the probe is veiled by reverberation."""
    for sign, visibility in ((1, 1.0), (-1, 0.5)):
        centre = (-0.50, sign * (0.30 + 0.25 * width))
        horn, _, _ = ellipse(frame, centre, (0.27 + 0.3 * width, width), sign * 0.30)
        field.fill(inside(horn) * visibility, 0.02)
        field.specular += 0.55 * visibility * ridge(horn, 0.016)
        plexus, _, _ = ellipse(frame, (centre[0] + 0.06, centre[1]), (0.17, min(0.6 * width, 0.07)), sign * 0.30)
        field.fill(inside(plexus) * visibility, 0.55)
