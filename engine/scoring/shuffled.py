"""The same answers dealt to other images: what a measure gives to answers that say nothing about their image.

A measure that is as high then cannot tell a good model from a bad one (BERTScore gave every model 0.75 to 0.80 on Q8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.scoring.cases import ALL
from engine.scoring.intervals import Figures
from engine.scoring.measures import GradedValues
from engine.types import Score

SHUFFLED = "_shuffled"
OVER_SHUFFLED = "_over_shuffled"
"""Suffix of the score that is the value minus the shuffled value, with the interval of this paired difference."""

MOST_ROUNDS = 10
PAIR_BUDGET = 30_000
"""Answers dealt in all rounds together; among many images one round is exact enough."""


def rounds_for(images: int) -> int:
    """How often the answers of so many images are dealt."""
    return max(1, min(MOST_ROUNDS, PAIR_BUDGET // max(1, images)))


def deals(images: int, rounds: int, generator: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Ways to give every image the answer of another one, each answer used once.

    The images stand in one random circle, and each round hands the answers on by another number of places, so that no
    image ever keeps its own.

    Yields:
        The image whose answer each image gets, shape (images,); at most images - 1 rounds, none for one image.
    """
    if images < 2:
        return
    circle = generator.permutation(images)
    steps = generator.choice(np.arange(1, images), size=min(rounds, images - 1), replace=False)
    for step in steps:
        donors = np.empty(images, dtype=np.intp)
        donors[circle] = np.roll(circle, -int(step))
        yield donors


def shuffled_values(
    values: GradedValues, members: NDArray[np.intp], rounds: int, generator: np.random.Generator
) -> Figures | None:
    """Mean value, over the rounds, of the answers that each image of a scope was dealt.

    Args:
        values: of all cases of the question.
        members: positions of the cases of the scope; answers are dealt among these.
        rounds: how often.
        generator: source of randomness.

    Returns:
        Shape (members,); None where there are fewer than two.
    """
    own = values.own[members]
    # Means of differences: exactly zero where every deal gives what the own answer gives.
    lost = [own - values.dealt(members[donors], members) for donors in deals(len(members), rounds, generator)]
    return own - np.mean(lost, axis=0) if lost else None


def cannot_tell(scores: Sequence[Score], scope: str = ALL) -> list[str]:
    """Names of the measures that cannot tell this subject's answers from the same answers dealt to other images.

    These are the measures whose value minus the shuffled value has a 95 % interval that includes 0 or lies below. It
    may be the measure's fault (it is high for any text) or the subject's (it says the same of every image): the
    collapse check tells which.

    Args:
        scores: as `score_question` gives them.
        scope: `all` or `view:NAME`.
    """
    return [
        score.name.removesuffix(OVER_SHUFFLED)
        for score in scores
        if score.scope == scope and score.name.endswith(OVER_SHUFFLED) and score.low is not None and score.low <= 1e-12
    ]
