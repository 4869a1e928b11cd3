"""One round of inputs for one fuzz target, in a process of its own."""

from __future__ import annotations

import resource
import time
import traceback
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings
from targets import target

MOST_MEMORY = 6 * 2**30
"""Bytes of address space: an input that fills the memory fails, and takes nothing else down with it."""


@dataclass
class Tried:
    """What came of some inputs of one target."""

    inputs: int = 0
    failures: int = 0
    seconds: float = 0.0
    """Of processor time."""
    kinds: dict[str, str] = field(default_factory=dict)
    """One example, with its traceback, for each place at which something went wrong."""

    def add(self, other: Tried) -> None:
        """Take in those of another round."""
        self.inputs += other.inputs
        self.failures += other.failures
        self.seconds += other.seconds
        for place, told in other.kinds.items():
            self.kinds[place] = min(self.kinds.get(place, told), told, key=len)


def one_round(name: str, number: int, inputs: int) -> Tried:
    """Draw and feed inputs; round 0 begins with those that once failed."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    aim, tried, began = target(name), Tried(), time.process_time()

    def feed(value: object) -> None:
        tried.inputs += 1
        try:
            aim.check(value)
        except Exception as error:  # noqa: BLE001 - to be counted
            tried.failures += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{value!r}\n{''.join(traceback.format_exception(error))[-2_000:]}"
            place = f"{type(error).__name__} at {last.filename}:{last.lineno}"
            tried.kinds[place] = min(tried.kinds.get(place, told), told, key=len)

    for value in aim.found if number == 0 else ():
        feed(value)
    options = settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(options(given(aim.inputs)(feed)))()
    tried.seconds = time.process_time() - began
    return tried


def named_round(work: tuple[str, int, int]) -> tuple[str, Tried]:
    """`one_round` for a pool of processes, which hands back results in any order."""
    return work[0], one_round(*work)
