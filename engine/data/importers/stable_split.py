"""A split that goes on from an earlier one: images that have a split keep it, new ones are dealt out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from engine.data.apportion import apportion
from engine.data.split import SplitKey, rank
from engine.types import Split


def continue_split(
    keys: Sequence[SplitKey], given: Sequence[Split | None], seed: int, shares: tuple[float, float, float]
) -> list[Split]:
    """Keep what is `given`, and deal out the rest so that each stratum comes as near to `shares` as it can.

    `stratified_split` orders a stratum by hash and cuts it: when the stratum grows by one mended row, the cuts move and
    images at the boundary change sides. An image that a model was trained on would then be tested on, and figures from
    before and after could not be compared for no reason that anybody sees. So nobody moves who has a place.

    A new image with the bytes of one that has a split joins it, whatever its stratum.

    Args:
        keys: as for `stratified_split`.
        given: the split of each key, None for a new one. Equal identities may have been given different splits (a
            user's own file does that); both stay, and the importer says so.

    Returns:
        One split a key, in the order of `keys`.
    """
    home: dict[str, Split] = {}
    for key, split in zip(keys, given, strict=True):
        if split is not None:
            home[key.identity] = min(home.get(key.identity, split), split, key=list(Split).index)
    have: dict[tuple[str, str], Counter[Split]] = defaultdict(Counter)
    for key, split in zip(keys, given, strict=True):
        if split is not None:
            have[key.view, key.label][split] += 1
    strata: dict[str, tuple[str, str]] = {}
    for key in keys:
        if key.identity not in home:
            stratum = (key.view, key.label)
            strata[key.identity] = min(strata.get(key.identity, stratum), stratum)
    new: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identity, stratum in strata.items():
        new[stratum].append(identity)
    for stratum, identities in new.items():
        home.update(_deal(identities, have[stratum], stratum, seed, shares))
    return [split or home[key.identity] for key, split in zip(keys, given, strict=True)]


def _deal(
    identities: Sequence[str],
    have: Counter[Split],
    stratum: tuple[str, str],
    seed: int,
    shares: tuple[float, float, float],
) -> dict[str, Split]:
    """Splits for the new members of one stratum, each going where most is missing."""
    total = have.total() + len(identities)
    # The order decides equal remainders, as in `stratified_split`: a fixed one would starve one split.
    order = sorted(range(3), key=lambda place: rank("tie", seed, *stratum, place))
    splits = [list(Split)[place] for place in order]
    wanted = apportion([shares[place] for place in order], total, minimum=1 if total >= 3 else 0)
    missing = [max(0, want - have[split]) for want, split in zip(wanted, splits, strict=True)]
    counts = apportion(missing, len(identities), caps=missing)
    line = [split for split, count in zip(splits, counts, strict=True) for _ in range(count)]
    ordered = sorted(identities, key=lambda identity: rank("split", seed, identity))
    return dict(zip(ordered, line, strict=True))
