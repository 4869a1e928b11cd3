"""Known GPUs: the speed that their data sheets promise, of which training reaches a part, and their memory."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Speed:
    """What a card could do."""

    flops: float
    """Dense bfloat16 operations a second."""
    bandwidth: float
    """Bytes of GPU memory a second."""


_TERA = 1e12
# Pattern, speed, and MiB of memory as the driver counts them (a little less than is written on some cards). The first
# pattern that is found in what the driver calls the card; longer names stand before those that they contain.
_KNOWN: tuple[tuple[str, Speed, int], ...] = (
    ("b200", Speed(2250 * _TERA, 8.0 * _TERA), 183359),
    ("h200", Speed(989 * _TERA, 4.8 * _TERA), 143771),
    ("h100 pcie", Speed(756 * _TERA, 2.0 * _TERA), 81559),
    ("h100", Speed(989 * _TERA, 3.35 * _TERA), 81559),
    ("a100.*80gb", Speed(312 * _TERA, 2.0 * _TERA), 81920),
    ("a100", Speed(312 * _TERA, 2.0 * _TERA), 40960),
    ("l40s", Speed(362 * _TERA, 0.86 * _TERA), 46068),
    ("l4", Speed(121 * _TERA, 0.3 * _TERA), 23034),
    ("a10", Speed(125 * _TERA, 0.6 * _TERA), 23028),
    ("rtx 5090 laptop", Speed(116 * _TERA, 0.9 * _TERA), 24463),
    ("rtx 5090", Speed(210 * _TERA, 1.79 * _TERA), 32607),
    ("rtx 4090 laptop", Speed(80 * _TERA, 0.58 * _TERA), 16376),
    ("rtx 4090", Speed(165 * _TERA, 1.01 * _TERA), 24564),
    ("rtx 3090", Speed(71 * _TERA, 0.94 * _TERA), 24576),
)


REFERENCE = Speed(200 * _TERA, 1.0 * _TERA)
"""Stands in for a card that is not in the table where only proportions matter, and where steps were timed on it."""


def speed_of(card: str) -> Speed | None:
    """Speed of a card by the name that its driver gives it; None for one that is not in the table."""
    found = _known(card)
    return None if found is None else found[0]


def memory_of(card: str) -> int | None:
    """Memory of a card in bytes, the smaller one where a name is that of two; None for one that is not in the table."""
    found = _known(card)
    return None if found is None else found[1] * 2**20


def _known(card: str) -> tuple[Speed, int] | None:
    name = " ".join(card.lower().replace("-", " ").split())
    return next(((speed, memory) for known, speed, memory in _KNOWN if re.search(rf"\b{known}\b", name)), None)
