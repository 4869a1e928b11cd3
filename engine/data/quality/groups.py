"""Pairs of near-duplicates joined to groups that must not be torn apart by a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LARGEST_CHAIN = 100
"""Images that may hang together through others. Every image of an examination resembles the next one, and through a few
in between any other: such chains end up holding thousands, and no split could keep them together in proportion."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Images that belong together."""

    groups: tuple[tuple[str, ...], ...]
    """Groups of two and more, each sorted, largest first."""
    chains: tuple[int, ...]
    """Sizes of the chains that were too long and were cut, largest first."""
    cut_pairs: int
    """Pairs whose two images stand in different groups because of that."""


def group_pairs(pairs: Iterable[tuple[str, str]]) -> Grouping:
    """Join pairs to groups: whatever hangs together, as long as it is no more than `LARGEST_CHAIN` images.

    A longer chain is cut into stars: the image with most near-duplicates and all of those, then the same with what is
    left. The outcome depends on the pairs alone, not on their order.
    """
    neighbours: dict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        if first != second:
            neighbours[first].add(second)
            neighbours[second].add(first)
    groups: list[tuple[str, ...]] = []
    chains: list[int] = []
    for members in _components(neighbours):
        if len(members) <= LARGEST_CHAIN:
            groups.append(tuple(sorted(members)))
        else:
            chains.append(len(members))
            groups += [star for star in _stars(members, neighbours) if len(star) > 1]
    group_of = {member: place for place, group in enumerate(groups) for member in group}
    torn = sum(
        1
        for first, others in neighbours.items()
        for second in others
        if first < second and (first not in group_of or group_of[first] != group_of.get(second))
    )
    groups.sort(key=lambda group: (-len(group), group))
    return Grouping(tuple(groups), tuple(sorted(chains, reverse=True)), torn)


def _components(neighbours: Mapping[str, set[str]]) -> list[set[str]]:
    seen: set[str] = set()
    found = []
    for start in neighbours:
        if start in seen:
            continue
        component, waiting = {start}, [start]
        while waiting:
            new = neighbours[waiting.pop()] - component
            component |= new
            waiting += new
        seen |= component
        found.append(component)
    return found


def _stars(members: Iterable[str], neighbours: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    by_degree: Sequence[str] = sorted(members, key=lambda member: (-len(neighbours[member]), member))
    taken: set[str] = set()
    stars = []
    for centre in by_degree:
        if centre not in taken:
            star = {centre} | (neighbours[centre] - taken)
            taken |= star
            stars.append(tuple(sorted(star)))
    return stars
