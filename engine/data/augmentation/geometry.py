"""Changes of place: rotation, mirror image, elastic deformation. They are resampled together, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from engine.data.augmentation.levels import Levels, Plane, smooth_field


@dataclass(frozen=True, slots=True)
class Turn:
    """A rotation about the centre, clockwise where positive."""

    degrees: float

    @property
    def words(self) -> str:
        """Such as `turned 4.2°`."""
        return f"turned {self.degrees:.1f}°"

    def source(self, rows: Plane, columns: Plane, shape: tuple[int, int]) -> tuple[Plane, Plane]:
        """Where the pixels at (rows, columns) come from."""
        angle = np.deg2rad(self.degrees)
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        middle_row, middle_column = np.float32((shape[0] - 1) / 2), np.float32((shape[1] - 1) / 2)
        down, right = rows - middle_row, columns - middle_column
        return cosine * down - sine * right + middle_row, sine * down + cosine * right + middle_column


@dataclass(frozen=True, slots=True)
class Mirror:
    """Left and right exchanged; exact, no pixel is interpolated."""

    @property
    def words(self) -> str:
        """`mirrored`."""
        return "mirrored"


@dataclass(frozen=True, slots=True)
class Deform:
    """An elastic deformation: a smooth random displacement, as in Simard et al. 2003 (ICDAR), on B-spline knots.

    With 3 to 5 cells a displacement of 4 % of the side stretches tissue by less than a third: nothing folds or tears.
    """

    amplitude: float
    """Largest displacement as a share of the shorter side."""
    cells: int
    """Lumps along each side."""
    seed: int

    @property
    def words(self) -> str:
        """Such as `deformed 3 %`."""
        return f"deformed {100 * self.amplitude:.1f} %"

    def source(self, rows: Plane, columns: Plane, shape: tuple[int, int]) -> tuple[Plane, Plane]:
        """Where the pixels at (rows, columns) come from."""
        rng = np.random.default_rng(self.seed)
        reach = np.float32(self.amplitude * min(shape))
        return rows + reach * smooth_field(rng, shape, self.cells), columns + reach * smooth_field(
            rng, shape, self.cells
        )


def moved(levels: Levels, steps: Sequence[Turn | Mirror | Deform]) -> Levels:
    """The image after these steps in their order; what comes from outside of it is black.

    The mirror image is always taken first. Everything else is one bilinear look-up: two would blur twice.
    """
    if any(isinstance(step, Mirror) for step in steps):
        levels = levels[:, ::-1]
    warps = [step for step in steps if not isinstance(step, Mirror)]
    if not warps:
        return levels
    shape = levels.shape[0], levels.shape[1]
    rows: Plane = np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None], shape)
    columns: Plane = np.broadcast_to(np.arange(shape[1], dtype=np.float32)[None], shape)
    for step in reversed(warps):
        rows, columns = step.source(rows, columns, shape)
    places = np.stack([rows, columns])
    channels = [
        ndimage.map_coordinates(levels[..., channel], places, order=1, mode="constant", output=np.float32)
        for channel in range(levels.shape[2])
    ]
    return np.stack(channels, axis=2)
