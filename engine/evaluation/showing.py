"""Which pixels a case is shown with: those of its file, or the degraded ones that a protocol asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.augmentation.degrading import degrade, parse_degradation
from engine.data.images import target_size
from engine.errors import JobError, UsageError
from engine.evaluation.protocol import Protocol
from engine.training.pixels import Geometry, Patches, PixelStore, root_of, to_patches
from engine.types import BLANK, Case

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = 128
"""Level of the blank image, in the middle of 0..255."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown, and for which cases each picture stands."""

    pixels: PixelStore
    members: list[list[Case]]
    """Cases by number of the picture."""


class DegradedStore(PixelStore):
    """Every image degraded after it was loaded at the size that the model sees."""

    def __init__(self, cases: Sequence[Case], kind: str, severity: int, image_size: int, geometry: Geometry) -> None:
        """`kind` and `severity`: see `engine.data.augmentation.degrading`."""
        super().__init__([case.file for case in cases], image_size, geometry, root=root_of(cases))
        self._kind, self._severity = kind, severity
        # By the bytes of the file, not its name or place: every model meets the same pixels, also after an import.
        self._keys = [case.sha256 for case in cases]

    def image(self, index: int) -> Image:
        """The degraded image.

        Raises:
            DataError: the file is gone or can no longer be decoded.
        """
        return degrade(super().image(index), self._kind, self._severity, self._keys[index])


class GreyStore(PixelStore):
    """A grey image in place of each: as large as the image would be, and with nothing to see on it."""

    def __init__(self, sizes: Sequence[tuple[int, int]], image_size: int, geometry: Geometry) -> None:
        """`sizes`: width and height in pixels of each image as it would be shown."""
        super().__init__([Path()] * len(sizes), image_size, geometry)
        self._sizes = list(sizes)

    def patches(self, index: int) -> Patches:
        """Patches of one grey image; no file is read."""
        from PIL import Image

        return to_patches(Image.new("RGB", self._sizes[index], (GREY, GREY, GREY)), self.geometry)


def show(cases: Sequence[Case], protocol: Protocol, geometry: Geometry) -> Shown:
    """The pictures that a protocol shows for these cases.

    Grey images of one size are one picture, and the answer to it is the answer of all of its cases: decoding is greedy,
    so asking again would give the same answer, and the control costs next to nothing.

    Raises:
        JobError: this version does not know the degradation; showing the images as they are would measure something
            else than the protocol says.
    """
    if protocol.degradation != BLANK:
        return Shown(_store(cases, protocol, geometry), [[case] for case in cases])
    sizes: dict[tuple[int, int], list[Case]] = {}
    for case in cases:
        sizes.setdefault(target_size(case.width, case.height, protocol.image_size), []).append(case)
    return Shown(GreyStore(list(sizes), protocol.image_size, geometry), list(sizes.values()))


def _store(cases: Sequence[Case], protocol: Protocol, geometry: Geometry) -> PixelStore:
    if not protocol.degradation:
        return PixelStore([case.file for case in cases], protocol.image_size, geometry, root=root_of(cases))
    try:
        kind, severity = parse_degradation(protocol.degradation)
    except UsageError as error:
        raise JobError(
            error.title,
            f"This version of sonotune can show images as they are, '{BLANK}' ones, or degraded ones. {error.reason}",
            "Queue the evaluation again with one of these, or update sonotune.",
        ) from error
    return DegradedStore(cases, kind, severity, protocol.image_size, geometry)
