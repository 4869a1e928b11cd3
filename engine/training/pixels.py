"""Image pixels in the order that Qwen3-VL's vision tower reads, prepared once and kept as bytes.

Decoding and patching an image costs as much as a training step of the embedded model, so it is done once an image and
not once a step. Kept as uint8 (one channel where the image is grey): a 160 px image takes 25 kB, against 614 kB of
float32 patches. Datasets above the budget are decoded again each time, in the data loader's worker processes.

Images that are changed anew each epoch are kept decoded, not cut: load at image_size, change, then cut into patches.
Synthetic images are changed once, when they are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engine.data.augmentation.drawing import synthetic_change
from engine.data.images import load_image

if TYPE_CHECKING:
    from engine.data.augmentation.drawing import Change
    from engine.types import Case

DEFAULT_BUDGET_BYTES = 2**30
"""Host memory that prepared pixels may take before they are decoded lazily."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How an image processor cuts and scales images."""

    patch: int
    """Side of a patch in pixels."""
    merge: int
    """Patches along one side that are merged into one token."""
    frames: int
    """Frames of a temporal patch; a still image repeats itself."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: float
    """Factor from bytes to the unit interval."""

    @classmethod
    def of(cls, processor: Any) -> Geometry:
        """The geometry of a Qwen3-VL processor."""
        images = processor.image_processor
        return cls(
            patch=images.patch_size,
            merge=images.merge_size,
            frames=images.temporal_patch_size,
            mean=tuple(images.image_mean),
            std=tuple(images.image_std),
            rescale=images.rescale_factor,
        )


@dataclass(frozen=True, slots=True)
class Patches:
    """One image as bytes: `values` (patches, 1 or 3 channels, patch * patch) in the order of the vision tower."""

    values: Bytes
    rows: int
    """Patches along the height."""
    columns: int
    """Patches along the width."""


def to_patches(image: Image.Image, geometry: Geometry) -> Patches:
    """Cut an RGB image, whose sides are multiples of patch * merge, into patches in merged order."""
    pixels = np.asarray(image)
    if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all():
        pixels = pixels[..., :1]
    height, width, channels = pixels.shape
    patch, merge = geometry.patch, geometry.merge
    rows, columns = height // patch, width // patch
    cut = pixels.reshape(rows // merge, merge, patch, columns // merge, merge, patch, channels)
    ordered = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, channels, patch * patch)
    return Patches(np.ascontiguousarray(ordered), rows, columns)


def to_pixel_values(patches: Patches, geometry: Geometry) -> torch.Tensor:
    """Float32 input of the vision tower, shape (patches, 3 * frames * patch * patch), as the processor makes it."""
    count, _, area = patches.values.shape
    values = torch.from_numpy(patches.values).to(torch.float32).mul_(geometry.rescale)
    mean = torch.tensor(geometry.mean).view(1, 3, 1)
    std = torch.tensor(geometry.std).view(1, 3, 1)
    normal = (values.expand(count, 3, area) - mean) / std
    return normal.unsqueeze(2).expand(count, 3, geometry.frames, area).reshape(count, -1)


def root_of(cases: Sequence[Case]) -> Path | None:
    """The image root that cases of one dataset share; None for no cases."""
    return cases[0].image_root if cases else None


class PixelStore:
    """The images of a run by number, kept in memory while they fit the budget."""

    def __init__(
        self,
        files: Sequence[Path],
        image_size: int,
        geometry: Geometry,
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
        *,
        made: Mapping[int, str] | None = None,
        varied: int = 0,
        root: Path | None = None,
    ) -> None:
        """Name the images; none is read yet.

        Args:
            files: one for each image.
            image_size: longest side in pixels.
            geometry: of the processor.
            budget_bytes: host memory that may be kept.
            made: keys of the synthetic images by number; each is its file changed once by its key.
            varied: how many of the first images will be asked for with changes of their own (`changed`).
            root: the folder that all of them must lie in when they are read, links followed.
        """
        self.files = list(files)
        self.image_size = image_size
        self.geometry = geometry
        self.made = dict(made or {})
        self.varied = varied
        self.root = root
        # Three bytes a pixel of a square image: the worst case, so that the budget holds for colour too.
        self.cached = len(self.files) * image_size * image_size * 3 <= budget_bytes
        self._kept: dict[int, Patches] = {}
        self._decoded: dict[int, Image.Image] = {}

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode every image now, so that no step waits for it; nothing to do where the budget is too small."""
        if not self.cached:
            return
        for index in range(len(self.files)):
            if index < self.varied:
                self.image(index)
            else:
                self.patches(index)
            if progress is not None:
                progress(index + 1, len(self.files))

    def image(self, index: int) -> Image.Image:
        """One image at image_size, grey ("L") or RGB, synthetic ones changed; kept where it is varied.

        Raises:
            DataError: the file is gone or can no longer be decoded.
        """
        kept = self._decoded.get(index)
        if kept is not None:
            return kept
        image = load_image(self.files[index], self.image_size, root=self.root)
        if index in self.made:
            image = synthetic_change(self.made[index]).apply(image)
        if self.cached and index < self.varied:
            red, green, blue = image.split()
            image = self._decoded[index] = red if red.tobytes() == green.tobytes() == blue.tobytes() else image
        return image

    def patches(self, index: int) -> Patches:
        """Patches of one image.

        Raises:
            DataError: the file is gone or can no longer be decoded.
        """
        kept = self._kept.get(index)
        if kept is None:
            kept = to_patches(self.image(index).convert("RGB"), self.geometry)
            if self.cached:
                self._kept[index] = kept
        return kept

    def changed(self, index: int, change: Change) -> Patches:
        """Patches of one image after a change; never kept, because the next epoch has another one.

        Raises:
            DataError: the file is gone or can no longer be decoded.
        """
        return to_patches(change.apply(self.image(index).convert("RGB")), self.geometry)

    def batch(
        self, indices: Sequence[int], changes: Sequence[Change | None] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`pixel_values` (all patches, features) in float32 and `image_grid_thw` (images, 3).

        Args:
            indices: numbers of the images.
            changes: what each is changed by; None for an image, or for all, leaves it as it is.
        """
        chosen = [
            self.patches(index) if change is None else self.changed(index, change)
            for index, change in zip(indices, changes or [None] * len(indices), strict=True)
        ]
        values = torch.cat([to_pixel_values(patches, self.geometry) for patches in chosen])
        return values, torch.tensor([[1, patches.rows, patches.columns] for patches in chosen])

    def tokens(self, grid: torch.Tensor) -> list[int]:
        """Merged image tokens that the language model sees for each row of an `image_grid_thw`."""
        return [int(count) // self.geometry.merge**2 for count in grid.prod(1)]
