"""The beam space in which phantoms are painted.

Anatomy is drawn on a (depth samples, beams) grid in polar coordinates around the probe, because attenuation and
acoustic shadows are then sums along one axis, and the point spread function widens with depth by itself. Lengths are in
units of half the imaged depth: a structure of radius 1 fills most of the sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

DEPTH = np.float32(1.9)
"""Imaged depth."""


def inside(distance: Array, edge: float = 0.02) -> Array:
    """1 where `distance` is negative, 0 where positive, with a linear edge of half-width `edge`."""
    share: Array = np.clip(0.5 - distance / (2 * edge), 0, 1)
    return share


def ridge(distance: Array, width: float) -> Array:
    """A bright line along the zero of `distance`: a Gaussian of standard deviation `width` / sqrt(2)."""
    brightness: Array = np.exp(-((distance / width) ** 2))
    return brightness


def disc(u: Array, v: Array, centre_u: float, centre_v: float, radius: float) -> Array:
    """Signed distance to a circle, negative inside."""
    return np.sqrt((u - centre_u) ** 2 + (v - centre_v) ** 2) - radius


@dataclass(frozen=True, slots=True)
class Frame:
    """Local coordinates of one organ: rotated by `angle`, scaled, and mirrored where `mirrored`."""

    u: Array
    v: Array
    angle: float
    mirrored: bool


class BeamField:
    """Acoustic properties of the tissue under one probe; painters change it in place."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.rng = rng
        self.depth_samples = size
        self.beams = int(size * 0.9)
        self.probe_radius = np.float32(rng.uniform(0.45, 0.9))
        self.half_angle = np.float32(rng.uniform(0.52, 0.72))
        radius = self.probe_radius + np.linspace(0, DEPTH, self.depth_samples, dtype=np.float32)[:, None]
        angle = np.linspace(-self.half_angle, self.half_angle, self.beams, dtype=np.float32)[None]
        self.x: Array = radius * np.sin(angle)
        self.z: Array = radius * np.cos(angle) - self.probe_radius
        self._beam_x: Array = np.sin(angle)
        self._beam_z: Array = np.cos(angle)
        self.scatter: Array = 0.20 * (1 + 0.35 * self.texture(7))
        """Amplitude of the diffuse echo (speckle)."""
        self.specular: Array = np.zeros_like(self.x)
        """Amplitude of mirror-like echoes from interfaces."""
        self.attenuation: Array = np.full_like(self.x, 0.25)
        """Attenuation per unit of depth; bone is 5 or more."""

    def texture(self, cells: int) -> Array:
        """A smooth random field with standard deviation about 0.6, `cells` lumps along each side."""
        grid = self.rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
        rows = _interpolation(self.depth_samples, cells)
        columns = _interpolation(self.beams, cells)
        smooth: Array = rows @ grid @ columns.T
        return smooth

    def frame(self, x: float, z: float, angle: float, scale: float = 1.0, mirrored: bool = False) -> Frame:
        """Local coordinates of an organ centred at (x, z)."""
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        dx, dz = (self.x - np.float32(x)) / np.float32(scale), (self.z - np.float32(z)) / np.float32(scale)
        u, v = cosine * dx + sine * dz, -sine * dx + cosine * dz
        return Frame(-u if mirrored else u, v, angle, mirrored)

    def fill(self, mask: Array, value: float | Array) -> None:
        """Replace the diffuse echo inside `mask`."""
        self.scatter = self.scatter * (1 - mask) + mask * value

    def alignment(self, frame: Frame, normal_u: float | Array, normal_v: float | Array) -> Array:
        """|cos| between the beam and a surface whose normal is given in the organ's own coordinates."""
        cosine, sine = np.float32(np.cos(frame.angle)), np.float32(np.sin(frame.angle))
        along = -normal_u if frame.mirrored else normal_u
        normal_x, normal_z = cosine * along - sine * normal_v, sine * along + cosine * normal_v
        length = np.sqrt(normal_x * normal_x + normal_z * normal_z) + 1e-6
        result: Array = np.abs(normal_x * self._beam_x + normal_z * self._beam_z) / length
        return result

    def wall(
        self,
        frame: Frame,
        half_axes: tuple[float, float],
        *,
        centre: tuple[float, float] = (0.0, 0.0),
        brightness: float,
        width: float,
        bone: float = 0.0,
    ) -> Array:
        """Draw the outline of an ellipse, brightest where the beam meets it head-on; returns its signed distance."""
        distance, along_u, along_v = ellipse(frame, centre, half_axes)
        facing = self.alignment(frame, along_u / half_axes[0] ** 2, along_v / half_axes[1] ** 2)
        line = ridge(distance, width)
        gaps = np.clip(1 + 0.2 * self.texture(6), 0.15, 1.3)
        self.specular += brightness * line * (0.2 + 0.8 * facing**1.5) * gaps
        self.attenuation += bone * ridge(distance, width * 1.3) * (0.3 + 0.7 * facing)
        return distance

    def vessel(self, frame: Frame, u: float, v: float, radius: float) -> None:
        """A fluid-filled round vessel with a faint wall."""
        distance = disc(frame.u, frame.v, u, v, radius)
        self.fill(inside(distance, 0.015), 0.02)
        self.specular += 0.3 * ridge(distance, 0.015)

    def vertebra(self, frame: Frame, u: float) -> None:
        """Three ossification centres around (u, 0), casting shadows."""
        for du, dv in ((0.0, 0.0), (0.18, 0.1), (0.18, -0.1)):
            spot = inside(disc(frame.u, frame.v, u + du, dv, 0.055), 0.03)
            self.specular += 1.9 * spot
            self.attenuation += 5.0 * spot


def ellipse(
    frame: Frame, centre: tuple[float, float], half_axes: tuple[float, float], rotation: float = 0.0
) -> tuple[Array, Array, Array]:
    """Approximate signed distance to an ellipse, and the coordinates relative to it (along, across)."""
    du, dv = frame.u - centre[0], frame.v - centre[1]
    if rotation:
        cosine, sine = np.float32(np.cos(rotation)), np.float32(np.sin(rotation))
        du, dv = cosine * du + sine * dv, -sine * du + cosine * dv
    radius = np.sqrt((du / half_axes[0]) ** 2 + (dv / half_axes[1]) ** 2)
    return (radius - 1) * np.float32(min(half_axes)), du, dv


_interpolation_cache: dict[tuple[int, int], Array] = {}


def _interpolation(length: int, cells: int) -> Array:
    """(length, cells + 1) weights of smooth-step interpolation between `cells` + 1 knots."""
    key = (length, cells)
    if key not in _interpolation_cache:
        position = np.linspace(0, cells - 1e-3, length, dtype=np.float32)
        knot = position.astype(np.int64)
        fraction = position - knot
        weight = fraction * fraction * (3 - 2 * fraction)
        matrix = np.zeros((length, cells + 1), np.float32)
        matrix[np.arange(length), knot] = 1 - weight
        matrix[np.arange(length), knot + 1] = weight
        _interpolation_cache[key] = matrix
    return _interpolation_cache[key]
