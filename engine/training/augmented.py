"""Changes of training images: every epoch others, and the answers stay true to what is shown.

What becomes of an image depends on the seed, the epoch and the image alone, not on the order of steps or the process
that draws it: a resumed run sees exactly what an unbroken one would, and all questions to an image see one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.data.augmentation.drawing import Change, draw_change
from engine.data.augmentation.names import ABOUT_LEVELS
from engine.questions.mirroring import depends_on_tilt, mirrored_answer

if TYPE_CHECKING:
    from engine.training.dataset import Example


class Augmentation:
    """Draws the change of each training image in the epoch that `epoch` says."""

    def __init__(self, level: str, seed: int) -> None:
        """`level`: basic or advanced; `seed`: of the run."""
        self.level = level
        self.seed = seed
        self.epoch = 0
        """Counted from 0; a callback sets it before the epoch's first batch is made, also in worker processes, which
        start with their epoch."""

    def draw(self, example: Example) -> Change | None:
        """The change of its image in this epoch; None for an image that is always shown as it is."""
        if not example.drawn_by:
            return None
        return draw_change(
            self.level,
            f"{self.seed}/epoch {self.epoch}/{example.drawn_by}",
            may_mirror=example.mirrored is not None,
            may_turn=example.may_turn,
        )


def variable(examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
    """Examples whose images may be changed, as far as all trained questions to an image allow it.

    Args:
        examples: all that are trained on, their images numbered as `names`.
        names: of the samples in random drawings.
    """
    # Thousands of images share a few dozen answers.
    asked = {(example.question, example.answer) for example in examples}
    mirrored = {pair: mirrored_answer(*pair) for pair in asked}
    tilted = {pair for pair in asked if depends_on_tilt(*pair)}
    fixed = {example.image for example in examples if mirrored[example.question, example.answer] is None}
    upright = {example.image for example in examples if (example.question, example.answer) in tilted}
    return [
        replace(
            example,
            drawn_by=names[example.image],
            mirrored=None if example.image in fixed else mirrored[example.question, example.answer],
            may_turn=example.image not in upright,
        )
        for example in examples
    ]


def augmentation_words(level: str, examples: Sequence[Example]) -> str:
    """What is done to the images of these trained examples, for the run's history."""
    samples = {example.drawn_by for example in examples}
    rewritten = sorted({each.question for each in examples if each.mirrored not in (None, each.answer)})
    unmirrored = {each.drawn_by for each in examples if each.mirrored is None}
    upright = {each.drawn_by for each in examples if not each.may_turn}
    parts = [f"{level}: {ABOUT_LEVELS[level]} Drawn anew for each sample and epoch, in training alone"]
    if rewritten:
        parts.append(f"where an image is mirrored, its answer to {', '.join(rewritten)} is rewritten")
    if unmirrored:
        parts.append(
            f"{len(unmirrored)} of {len(samples)} images are never mirrored, because an answer names a side that would "
            "not be true any more, or that cannot be read"
        )
    if upright:
        parts.append(f"{len(upright)} of {len(samples)} are never turned, because an answer tells the tilt")
    return "; ".join(parts)
