"""How much of a card a plan may take, and what must stay free."""

from __future__ import annotations

from engine.preflight.coefficients import Coefficients
from engine.preflight.models import Card

MARGIN_SHARE = 0.06
"""Share of the card that stays free: fragments of the allocator, and what the estimate is off by."""
UNCALIBRATED_SHARE = 0.12
"""The same where nothing was measured on this card yet."""
MARGIN_BYTES = 1_500_000_000
"""Stays free at least: the CUDA context, and a screen."""
CONTEXT_BYTES = 500_000_000
"""The CUDA context of a process, about; torch does not count it, and it is a part of every margin."""


def margin(card: Card, factors: Coefficients, peak: float) -> int:
    """Bytes of the card that a plan leaves free: less where something about as large was measured on this very card.

    Args:
        card: the device.
        factors: of card and backend.
        peak: what the plan is estimated to take, in bytes.
    """
    share = MARGIN_SHARE if factors.near(peak) else UNCALIBRATED_SHARE
    return max(MARGIN_BYTES, round(share * (card.memory or 0)))


def room(card: Card, factors: Coefficients, peak: float, most: int | None = None) -> int:
    """Bytes that a plan may take: the card's memory without the margin, and of what is free now no more than that.

    What is free now has lost the CUDA context already (`Card.free`), so the margin is taken off without it.

    Args:
        card: the device.
        factors: of card and backend.
        peak: what the plan is estimated to take, in bytes.
        most: bytes by the same estimate that cannot be exceeded, where a measurement has shown that it is too low.
    """
    kept = margin(card, factors, peak)
    limits = [(card.memory or 0) - kept]
    if card.free is not None:
        limits.append(card.free - (kept - CONTEXT_BYTES))
    if most is not None:
        limits.append(most)
    return min(limits)
