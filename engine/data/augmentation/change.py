"""One drawn change of an image: its steps, its words, and the changed image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.data.augmentation.beams import Beams
from engine.data.augmentation.geometry import Deform, Mirror, Turn, moved
from engine.data.augmentation.levels import Levels, to_image, to_levels

if TYPE_CHECKING:
    from PIL.Image import Image


class LevelStep(Protocol):
    """A step that changes levels and moves nothing."""

    @property
    def words(self) -> str:
        """What it does, in a few words with its figures."""

    def apply(self, levels: Levels, beams: Beams) -> Levels:
        """Changed levels, the same shape; `levels` stay as they are."""


Step = Turn | Mirror | Deform | LevelStep


@dataclass(frozen=True, slots=True)
class Change:
    """A change with everything drawn: it does the same to the same image, whenever and wherever it is applied."""

    steps: tuple[Step, ...] = ()
    """In the order in which they are applied; those that move pixels come first, whatever their place is."""

    @property
    def mirrored(self) -> bool:
        """Whether left and right are exchanged, so that answers that name a side have to be rewritten."""
        return any(isinstance(step, Mirror) for step in self.steps)

    @property
    def turned(self) -> bool:
        """Whether the image is rotated, so that an answer that tells a tilt may no longer hold."""
        return any(isinstance(step, Turn) for step in self.steps)

    @property
    def words(self) -> str:
        """For people: `turned 4°, mirrored, brightness x1.10`; `unchanged` where nothing was drawn."""
        return ", ".join(step.words for step in self.steps) or "unchanged"

    def apply(self, image: Image) -> Image:
        """The changed image: RGB, the same size, grey where the original was; `image` itself stays as it is."""
        if not self.steps:
            return image.convert("RGB")  # a copy, also where it is RGB already
        moves = [step for step in self.steps if isinstance(step, Turn | Mirror | Deform)]
        levels = moved(to_levels(image), moves)
        rest = [step for step in self.steps if not isinstance(step, Turn | Mirror | Deform)]
        if rest:
            beams = Beams.of(levels)
            for step in rest:
                levels = step.apply(levels, beams)
        return to_image(levels)
