"""How well an answer agrees with its target, in 0..1, for answers that may be partly right."""

from __future__ import annotations

from collections.abc import Hashable, Set
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

LONGEST_TEXT = 2000
"""Characters that chrF looks at: an answer to Q8 has a few dozen, and an output may be anything."""


def f_beta(said: Set[Hashable], target: Set[Hashable], beta: float) -> float:
    """Set F-beta: the weighted harmonic mean of precision and recall, recall beta times as important.

    (van Rijsbergen 1979; equal to `sklearn.metrics.fbeta_score(average="samples")` on indicator vectors.) 1 for two
    empty sets, which agree.
    """
    shared = len(said & target)
    weight = beta * beta
    size = weight * len(target) + len(said)
    return (1 + weight) * shared / size if size else 1.0


def precision(said: Set[Hashable], target: Set[Hashable]) -> float:
    """Share of what was said that belongs to the target; 1 for two empty sets, 0 where only the answer is empty."""
    return len(said & target) / len(said) if said else float(not target)


def recall(said: Set[Hashable], target: Set[Hashable]) -> float:
    """Share of the target that was said; 1 for two empty sets, 0 where only the target is empty."""
    return precision(target, said)


def jaccard(said: Set[Hashable], target: Set[Hashable]) -> float:
    """Shared members among all members (Jaccard 1912); 1 for two empty sets."""
    union = len(said | target)
    return len(said & target) / union if union else 1.0


def chrf(said: str, target: str) -> float:
    """Character n-gram F-score (Popovic 2015) by sacrebleu with its own settings, in 0..1; case and spacing aside."""
    score = _chrf().sentence_score(folded(said), [folded(target)]).score
    return float(score) / 100


def folded(text: str) -> str:
    """What chrF compares: the first 2,000 characters, one space between words, no case, no marks at the end."""
    return " ".join(text[:LONGEST_TEXT].split()).casefold().rstrip(" .,;:!")


@cache
def _chrf() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
