"""Samples that look like the whole: `limit` never means "the first rows"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from engine.data.apportion import apportion
from engine.data.labels import case_label
from engine.data.split import rank
from engine.types import Case

Stratum = tuple[str, str]


def stratified_sample(cases: Sequence[Case], limit: int, seed: int) -> list[Case]:
    """Draw `limit` cases that keep the proportions of views and of Q7 labels.

    Both margins are kept (largest remainder), with at least one case of each view and each label where `limit`
    reaches: rounding every stratum on its own would lose a 3 % label altogether.

    Returns:
        The sample in an order shuffled by `seed`; all cases in their own order when `limit` is 0 or not below their
        number.
    """
    if limit <= 0 or limit >= len(cases):
        return list(cases)
    strata: dict[Stratum, list[Case]] = defaultdict(list)
    for case in cases:
        strata[case.view, case_label(case.answers)].append(case)
    counts = _stratum_counts({stratum: len(members) for stratum, members in strata.items()}, limit)
    drawn = [
        case
        for stratum, count in counts.items()
        for case in sorted(strata[stratum], key=lambda case: rank("sample", seed, case.path))[:count]
    ]
    return sorted(drawn, key=lambda case: rank("order", seed, case.path))


def _stratum_counts(sizes: Mapping[Stratum, int], limit: int) -> dict[Stratum, int]:
    """How many to draw from each stratum.

    View totals are met exactly, label totals as far as the views allow: labels are placed from the rarest on, so that
    rounding hits the common ones, and each view takes at once what only this label can still give it.
    """
    by_view, by_label = _margin(sizes, 0), _margin(sizes, 1)
    views, labels = sorted(by_view), sorted(by_label, key=lambda label: (by_label[label], label))
    left = dict(zip(views, apportion([by_view[view] for view in views], limit, minimum=1), strict=True))
    later = dict(by_view)  # what the labels still to come hold
    counts: dict[Stratum, int] = {}
    for label, wanted in zip(labels, apportion([by_label[label] for label in labels], limit, minimum=1), strict=True):
        members = {view: sizes.get((view, label), 0) for view in views}
        later = {view: later[view] - members[view] for view in views}
        forced = {view: max(0, left[view] - later[view]) for view in views}
        room = [min(members[view], left[view]) - forced[view] for view in views]
        rest = [members[view] - forced[view] for view in views]
        for view, extra in zip(views, apportion(rest, max(0, wanted - sum(forced.values())), caps=room), strict=True):
            counts[view, label] = forced[view] + extra
            left[view] -= counts[view, label]
    return {stratum: count for stratum, count in counts.items() if count}


def _margin(sizes: Mapping[Stratum, int], axis: int) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for stratum, size in sizes.items():
        totals[stratum[axis]] += size
    return dict(totals)
