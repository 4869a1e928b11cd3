"""Pictures for one pass, prepared in the background while the model is at work on others."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import torch

from engine.errors import SonotuneError
from engine.training.pixels import Geometry, Patches, PixelStore

AHEAD = 2
"""Batches that are prepared before they are asked for."""
MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images as bytes; they become numbers on the model's device, where that costs nothing."""

    values: torch.Tensor
    """uint8 (patches of all images, 3 channels, patch * patch), in the order of the vision tower."""
    sizes: tuple[tuple[int, int], ...]
    """Patches along height and width of each image."""
    geometry: Geometry

    @classmethod
    def of(cls, patches: Sequence[Patches], geometry: Geometry, *, pinned: bool = False) -> Pictures:
        """Images one behind the other; `pinned` memory is copied to a GPU while the host goes on."""
        each = [torch.from_numpy(image.values) for image in patches]
        values = torch.cat([image.expand(-1, 3, -1) for image in each])
        sizes = tuple((image.rows, image.columns) for image in patches)
        return cls(values.pin_memory() if pinned else values, sizes, geometry)

    def grid(self, device: torch.device) -> torch.Tensor:
        """`image_grid_thw` (images, 3), int64."""
        return torch.tensor([(1, *size) for size in self.sizes], device=device)

    def pixel_values(self, device: torch.device) -> torch.Tensor:
        """Float32 input of the vision tower, to the bit as `engine.training.pixels.to_pixel_values` makes it."""
        geometry = self.geometry
        values = self.values.to(device, non_blocking=True).to(torch.float32).mul_(geometry.rescale)
        mean = torch.tensor(geometry.mean, device=device).view(1, 3, 1)
        std = torch.tensor(geometry.std, device=device).view(1, 3, 1)
        normal = (values - mean) / std
        count, _, area = normal.shape
        return normal.unsqueeze(2).expand(count, 3, geometry.frames, area).reshape(count, -1)

    def chosen(self, places: Sequence[int]) -> Pictures:
        """Some of these images, by their places, in rising order."""
        if list(places) == list(range(len(self.sizes))):
            return self
        counts = [rows * columns for rows, columns in self.sizes]
        starts = list(accumulate(counts, initial=0))
        values = torch.cat([self.values[starts[place] : starts[place + 1]] for place in places])
        return Pictures(values, tuple(self.sizes[place] for place in places), self.geometry)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One batch, by numbers of pictures."""

    numbers: tuple[int, ...]
    """Those that can be shown, in order."""
    pictures: Pictures | None
    """Of these numbers; None where there are none."""
    failures: Mapping[int, SonotuneError]
    """Why the others cannot."""


def prepared(pixels: PixelStore, batches: Sequence[Sequence[int]], *, pinned: bool) -> Generator[Prepared]:
    """Batches in their order, each decoded and cut while the one before is used.

    A picture that cannot be decoded is a failure of its batch, since it concerns only who asks about it; any other
    exception is raised where the batch is taken.

    Args:
        pixels: images by number.
        batches: numbers of each batch.
        pinned: see `Pictures.of`.
    """
    threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) - 1))
    waiting: deque[Future[Prepared]] = deque()
    # Cutting an image releases Python's lock only in part, so a few threads are all that helps. What is put together
    # waits for its images in a thread of its own: in theirs it could wait for itself.
    with (
        ThreadPoolExecutor(threads, "pictures") as cutting,
        ThreadPoolExecutor(1, "batches") as joining,
    ):
        try:
            for numbers in batches:
                cut = [cutting.submit(pixels.patches, number) for number in numbers]
                waiting.append(joining.submit(_joined, tuple(numbers), cut, pixels.geometry, pinned))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            cutting.shutdown(wait=False, cancel_futures=True)
            joining.shutdown(wait=False, cancel_futures=True)


def _joined(numbers: Sequence[int], cut: Sequence[Future[Patches]], geometry: Geometry, pinned: bool) -> Prepared:
    whole: dict[int, Patches] = {}
    failures: dict[int, SonotuneError] = {}
    for number, future in zip(numbers, cut, strict=True):
        try:
            whole[number] = future.result()
        except SonotuneError as error:
            failures[number] = error
    pictures = Pictures.of(list(whole.values()), geometry, pinned=pinned) if whole else None
    return Prepared(tuple(whole), pictures, failures)
