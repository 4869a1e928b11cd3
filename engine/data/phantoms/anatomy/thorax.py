"""Four-chamber view of the heart: normal, or with a ventricular septal defect."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, second_half_weeks, side, surrounding_fluid
from engine.data.phantoms.field import BeamField, Frame, ellipse, inside, ridge


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw the chest; the vertebral column lies on the side of positive u."""
    rng = field.rng
    weeks, growth = second_half_weeks(rng)
    maternal_tissue(field, rng.uniform(0.14, 0.24))
    spine_right = bool(rng.random() < 0.5)
    angle = (0.0 if spine_right else np.pi) + rng.uniform(-0.45, 0.45)
    scale = 0.66 + 0.22 * growth + rng.uniform(-0.02, 0.02)
    frame = field.frame(rng.uniform(-0.08, 0.08), rng.uniform(0.95, 1.1), angle, scale)
    half_axes = (1.0, float(rng.uniform(0.84, 0.94)))
    surrounding_fluid(field, frame, half_axes)
    chest, _, _ = ellipse(frame, (0, 0), half_axes)
    field.fill(inside(chest, 0.03), 0.34 * (1 + 0.18 * field.texture(13)))  # lungs are bright
    field.wall(frame, half_axes, brightness=1.0, width=0.045, bone=0.1)
    _ribs(field, frame, half_axes)
    field.vertebra(frame, 0.70)
    field.vessel(frame, 0.50, -0.10, 0.055)  # descending aorta
    _heart(field, frame, abnormal)
    return Drawn(f"Axial chest, vertebral column to {side(spine_right)}", weeks, "defect" if abnormal else "")


def _ribs(field: BeamField, frame: Frame, half_axes: tuple[float, float]) -> None:
    direction = np.arctan2(frame.v, frame.u)
    radius = np.hypot(frame.u / half_axes[0], frame.v / half_axes[1])
    for position in (0.9, 2.0, -0.9, -2.0):
        turn = np.angle(np.exp(1j * (direction - position))).astype(np.float32)
        rib = ridge(radius - 0.92, 0.035) * ridge(turn, 0.22)
        field.specular += 1.5 * rib
        field.attenuation += 1.6 * rib


def _heart(field: BeamField, frame: Frame, defect: bool) -> None:
    """Four chambers in coordinates along (p) and across (q) the axis of the heart."""
    rng = field.rng
    size, tilt = rng.uniform(0.84, 1.12), rng.uniform(0.55, 0.95)
    cosine, sine = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    du, dv = (frame.u + 0.12) / np.float32(size), (frame.v - 0.08) / np.float32(size)
    axis = Frame(-cosine * du + sine * dv, sine * du + cosine * dv, frame.angle, mirrored=False)
    p, q = axis.u, axis.v
    muscle = (np.sqrt(((p - 0.02) / 0.52) ** 2 + (q / (0.42 - 0.10 * p)) ** 2) - 1) * 0.4
    field.fill(inside(muscle), 0.20)
    field.specular += 0.5 * ridge(muscle, 0.025)
    for centre, half_axes in (
        ((0.17, 0.17), (0.22, 0.125)),
        ((0.17, -0.17), (0.22, 0.125)),
        ((-0.25, 0.15), (0.145, 0.12)),
        ((-0.25, -0.15), (0.145, 0.12)),
    ):
        chamber, _, _ = ellipse(axis, centre, half_axes)
        field.fill(inside(chamber), 0.012)
    septum = ridge(q, 0.030) * inside(np.abs(p) - 0.42) * (1 - 0.6 * ridge(p + 0.27, 0.05))
    if defect:
        half_gap, position = rng.uniform(0.10, 0.15), rng.uniform(0.06, 0.16)
        field.fill(inside(np.maximum(np.abs(p - position) - half_gap, np.abs(q) - 0.10)), 0.012)
        septum = septum * (1 - inside(np.abs(p - position) - half_gap, 0.015))
    valves = ridge(p + 0.07, 0.022) * inside(np.abs(q) - 0.29)
    field.specular += 0.85 * septum + 0.55 * valves
    band, _, _ = ellipse(axis, (0.33, -0.12), (0.05, 0.07))
    field.fill(inside(band), 0.3)
