"""The stratified split into train, validation and test."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine.data.apportion import apportion
from engine.types import Split

DEFAULT_SHARES = (0.8, 0.1, 0.1)
"""Train, validation and test."""


@dataclass(frozen=True, slots=True)
class SplitKey:
    """What the split knows of one image."""

    identity: str
    """Images with equal identity always share a split; importers pass the hash of the bytes, so that one picture
    under two names cannot stand in train and in test."""
    view: str
    label: str
    group: str = ""
    """Images of one group, such as near-duplicates, always share a split; empty for an image that stands alone."""


def rank(*parts: object) -> str:
    """A pseudo-random rank that depends on nothing but `parts`: not on input order, nor on a library's generator."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).hexdigest()


def stratified_split(
    keys: Sequence[SplitKey], seed: int, shares: tuple[float, float, float] = DEFAULT_SHARES
) -> list[Split]:
    """Give every key its split, stratified by view and label.

    Each stratum is ordered by a hash of seed and identity and cut in proportion to `shares` (largest remainder); with
    three or more members it appears in every split of positive share. The order of `keys` doesn't matter.

    Groups are placed before that, whole, the largest first, where they fill what is wanted least; the images that stand
    alone then make up the numbers. So a stratum misses its numbers by less than its largest group, and a stratum that
    is one group lies in one split. Without groups the outcome is the same as if there were no such thing.

    Returns:
        One split a key, in the order of `keys`.
    """
    home: dict[str, Stratum] = {}
    for key in keys:
        home[key.identity] = min(home.get(key.identity, (key.view, key.label)), (key.view, key.label))
    strata: dict[Stratum, list[str]] = defaultdict(list)
    for identity, stratum in home.items():
        strata[stratum].append(identity)
    wanted = {stratum: _counts(len(members), stratum, seed, shares) for stratum, members in strata.items()}
    chosen = _place_groups(
        _groups(keys), home, wanted, seed, [s for s, share in zip(Split, shares, strict=True) if share]
    )
    for stratum, identities in strata.items():
        placed = Counter(chosen[identity] for identity in identities if identity in chosen)
        alone = [identity for identity in identities if identity not in chosen]
        chosen.update(_cut(alone, stratum, seed, wanted[stratum], placed))
    return [chosen[key.identity] for key in keys]


Stratum = tuple[str, str]
"""View and label."""


def _order(stratum: Stratum, seed: int) -> list[Split]:
    # Equal remainders are common (validation and test have the same share), so the stratum's own hash decides them:
    # a fixed preference would feed one of the two from every small stratum.
    splits = list(Split)
    return [splits[place] for place in sorted(range(3), key=lambda place: rank("tie", seed, *stratum, place))]


def _counts(size: int, stratum: Stratum, seed: int, shares: tuple[float, float, float]) -> dict[Split, int]:
    """How many of a stratum's members each split should have."""
    order = _order(stratum, seed)
    share_of = dict(zip(Split, shares, strict=True))
    counts = apportion([share_of[split] for split in order], size, minimum=1 if size >= 3 else 0)
    return dict(zip(order, counts, strict=True))


def _cut(
    identities: Sequence[str], stratum: Stratum, seed: int, wanted: Mapping[Split, int], placed: Mapping[Split, int]
) -> dict[str, Split]:
    """Splits of a stratum's images that stand alone, so that they make up for what its groups have left open."""
    order = _order(stratum, seed)
    room = [max(0, wanted[split] - placed.get(split, 0)) for split in order]
    counts = dict(zip(order, apportion(room, len(identities), caps=room, minimum=1), strict=True))
    line = [split for split in Split for _ in range(counts[split])]
    ordered = sorted(identities, key=lambda identity: rank("split", seed, identity))
    return dict(zip(ordered, line, strict=True))


def _groups(keys: Sequence[SplitKey]) -> list[list[str]]:
    """Identities that belong together, sorted, two and more; groups that share an identity are one."""
    named: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        if key.group:
            named[key.group].add(key.identity)
    owner: dict[str, set[str]] = {}
    for members in named.values():
        whole = set(members)
        for identity in members:
            whole |= owner.get(identity, set())
        owner.update(dict.fromkeys(whole, whole))
    found = {min(whole): sorted(whole) for whole in owner.values() if len(whole) > 1}
    return list(found.values())


def _place_groups(
    groups: Sequence[Sequence[str]],
    home: Mapping[str, Stratum],
    wanted: Mapping[Stratum, Mapping[Split, int]],
    seed: int,
    possible: Collection[Split],
) -> dict[str, Split]:
    """Splits of all images that stand in groups; `possible` are those of positive share."""
    placed: dict[Stratum, Counter[Split]] = {stratum: Counter() for stratum in wanted}
    chosen: dict[str, Split] = {}
    for group in sorted(groups, key=lambda group: (-len(group), rank("group", seed, group[0]))):
        sizes = Counter(home[identity] for identity in group)
        order = [split for split in _order(home[group[0]], seed) if split in possible]
        split = min(order, key=partial(_cost, sizes, placed, wanted))
        for stratum, size in sizes.items():
            placed[stratum][split] += size
        chosen.update(dict.fromkeys(group, split))
    return chosen


def _cost(
    sizes: Mapping[Stratum, int],
    placed: Mapping[Stratum, Mapping[Split, int]],
    wanted: Mapping[Stratum, Mapping[Split, int]],
    split: Split,
) -> tuple[int, float]:
    """By how many images a split would be too full with a group of these sizes, then how full it would be in parts."""
    after = {stratum: placed[stratum].get(split, 0) + size for stratum, size in sizes.items()}
    over = sum(max(0, after[stratum] - wanted[stratum][split]) for stratum in sizes)
    full = sum(size * after[stratum] / max(wanted[stratum][split], 0.5) for stratum, size in sizes.items())
    return over, full
