"""The stratified split into train, validation and test."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

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


def rank(*parts: object) -> str:
    """A pseudo-random rank that depends on nothing but `parts`: not on input order, nor on a library's generator."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).hexdigest()


def stratified_split(
    keys: Sequence[SplitKey], seed: int, shares: tuple[float, float, float] = DEFAULT_SHARES
) -> list[Split]:
    """Give every key its split, stratified by view and label.

    Each stratum is ordered by a hash of seed and identity and cut in proportion to `shares` (largest remainder); with
    three or more members it appears in every split of positive share. The order of `keys` doesn't matter.

    Returns:
        One split a key, in the order of `keys`.
    """
    home: dict[str, tuple[str, str]] = {}
    for key in keys:
        home[key.identity] = min(home.get(key.identity, (key.view, key.label)), (key.view, key.label))
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identity, stratum in home.items():
        strata[stratum].append(identity)
    chosen: dict[str, Split] = {}
    for stratum, identities in strata.items():
        chosen.update(_cut(identities, stratum, seed, shares))
    return [chosen[key.identity] for key in keys]


def _cut(
    identities: Sequence[str], stratum: tuple[str, str], seed: int, shares: tuple[float, float, float]
) -> dict[str, Split]:
    # Equal remainders are common (validation and test have the same share), so the stratum's own hash decides them:
    # a fixed preference would feed one of the two from every small stratum.
    order = sorted(range(3), key=lambda place: rank("tie", seed, *stratum, place))
    counts = apportion([shares[place] for place in order], len(identities), minimum=1 if len(identities) >= 3 else 0)
    splits = list(Split)
    line = [splits[place] for place, count in sorted(zip(order, counts, strict=True)) for _ in range(count)]
    ordered = sorted(identities, key=lambda identity: rank("split", seed, identity))
    return dict(zip(ordered, line, strict=True))
