"""Groups of images that must share a split. What the split does without groups is in test_data_split.py."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.apportion import apportion
from engine.data.split import SplitKey, rank, stratified_split
from engine.types import Split

SHARES = st.sampled_from([(0.8, 0.1, 0.1), (0.7, 0.2, 0.1), (0.5, 0.25, 0.25), (0.8, 0.2, 0.0), (1.0, 0.0, 0.0)])

sizes = st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("xy"), st.integers(1, 9)), min_size=1, max_size=40)
"""(view, label, images) of groups that lie within one stratum; a group of one image is an image that stands alone."""


def keys_of(groups: list[tuple[str, str, int]]) -> list[SplitKey]:
    return [
        SplitKey(f"{place}-{number}", view, label, f"group {place}" if count > 1 else "")
        for place, (view, label, count) in enumerate(groups)
        for number in range(count)
    ]


def before_groups_existed(keys: list[SplitKey], seed: int, shares: tuple[float, float, float]) -> list[Split]:
    """The split as it was when fingerprints were first recorded."""
    home: dict[str, tuple[str, str]] = {}
    for key in keys:
        home[key.identity] = min(home.get(key.identity, (key.view, key.label)), (key.view, key.label))
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identity, stratum in home.items():
        strata[stratum].append(identity)
    chosen: dict[str, Split] = {}
    for stratum, identities in strata.items():
        order = sorted(range(3), key=lambda place: rank("tie", seed, *stratum, place))
        counts = apportion(
            [shares[place] for place in order], len(identities), minimum=1 if len(identities) >= 3 else 0
        )
        line = [list(Split)[place] for place, count in sorted(zip(order, counts, strict=True)) for _ in range(count)]
        chosen.update(zip(sorted(identities, key=lambda each: rank("split", seed, each)), line, strict=True))
    return [chosen[key.identity] for key in keys]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("AB"), st.sampled_from("xyz")), min_size=1, max_size=80),
    st.integers(0, 5),
    SHARES,
)
def test_without_groups_nothing_is_different_from_what_it_was(images, seed, shares):
    keys = [SplitKey(f"hash{number}", view, label) for number, view, label in images]
    assert stratified_split(keys, seed, shares) == before_groups_existed(keys, seed, shares)
    alone = [replace(key, group=key.identity) for key in keys]
    assert stratified_split(alone, seed, shares) == before_groups_existed(keys, seed, shares)


@settings(max_examples=150, deadline=None)
@given(sizes, st.integers(0, 5), SHARES)
def test_no_group_is_torn_apart_and_a_share_of_zero_stays_empty(groups, seed, shares):
    keys = keys_of(groups)
    splits = stratified_split(keys, seed, shares)
    where: dict[str, set[Split]] = defaultdict(set)
    for key, split in zip(keys, splits, strict=True):
        where[key.group or key.identity].add(split)
    assert all(len(found) == 1 for found in where.values())
    assert all(split not in splits for split, share in zip(Split, shares, strict=True) if not share)


@settings(max_examples=200, deadline=None)
@given(sizes, st.integers(0, 5), SHARES)
def test_each_stratum_misses_its_numbers_by_no_more_than_its_largest_group(groups, seed, shares):
    keys = keys_of(groups)
    counts = Counter(
        (key.view, key.label, split) for key, split in zip(keys, stratified_split(keys, seed, shares), strict=True)
    )
    singles = [replace(key, group="") for key in keys]
    wanted = Counter(
        (key.view, key.label, split) for key, split in zip(keys, stratified_split(singles, seed, shares), strict=True)
    )
    largest: Counter[tuple[str, str]] = Counter()
    for view, label, count in groups:
        largest[view, label] = max(largest[view, label], count)
    for view, label in largest:
        for split in Split:
            off = counts[view, label, split] - wanted[view, label, split]
            assert abs(off) <= largest[view, label], (view, label, split, off)
        if largest[view, label] == 1:
            assert all(counts[view, label, split] == wanted[view, label, split] for split in Split)


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(0, 5), st.randoms())
def test_neither_the_order_nor_the_names_of_groups_matter(groups, seed, shuffler):
    keys = keys_of(groups)
    by_identity = dict(zip((key.identity for key in keys), stratified_split(keys, seed), strict=True))
    renamed = [replace(key, group=key.group and f"other {key.group[::-1]}") for key in keys]
    shuffler.shuffle(renamed)
    again = dict(zip((key.identity for key in renamed), stratified_split(renamed, seed), strict=True))
    assert again == by_identity


def test_groups_go_into_every_split_and_not_only_into_the_largest():
    keys = keys_of([("A", "x", 5)] * 100)
    counts = Counter(stratified_split(keys, 0))
    assert [counts[split] for split in Split] == [400, 50, 50]


def test_images_that_stand_alone_make_up_for_what_groups_leave_open():
    keys = keys_of([("A", "x", 7)] * 9 + [("A", "x", 1)] * 37)
    counts = Counter(stratified_split(keys, 3))
    assert [counts[split] for split in Split] == [80, 10, 10]


def test_a_rare_label_keeps_its_share_where_groups_mix_labels():
    groups = [[("A", "normal")] * 3 + [("A", "abnormal")]] * 50
    keys = [
        SplitKey(f"{place}-{number}", view, label, f"g{place}")
        for place, group in enumerate(groups)
        for number, (view, label) in enumerate(group)
    ]
    counts = Counter((key.label, split) for key, split in zip(keys, stratified_split(keys, 0), strict=True))
    assert [counts["abnormal", split] for split in Split] == [40, 5, 5]
    assert [counts["normal", split] for split in Split] == [120, 15, 15]


def test_a_group_across_views_stays_whole():
    keys = [SplitKey("a", "NT-View", "normal", "g"), SplitKey("b", "Standard_NT", "normal", "g")]
    keys += [SplitKey(f"x{number}", "NT-View", "normal") for number in range(30)]
    splits = stratified_split(keys, 0)
    assert splits[0] == splits[1]
    views = Counter((key.view, split) for key, split in zip(keys, splits, strict=True))
    assert [views["NT-View", split] for split in Split] == [25, 3, 3]


def test_groups_that_share_an_image_are_one_group():
    # The same bytes under two names, each with near-duplicates of its own.
    keys = [SplitKey(identity, "A", "x", group) for identity, group in zip("abbccd", "112233", strict=True)]
    keys += [SplitKey(f"x{number}", "A", "x") for number in range(40)]
    for seed in range(20):
        assert len(set(stratified_split(keys, seed)[:6])) == 1
