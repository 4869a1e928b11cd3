"""Whole shares of a whole number: the largest-remainder method, used by splits, samples and phantom counts."""

from __future__ import annotations

from collections.abc import Sequence


def apportion(
    weights: Sequence[float], total: int, *, caps: Sequence[int] | None = None, minimum: int = 0
) -> list[int]:
    """Divide `total` in proportion to `weights` by largest remainder.

    Args:
        weights: not negative; a weight of 0 gets nothing.
        total: what to divide; when the caps allow less than that, the caps are returned.
        caps: the most each place can take.
        minimum: what every place of positive weight gets at least, as far as `total` and its cap reach.

    Returns:
        One number a weight, in the same order. Ties go to the earlier place, so callers choose who wins by ordering.
    """
    limits = [total] * len(weights) if caps is None else list(caps)
    limits = [limit if weight > 0 else 0 for limit, weight in zip(limits, weights, strict=True)]
    left = min(total, sum(limits))
    given = [0] * len(weights)
    places = [place for place, limit in enumerate(limits) if limit > 0]
    while left and places:
        whole = sum(weights[place] for place in places)
        full = [place for place in places if left * weights[place] >= limits[place] * whole]
        if not full:
            for place, share in zip(places, _round_shares([weights[place] for place in places], left), strict=True):
                given[place] = share
            break
        # What these cannot take is divided again among the others.
        for place in full:
            given[place] = limits[place]
        left -= sum(limits[place] for place in full)
        places = [place for place in places if place not in full]
    _raise_to_minimum(given, limits, minimum)
    return given


def _round_shares(weights: Sequence[float], total: int) -> list[int]:
    whole = sum(weights)
    quotas = [total * weight / whole for weight in weights]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(weights)), key=lambda place: (round(shares[place] - quotas[place], 9), place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def _raise_to_minimum(given: list[int], limits: Sequence[int], minimum: int) -> None:
    for place, limit in enumerate(limits):
        while given[place] < min(minimum, limit):
            richest = max(range(len(given)), key=lambda other: (given[other], -other))
            if given[richest] <= minimum:
                return  # nothing to spare: the total is too small for everybody's minimum
            given[richest] -= 1
            given[place] += 1
