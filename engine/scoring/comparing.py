"""Compare subjects on the same images: figures, tests, the images that changed, and a verdict in plain words.

**The rule of the verdict.** The measure that decides is declared beforehand for each question (`measures.PRIMARY`; for
Q7 balanced accuracy, each subject at its own threshold). Two subjects are distinguishable only if the 95 % paired
bootstrap interval of its difference excludes 0 **and** the p value of the exact swap test, adjusted by Holm for the
number of comparisons made together, is below 0.05. The interval alone would see differences in a handful of images; the
p value alone would hide how small a difference is. McNemar's test, AUROC with DeLong's test and all other measures are
shown beside it and decide nothing: whoever may choose among ten tests afterwards always finds one that agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from engine.scoring.auroc_pairs import DeLong, auroc_difference, delong
from engine.scoring.bootstrap import RESAMPLES
from engine.scoring.cases import AnsweredCase
from engine.scoring.measures import Readers
from engine.scoring.paired import Difference, holm, mcnemar_exact, paired_bootstrap, swap_test
from engine.scoring.paired_measures import Sides, sides_of
from engine.scoring.pairing import Pairable, Pairs, UnpairedError, paired
from engine.scoring.readers import readers_or_default
from engine.scoring.verdicts import SIGNIFICANT, verdict

P = TypeVar("P", bound=Pairable)


@dataclass(frozen=True, slots=True)
class Side:
    """One subject of a comparison."""

    name: str
    """As the reader knows it; untrusted."""
    cases: Sequence[AnsweredCase]
    threshold: float | None = None
    """Q7 alone: its own threshold on P(abnormal); None where it is judged by its texts."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One subject against the first; differences are those of `second` minus `first`."""

    first: str
    second: str
    n: int
    """Images that both were measured on."""
    unscored: int
    """Images left out because their target cannot be read."""
    primary: str
    """Name of the measure that decides."""
    differences: tuple[Difference, ...]
    """The primary measure first."""
    fixed: tuple[str, ...]
    """Paths of the images that the second has right and the first has not."""
    broken: tuple[str, ...]
    """Paths of the images that the first has right and the second has not."""
    mcnemar_p: float
    delong: DeLong | None
    """Q7 with probabilities alone."""
    p: float | None
    """Of the swap test on the primary measure; None where that is undefined."""
    reason: str = ""
    """Why nothing can be decided: other images, other targets, a class without images."""
    p_adjusted: float | None = None
    """By Holm for all comparisons made together."""
    family: int = 1
    """How many comparisons p is adjusted for."""
    distinguishable: bool = False
    sentence: str = ""
    """The verdict; holds the names of the subjects, so it is as untrusted as they are."""

    @property
    def decisive(self) -> Difference | None:
        """The difference in the primary measure; None where it is undefined."""
        return next((each for each in self.differences if each.name == self.primary), None)


def compare(
    question: str,
    first: Side,
    others: Sequence[Side],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    readers: Readers | None = None,
    primary_only: bool = False,
) -> list[Comparison]:
    """Compare every other subject with the first; p values are adjusted over all of them.

    Args:
        question: Q1 to Q8.
        first: the subject against which the others are held (the pinned run).
        others: the others; one that has other images or targets gets a comparison with the reason, and no figures.
        seed: of bootstrap and swap test; the order of cases changes nothing.
        resamples: of the bootstrap.
        readers: how texts are read; None for those of `engine.questions`.
        primary_only: only what the verdict needs, for marks beside many rows.
    """
    chosen = readers_or_default(readers)

    def against(other: Side) -> Comparison:
        def sides(pairs: Pairs[AnsweredCase]) -> Sides:
            thresholds = first.threshold, other.threshold
            return sides_of(question, pairs, thresholds, chosen, primary_only=primary_only)

        names = first.name, other.name
        return compared(*names, first.cases, other.cases, sides, seed=seed, resamples=resamples)

    return decided([against(other) for other in others])


def compared(
    first: str,
    second: str,
    first_cases: Sequence[P],
    second_cases: Sequence[P],
    sides: Callable[[Pairs[P]], Sides],
    *,
    seed: int,
    resamples: int,
) -> Comparison:
    """One comparison before its verdict, of anything that can be paired by image.

    Args:
        first: name of the first subject.
        second: name of the second.
        first_cases: what the first said.
        second_cases: what the second said.
        sides: makes the measures from the paired cases.
        seed: of bootstrap and swap test.
        resamples: of the bootstrap.
    """
    try:
        pairs = paired(first_cases, second_cases)
    except UnpairedError as error:
        reason = f"{error.title[:1].lower()}{error.title[1:]}: {error.reason}"
        return Comparison(first, second, 0, 0, "", (), (), (), 1.0, None, None, reason=reason.rstrip("."))
    both = sides(pairs)
    differences = [paired_bootstrap(values, seed=seed, resamples=resamples) for values in both.measures]
    check = None
    if both.auroc is not None:
        areas = both.auroc.abnormal, both.auroc.first, both.auroc.second
        differences.insert(1, auroc_difference(*areas, seed=seed, resamples=resamples))
        check = delong(*areas) if min(areas[0].sum(), (~areas[0]).sum()) > 1 else None
    paths = np.array(both.paths, dtype=object)
    fixed = tuple(paths[~both.right_first & both.right_second])
    broken = tuple(paths[both.right_first & ~both.right_second])
    return Comparison(
        first,
        second,
        n=len(paths),
        unscored=pairs.unscored,
        primary=both.primary,
        differences=tuple(differences),
        fixed=fixed,
        broken=broken,
        mcnemar_p=mcnemar_exact(len(broken), len(fixed)),
        delong=check,
        p=swap_test(both.measures[0], seed=seed) if both.measures else None,
        reason=both.undefined,
    )


def decided(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with p values adjusted over all that have one, and their verdicts."""
    adjusted = iter(holm([each.p for each in comparisons if each.p is not None]))
    family = sum(each.p is not None for each in comparisons)
    results = []
    for comparison in comparisons:
        p = None if comparison.p is None else next(adjusted)
        gain = comparison.decisive
        apart = p is not None and p < SIGNIFICANT and gain is not None and not gain.low <= 0 <= gain.high
        complete = replace(comparison, p_adjusted=p, family=family, distinguishable=apart)
        results.append(replace(complete, sentence=verdict(complete)))
    return results
