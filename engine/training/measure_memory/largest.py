"""Which images need the most memory, by what is recorded of them. Light: nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.data.images import SIDE_MULTIPLE, target_size
from engine.preflight.workload import text_tokens
from engine.training.selection import answer_of
from engine.types import Case

if TYPE_CHECKING:
    from engine.recipe import Recipe

SPARE_IMAGES = 16
"""Images looked at beyond those that a step takes: the recorded order is only nearly that of the tokens."""


def largest_cases(cases: Sequence[Case], recipe: Recipe, samples: int) -> list[Case]:
    """The images with the most tokens, enough for a step of `samples` samples; the largest first.

    Args:
        cases: of the training split.
        recipe: its questions and its image size count.
        samples: samples of one optimizer step.
    """

    def tokens(case: Case) -> float:
        # An image whose size was not recorded may be a square, which has the most tokens of all.
        width, height = target_size(case.width or 1, case.height or 1, recipe.data.image_size)
        answers = [answer_of(case, question) or "" for question in recipe.data.questions]
        return width * height / SIDE_MULTIPLE**2 + sum(map(text_tokens, filter(None, answers)))

    answered = [case for case in cases if any(answer_of(case, question) for question in recipe.data.questions)]
    return sorted(answered, key=lambda case: (-tokens(case), case.path))[: samples + SPARE_IMAGES]
