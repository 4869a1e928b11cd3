"""Tries sizes of a batch one after the other and keeps the fastest. Heavy: torch; import after `unsloth`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from engine.bench.device import forget_peaks, peaks
from engine.bench.plan import SidePlan, SideResult
from engine.bench.sides.process import Publish, failure_words, tell

SMALLEST = 32
LARGEST = 1024
SLOWER = 0.98
"""A size below this share of the best rate is slower, and not merely measured once more."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is tried, and how it is called in the result."""

    sizes: Iterable[int]
    """From small to large."""
    size_name: str
    rate_name: str
    until_slower: bool = False
    """End with the first size that is slower than the best before it."""


def fastest(plan: SidePlan, sweep: Sweep, measure: Callable[[int], SideResult], publish: Publish) -> SideResult:
    """The result of the fastest size, with a list of all that was tried.

    A size that finds no memory ends the sweep, because the others are larger. After each size the best so far is told
    and published, so that a side that is cut off has a result.

    Args:
        plan: of the side.
        sweep: the sizes.
        measure: measures one of them.
        publish: takes the best so far.

    Raises:
        RuntimeError: no size ran.
    """
    best: SideResult | None = None
    tried: list[dict[str, Any]] = []
    for size in sweep.sizes:
        forget_peaks()  # what loading, quantizing and other sizes took is no part of this one
        result, failure = _measured(measure, size)
        gc.collect()
        if result is None:
            tried.append({sweep.size_name: size, "failure": failure, **peaks()})
            tell(f"{plan.side}: {sweep.size_name} {size}: {failure}")
            break
        rate, before = result.samples_per_second or 0.0, (best.samples_per_second or 0.0) if best else 0.0
        tried.append({sweep.size_name: size, sweep.rate_name: rate, **peaks()})
        tell(f"{plan.side}: {sweep.size_name} {size}: {rate:.2f} a second")
        best = result if best is None or rate > before else best
        publish(replace(best, tried=list(tried)))
        if sweep.until_slower and rate < SLOWER * before:
            break
    if best is None:
        raise RuntimeError(f"no {sweep.size_name} ran: {tried}")
    return replace(best, tried=tried)


def _measured(measure: Callable[[int], SideResult], size: int) -> tuple[SideResult | None, str]:
    # In a function of its own: the error's traceback holds on to the tensors of the attempt until it returns.
    try:
        return measure(size), ""
    except torch.OutOfMemoryError as error:
        return None, failure_words(error)


def doubled(rows: int) -> Iterator[int]:
    """32, 64, ... up to the first that takes all `rows`, and 1024 at most."""
    size = SMALLEST
    while size < min(rows, LARGEST):
        yield size
        size *= 2
    yield size
