"""Rounds over all questions, timed alike for both sides of the evaluation. Heavy: torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.bench.device import forget_peaks, synchronize

REPEATS = 3
"""Rounds that are measured; the median counts."""

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over all questions."""

    seconds: float
    """From when the first batch was ready."""
    waited: float
    """Of these, seconds spent waiting for batches."""
    answers: Sequence[str]
    """In the order of images and questions."""


def measured_rounds(
    batches: Callable[[], Iterable[B]], answer: Callable[[B], list[str]], repeats: int = REPEATS
) -> list[Round]:
    """`repeats` rounds over the batches of `batches()`, after peaks of memory were forgotten."""
    forget_peaks()
    return [one_round(batches(), answer) for _ in range(repeats)]


def one_round(
    batches: Iterable[B], answer: Callable[[B], list[str]], clock: Callable[[], float] = time.perf_counter
) -> Round:
    """Answer batch after batch.

    The clock starts when the first batch is ready: starting loader processes, and filling their queues once, is no
    part of the speed of an evaluation that takes hours. Waiting for later batches is.

    Args:
        batches: prepared in the background, as they are asked for.
        answer: answers to a batch, on the host.
        clock: seconds.
    """
    coming = iter(batches)
    batch = next(coming, None)
    begun, waited = clock(), 0.0
    answers: list[str] = []
    while batch is not None:
        answers += answer(batch)
        asked = clock()
        batch = next(coming, None)
        waited += clock() - asked
    synchronize()
    return Round(clock() - begun, waited, answers)
