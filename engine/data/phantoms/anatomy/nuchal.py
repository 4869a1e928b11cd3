"""First-trimester sagittal view with the nuchal translucency: thin, or thickened."""

from __future__ import annotations

import numpy as np

from engine.data.phantoms.anatomy.common import Drawn, maternal_tissue, side
from engine.data.phantoms.field import BeamField, Frame, ellipse, inside, ridge


def paint(field: BeamField, abnormal: bool) -> Drawn:
    """Draw the embryo in its sac, face up; the head lies on the side of negative u."""
    rng = field.rng
    weeks = float(rng.uniform(11, 14))
    maternal_tissue(field, rng.uniform(0.12, 0.22))
    head_right = bool(rng.random() < 0.5)
    scale = 0.80 + 0.06 * (weeks - 11) + rng.uniform(-0.02, 0.02)
    frame = field.frame(
        rng.uniform(-0.10, 0.10), rng.uniform(0.88, 1.12), rng.uniform(-0.35, 0.35), scale, mirrored=head_right
    )
    _sac_and_body(field, frame)
    _head(field, frame)
    _spine_and_organs(field, frame)
    _translucency(field, frame, float(rng.uniform(0.135, 0.19) if abnormal else rng.uniform(0.035, 0.065)))
    return Drawn(f"Sagittal, fetal head to {side(head_right)}", weeks, "thick" if abnormal else "")


def _sac_and_body(field: BeamField, frame: Frame) -> None:
    sac, _, _ = ellipse(frame, (0, 0), (1.25, 0.85))
    field.fill(inside(sac, 0.06), 0.035)
    field.specular += 0.3 * ridge(sac, 0.03)
    head, _, _ = ellipse(frame, (-0.48, -0.05), (0.40, 0.36))
    trunk, _, _ = ellipse(frame, (0.38, 0.12), (0.62, 0.27), 0.06)
    neck = np.maximum(np.abs(frame.u + 0.12) - 0.22, np.abs(frame.v - 0.07) - 0.2)
    silhouette = np.minimum(np.minimum(head, trunk), neck)
    field.fill(inside(silhouette), 0.30 * (1 + 0.2 * field.texture(12)))


def _head(field: BeamField, frame: Frame) -> None:
    brain, _, _ = ellipse(frame, (-0.48, -0.08), (0.30, 0.25))
    field.fill(inside(brain, 0.03), 0.11)
    field.specular += 0.35 * ridge(frame.v + 0.10 + 0.05 * np.sin(5 * frame.u), 0.018) * inside(brain, 0.03)
    field.wall(frame, (0.38, 0.34), centre=(-0.48, -0.05), brightness=1.5, width=0.03, bone=0.7)
    for u, v, half_length, brightness in (
        (-0.60, -0.39, 0.09, 0.9),
        (-0.30, -0.33, 0.10, 1.0),
        (-0.2, -0.22, 0.06, 0.7),
    ):
        bone, _, _ = ellipse(frame, (u, v), (half_length, 0.03), -0.2)  # forehead, nasal bone, chin
        field.specular += brightness * inside(bone, 0.03)


def _spine_and_organs(field: BeamField, frame: Frame) -> None:
    line = ridge(frame.v - (0.27 - 0.10 * (frame.u - 0.35) ** 2), 0.025) * inside(np.abs(frame.u - 0.36) - 0.5, 0.03)
    field.specular += 1.2 * line * (0.45 + 0.55 * np.sin(34 * frame.u))
    field.attenuation += 0.8 * line
    heart, _, _ = ellipse(frame, (0.16, 0.08), (0.08, 0.07))
    field.fill(inside(heart), 0.03)
    stomach, _, _ = ellipse(frame, (0.45, 0.10), (0.07, 0.05))
    field.fill(inside(stomach), 0.02)


def _translucency(field: BeamField, frame: Frame, half_width: float) -> None:
    """The dark band between the soft tissue of the neck and the skin line."""
    u, v = frame.u, frame.v
    extent = inside(np.abs(u + 0.06) - 0.46, 0.10)
    inner = 0.30 + 0.035 * np.sin(3 * (u + 0.2)) - 0.12 * np.clip(-(u + 0.40), 0, 1) ** 1.2
    profile = half_width * (1 - 0.75 * np.clip((u + 0.10) / 0.46, -1, 1) ** 2)
    field.fill(inside(np.abs(v - inner - profile) - profile, 0.012) * extent, 0.012)
    facing = field.alignment(frame, 0.0, 1.0)
    field.specular += 0.95 * ridge(v - inner - 2 * profile - 0.012, 0.018) * extent * (0.5 + 0.5 * facing)
    field.specular += 0.75 * ridge(v - inner + 0.012, 0.018) * extent
