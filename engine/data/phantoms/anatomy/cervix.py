"""Sagittal view of the mother's cervix: long and closed, or short with a funnel."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, second_half_weeks, side
from engine.data.phantoms.field import Array, BeamField, Frame, disc, ellipse, inside, ridge

EXTERNAL_OS = 0.72
"""Where the canal ends, along u."""


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw bladder, fetal head and cervix; the external os lies on the side of positive u."""
    rng = field.rng
    weeks, growth = second_half_weeks(rng)
    maternal_tissue(field, rng.uniform(0.10, 0.18))
    os_left = bool(rng.random() < 0.5)
    frame = field.frame(rng.uniform(-0.08, 0.08), rng.uniform(0.95, 1.1), rng.uniform(-0.2, 0.2), 0.9, mirrored=os_left)
    field.scatter *= np.float32(0.95)
    bladder, _, _ = ellipse(frame, (-0.40, -0.62), (0.42, 0.17), 0.25)
    field.fill(inside(bladder), 0.012)
    field.specular += 0.5 * ridge(bladder, 0.02)
    _fetal_head(field, frame, 0.40 + 0.24 * growth)
    body, _, _ = ellipse(frame, (0.25, 0.10), (0.62, 0.36))
    field.fill(inside(body, 0.04), 0.36 * (1 + 0.18 * field.texture(12)))
    field.specular += 0.3 * ridge(body, 0.03)
    length = float(rng.uniform(0.36, 0.50) if abnormal else rng.uniform(0.72, 0.92))
    canal = 0.10 + 0.05 * np.sin(2.2 * frame.u + 1)
    if rng.random() < (0.2 if abnormal else 0.8):
        _cyst(field, frame, canal)
    _canal(field, frame, canal, EXTERNAL_OS - length)
    if abnormal:
        _funnel(field, frame, canal, EXTERNAL_OS - length, float(rng.uniform(0.14, 0.22)))
    orientation = f"Cephalic presentation, external os to {side(not os_left)}"
    return Drawn(orientation, weeks, "short" if abnormal else "")


def _fetal_head(field: BeamField, frame: Frame, radius: float) -> None:
    skull = field.wall(frame, (radius, radius), centre=(-0.98, 0.22), brightness=2.0, width=0.035, bone=1.0)
    fluid = inside(disc(frame.u, frame.v, -0.98, 0.22, radius + 0.11), 0.05) * inside(-skull, 0.03)
    field.fill(fluid, 0.02)


def _canal(field: BeamField, frame: Frame, canal: Array, internal_os: float) -> None:
    """The closed part of the canal with its dark glandular zone."""
    closed = inside(np.maximum(internal_os - frame.u, frame.u - EXTERNAL_OS), 0.03)
    field.fill(ridge(frame.v - canal, 0.085) * closed * 0.8, 0.17)
    field.specular += 0.9 * ridge(frame.v - canal, 0.016) * closed


def _cyst(field: BeamField, frame: Frame, canal: Array) -> None:
    """A harmless Nabothian cyst beside the canal, so that darkness alone does not tell a funnel."""
    rng = field.rng
    centre = rng.uniform(-0.15, 0.25)
    offset = rng.choice([-1, 1]) * rng.uniform(0.16, 0.22)
    half_axes = np.float32(rng.uniform(0.14, 0.26)), np.float32(rng.uniform(0.08, 0.13))
    radius = np.hypot(
        (frame.u - np.float32(centre)) / half_axes[0], (frame.v - canal - np.float32(offset)) / half_axes[1]
    )
    distance = (radius - 1) * half_axes[1]
    field.fill(inside(distance), 0.012)
    field.specular += 0.6 * ridge(distance, 0.018)


def _funnel(field: BeamField, frame: Frame, canal: Array, internal_os: float, opening: float) -> None:
    """Fluid in the shape of a V from the sac down to the internal os."""
    top = EXTERNAL_OS - 0.95
    widening = opening * np.clip((internal_os - frame.u) / max(internal_os - top, 0.05), 0, 1.4)
    funnel = np.maximum(np.abs(frame.v - canal) - widening, frame.u - internal_os)
    funnel = np.maximum(funnel, top - 0.15 - frame.u)
    field.fill(inside(funnel), 0.012)
    field.specular += 0.6 * ridge(funnel, 0.018) * inside(frame.u - internal_os - 0.02)
