"""How well the answers to one image fit each other, over many images.

Which rules there are is `engine.questions.coherence`; here are only their ids: which could be applied to the answers of
an image, and which were broken. An image to whose answers no rule applies says nothing and is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.scoring.bootstrap import RESAMPLES, mean_scores
from engine.scoring.cases import in_path_order, positions_by_scope, stream
from engine.scoring.intervals import Figures
from engine.scoring.rates import proportion
from engine.types import Score


@dataclass(frozen=True, slots=True)
class ImageRules:
    """What the rules say about the answers to one image."""

    path: str
    view: str
    applied: frozenset[str]
    """Ids of the rules whose questions were all answered."""
    broken: frozenset[str]
    """Those of them that the answers break."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule over all images."""

    rule: str
    applied: int
    broken: int


def coherence_scores(
    images: Sequence[ImageRules], *, whole: str = "coherent_images", seed: int = 0, resamples: int = RESAMPLES
) -> list[Score]:
    """`coherence`, the mean over images of the share of rules kept, and the share of images that break none.

    Args:
        images: answers to several questions (or a report) about each image.
        whole: name of the second score.
        seed: of the bootstrap; each scope has its own stream.
        resamples: of the bootstrap.

    Returns:
        Both in scope `all` and for each view; n counts the images to which at least one rule applies.
    """
    ordered = in_path_order(images)
    return [
        score
        for scope, positions in positions_by_scope(ordered).items()
        for score in _scope(scope, [ordered[place] for place in positions], whole, stream(seed, scope), resamples)
    ]


def _scope(
    scope: str, images: Sequence[ImageRules], whole: str, seed: tuple[int, int], resamples: int
) -> Iterator[Score]:
    kept = kept_shares(images)
    kept = kept[np.isfinite(kept)]
    yield from mean_scores(scope, {"coherence": kept}, (*seed, 2), resamples)
    yield proportion(scope, whole, int((kept == 1).sum()), len(kept))


def kept_shares(images: Sequence[ImageRules]) -> Figures:
    """Share of the applied rules that each image keeps, shape (images,); NaN where none applies."""
    return np.array(
        [1 - len(image.broken & image.applied) / len(image.applied) if image.applied else np.nan for image in images],
        dtype=np.float64,
    )


def rule_table(images: Sequence[ImageRules]) -> list[RuleCount]:
    """How often each rule applied and broke; the most broken first, then in alphabetical order."""
    applied = Counter(rule for image in images for rule in image.applied)
    broken = Counter(rule for image in images for rule in image.broken & image.applied)
    return [
        RuleCount(rule, applied[rule], broken[rule]) for rule in sorted(applied, key=lambda rule: (-broken[rule], rule))
    ]
