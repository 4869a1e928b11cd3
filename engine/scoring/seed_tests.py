"""Paired tests of two subjects with several seeds each, two-sided; the statistic is the difference of their means.

- a mean, or a mean of class means: the swap test (`paired.swap_test`), which exchanges the two subjects on an image
  with all their seeds at once. With one seed and one class it is McNemar's exact test.
- AUROC: DeLong's test (1988) of the difference of the two mean areas, a contrast of correlated areas; with one seed it
  is `auroc_pairs.delong`. Its p is never below what exchanging labels within classes of these sizes could give.
- MCC: the swap test with random exchanges.
"""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
from scipy.stats import norm

from engine.scoring.areas import EXACT, mean_placements
from engine.scoring.binary import matthews
from engine.scoring.intervals import Figures
from engine.scoring.paired import PairedValues, swap_test
from engine.scoring.seed_values import Kind, SeedValues, by_seeds

SWAPS = 10_000
"""Random exchanges of the test of MCC."""


def p_value(first: SeedValues, second: SeedValues, seed: int = 0) -> float:
    """Two-sided p of the difference of the means over the seeds, by the test of the head of this module.

    Args:
        first: on images on which both have a value.
        second: on the same images.
        seed: of random exchanges.
    """
    if first.kind is Kind.MEAN:
        means = first.values.mean(axis=0), second.values.mean(axis=0)
        return swap_test(PairedValues(first.name, *means, first.classes), seed=seed)
    return _delong(first, second) if first.kind is Kind.AUROC else _swapped_mcc(first, second, seed)


def _delong(first: SeedValues, second: SeedValues) -> float:
    """DeLong's test of the difference of mean areas."""
    gain = mean_placements(second).minus(mean_placements(first))
    if abs(gain.area) < EXACT or not gain.known:
        return 1.0
    positives = int((first.classes == 1).sum())
    least = min(1.0, 2 / comb(len(first.classes), positives))
    return max(least, 2 * float(norm.sf(abs(gain.area) / gain.error)) if gain.error > EXACT else 0.0)


def _swapped_mcc(first: SeedValues, second: SeedValues, seed: int) -> float:
    """Share of random exchanges, the observed one among them, that give a difference of MCC at least as large."""
    images = first.values.shape[1]
    swaps = np.random.default_rng(seed).integers(0, 2, size=(SWAPS, images)).astype(np.float64)
    if len(first.values) != len(second.values):  # a subject of one seed meets each seed of the other
        rows = np.lcm(len(first.values), len(second.values))
        first, second = (
            replace(each, values=np.repeat(each.values, rows // len(each.values), axis=0)) for each in (first, second)
        )
    gains = np.zeros(SWAPS)
    for one, other in zip(first.values, second.values, strict=True):
        gains += _exchanged(first, one, other, swaps)
    observed = abs(float(by_seeds(second).mean() - by_seeds(first).mean()))
    beyond = int((np.abs(gains / len(first.values)) >= observed - 1e-9).sum())
    return (1 + beyond) / (1 + SWAPS)


def _exchanged(values: SeedValues, one: Figures, other: Figures, swaps: Figures) -> Figures:
    """Difference of MCC of one pair of seeds after each exchange, shape (swaps,)."""
    abnormal = values.classes == 1
    positives, negatives = int(abnormal.sum()), int((~abnormal).sum())
    moved = other - one
    shift = swaps[:, abnormal] @ moved[abnormal], swaps[:, ~abnormal] @ moved[~abnormal]
    kept = one[abnormal].sum() + shift[0], one[~abnormal].sum() + shift[1]
    taken = other[abnormal].sum() - shift[0], other[~abnormal].sum() - shift[1]
    return matthews(taken[0], positives, taken[1], negatives) - matthews(kept[0], positives, kept[1], negatives)
