"""More abnormal samples for the training: real ones repeated, or new ones made from them.

Light: a launch plan counts samples with it. Everything is decided from the training sample of the run; the pixels of a
made sample come later (`engine.training.pixels`), and validation and test never pass through here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.data.labels import case_verdict
from engine.data.split import rank
from engine.errors import DataError
from engine.training.balance_record import BalanceCounts
from engine.training.selection import answer_of, training_cases
from engine.types import Case, Verdict

if TYPE_CHECKING:
    from engine.recipe import Recipe

NONE, OVERSAMPLE, SYNTHETIC = "none", "oversample", "synthetic"
"""Values of `data.balance`."""
MOST_FROM_ONE = 20
"""Synthetic samples made from one real image at the most. They all show the same finding in the same fetus, so more of
them would teach the image and not the finding; what is lacking then is said in the run's history."""


class Origin(StrEnum):
    """What a training sample is."""

    REAL = "real"
    REPEATED = "repeated"
    """A real image once more, pixel for pixel (before augmentation)."""
    SYNTHETIC = "synthetic"
    """Made from a real abnormal training image by elastic and intensity changes, with the answers of that image."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image as the training sees it, with all of its questions."""

    case: Case
    origin: Origin = Origin.REAL
    copy: int = 0
    """0 for the real image; its repeats or synthetic ones count from 1."""

    @property
    def name(self) -> str:
        """Names this sample in random drawings: the same in every run on the dataset, whatever else is trained on."""
        return f"{self.case.path}#{self.copy}" if self.copy else self.case.path


@dataclass(frozen=True, slots=True)
class Balanced:
    """The samples of a run, and how they came about."""

    samples: list[Sample]
    """The real ones in their order, then those that were added."""
    counts: BalanceCounts | None
    """None where the recipe asks for no balance."""


def training_samples(cases: Sequence[Case], recipe: Recipe) -> Balanced:
    """What a run trains on: its sample of the training split, balanced as the recipe asks.

    An image that answers none of the trained questions is no sample: it neither counts nor is it copied.

    Args:
        cases: the whole training split.
        recipe: of the run.

    Raises:
        DataError: balance is asked for, and there is no abnormal image to take more of.
    """
    drawn = training_cases(cases, recipe)
    chosen = [
        case for case in drawn if any(answer_of(case, question) is not None for question in recipe.data.questions)
    ]
    if recipe.data.balance == NONE or not chosen:
        # Where none answers, whoever makes examples of them says so, with their number.
        return Balanced([Sample(case) for case in chosen or drawn], None)
    return balance(chosen, recipe.data.balance, recipe.data.balance_share, recipe.training.seed)


def balance(cases: Sequence[Case], how: str, share: float, seed: int) -> Balanced:
    """Add abnormal samples until they make up `share` of the images that are normal or abnormal; nothing is removed.

    Every abnormal image is taken equally often; where that does not come out even, the seed draws those that are taken
    once more.

    Args:
        cases: real training images; unclear and unreadable answers to Q7 count on neither side.
        how: `OVERSAMPLE` or `SYNTHETIC`.
        share: in (0, 1).
        seed: of the run.

    Raises:
        DataError: no image is abnormal.
    """
    verdicts = [case_verdict(case.answers) for case in cases]
    abnormal = [case for case, verdict in zip(cases, verdicts, strict=True) if verdict is Verdict.ABNORMAL]
    normal = verdicts.count(Verdict.NORMAL)
    if not abnormal:
        raise DataError(
            "There is no abnormal image to balance with",
            f"None of the {len(cases)} training images of this run has an abnormal answer to Q7.",
            'Raise data.limit, choose another dataset, or set data.balance to "none".',
        )
    wanted = lacking(len(abnormal), normal, share)
    added = min(wanted, MOST_FROM_ONE * len(abnormal)) if how == SYNTHETIC else wanted
    counts = BalanceCounts(how, len(abnormal), len(abnormal) + normal, added, share, added < wanted)
    return Balanced([*map(Sample, cases), *_copies(abnormal, added, how, seed)], counts)


def lacking(abnormal: int, normal: int, share: float) -> int:
    """The fewest abnormal samples that lift their share to `share`: solves (a + x) / (a + n + x) >= share for x."""
    exact = (share * (abnormal + normal) - abnormal) / (1 - share)
    return max(0, math.ceil(exact - 1e-9))  # 0.3 * 10 is 3.0000000000000004 in binary; that is no sample more


def _copies(sources: Sequence[Case], count: int, how: str, seed: int) -> list[Sample]:
    origin = Origin.SYNTHETIC if how == SYNTHETIC else Origin.REPEATED
    drawn = sorted(sources, key=lambda case: rank("balance", seed, case.path))
    return [Sample(drawn[number % len(drawn)], origin, number // len(drawn) + 1) for number in range(count)]
