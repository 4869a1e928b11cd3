"""From tissue to picture: shadowing, speckle, log compression, scan conversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.phantoms.field import DEPTH, Array, BeamField


@dataclass(frozen=True, slots=True)
class QualityTier:
    """How a quality tier looks."""

    looks: int
    """Independent speckle patterns averaged (spatial compounding)."""
    noise: float
    """Electronic noise relative to the strongest speckle."""
    gain: float
    axial_blur: float
    """Standard deviation of the point spread function along the beam, in samples."""
    lateral_blur: float
    """The same across the beams."""


QUALITY_TIERS = {
    "Good": QualityTier(looks=3, noise=0.012, gain=1.0, axial_blur=0.8, lateral_blur=1.0),
    "Medium": QualityTier(looks=2, noise=0.032, gain=0.88, axial_blur=0.95, lateral_blur=1.3),
    "Low": QualityTier(looks=1, noise=0.075, gain=0.74, axial_blur=1.15, lateral_blur=1.7),
}


def form_image(field: BeamField, size: int, tier: QualityTier) -> NDArray[np.uint8]:
    """The (size, size) grey picture of a painted field."""
    rng = field.rng
    envelope = _envelope(field, tier)
    dynamic_range = rng.uniform(36, 46)  # decibels
    gain = rng.uniform(0.9, 1.2) * tier.gain
    level = 1 + 20 * np.log10(np.maximum(envelope * gain, 1e-5) / 1.25) / dynamic_range
    grey = np.clip(level, 0, 1) ** rng.uniform(1.35, 1.8)
    picture, half_width = _scan_convert(grey.astype(np.float32), field, size)
    pixels = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    _draw_depth_ticks(pixels, half_width)
    np.maximum(pixels, _stamp(size), out=pixels)
    return pixels


def _envelope(field: BeamField, tier: QualityTier) -> Array:
    rng = field.rng
    transmitted = _transmission(field)
    amplitude = np.maximum(field.scatter * (1 + 0.30 * field.texture(4)), 0.004) * transmitted
    axial, lateral = _gaussian(2, tier.axial_blur), _gaussian(3, tier.lateral_blur)
    mirror = 0.55 * _blur(_blur(field.specular * transmitted, axial, 0), lateral, 1)
    envelope = np.zeros_like(mirror)
    for _ in range(tier.looks):
        real, imaginary = (
            _blur(_blur(amplitude * rng.standard_normal(amplitude.shape, dtype=np.float32), axial, 0), lateral, 1)
            for _ in range(2)
        )
        envelope += np.hypot(2.3 * real + mirror, 2.3 * imaginary + mirror)
    envelope /= tier.looks
    envelope += tier.noise * np.abs(rng.standard_normal(envelope.shape, dtype=np.float32))
    near_field = np.exp(-np.arange(field.depth_samples, dtype=np.float32) / (0.06 * field.depth_samples))
    result: Array = envelope + 0.08 * near_field[:, None]
    return result


def _transmission(field: BeamField) -> Array:
    """Share of the sound that returns from each point, with time-gain compensation and uneven probe contact."""
    step = DEPTH / field.depth_samples
    passed = np.exp(-2 * np.cumsum(np.maximum(field.attenuation, 0), 0) * step)
    depth = np.arange(field.depth_samples, dtype=np.float32)[:, None] * step
    compensation = np.exp(2 * 0.25 * depth * field.rng.uniform(0.75, 1.0))
    contact = np.clip(1 + 0.22 * field.texture(6)[:1], 0.35, 1.3)
    result: Array = (passed * compensation * contact).astype(np.float32)
    return result


def _gaussian(half_width: int, deviation: float) -> Array:
    offsets = np.arange(-half_width, half_width + 1, dtype=np.float32)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    result: Array = (weights / weights.sum()).astype(np.float32)
    return result


def _blur(values: Array, weights: Array, axis: int) -> Array:
    half_width = len(weights) // 2
    padding = [(half_width, half_width) if a == axis else (0, 0) for a in range(values.ndim)]
    padded = np.pad(values, padding, mode="edge")
    length = values.shape[axis]
    result = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        part = padded[offset : offset + length] if axis == 0 else padded[:, offset : offset + length]
        result += weight * part
    return result


def _scan_convert(grey: Array, field: BeamField, size: int) -> tuple[Array, float]:
    """Bilinear resampling of (depth, beam) samples to the sector that a screen shows; also half its width."""
    radius, half_angle = float(field.probe_radius), float(field.half_angle)
    height = float(DEPTH) + radius * (1 - np.cos(half_angle))
    half_width = max(0.80 * (radius + float(DEPTH)) * np.sin(half_angle), height / 2)
    top = -max(0.0, (2 * half_width - height) / 2)
    rows = np.linspace(top, 2 * half_width + top, size, dtype=np.float32)[:, None] + radius * np.cos(half_angle)
    columns = np.linspace(-half_width, half_width, size, dtype=np.float32)[None]
    depth = (np.hypot(columns, rows) - radius) / float(DEPTH) * (grey.shape[0] - 1)
    beam = (np.arctan2(columns, rows) + half_angle) / (2 * half_angle) * (grey.shape[1] - 1)
    seen = (depth >= 0) & (depth < grey.shape[0] - 1) & (beam >= 0) & (beam < grey.shape[1] - 1)
    depth, beam = np.clip(depth, 0, grey.shape[0] - 1.001), np.clip(beam, 0, grey.shape[1] - 1.001)
    depth_index, beam_index = depth.astype(np.int32), beam.astype(np.int32)
    down, right = depth - depth_index, beam - beam_index
    flat, width = grey.ravel(), grey.shape[1]
    corner = depth_index * width + beam_index
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + width] * (1 - right) + flat[corner + width + 1] * right
    return ((upper * (1 - down) + lower * down) * seen).astype(np.float32), float(half_width)


def _draw_depth_ticks(pixels: NDArray[np.uint8], half_width: float) -> None:
    size = len(pixels)
    spacing = max(int(size * 0.2 / (2 * half_width)), 6)
    pixels[int(size * 0.05) : size - 2 : spacing, size - 4 : size - 1] = 150


_stamps: dict[int, NDArray[np.uint8]] = {}


def _stamp(size: int) -> NDArray[np.uint8]:
    """The word PHANTOM in the lower left corner: nobody shall take such a picture for a patient's."""
    if size not in _stamps:
        from PIL import Image, ImageDraw, ImageFont

        picture = Image.new("L", (size, size))
        font = ImageFont.load_default(size=max(8, size // 18))
        ImageDraw.Draw(picture).text((2, size - max(9, size // 16) - 2), "PHANTOM", fill=110, font=font)
        _stamps[size] = np.asarray(picture)
    return _stamps[size]
