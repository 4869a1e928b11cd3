from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.split import SplitKey, stratified_split
from engine.types import Split


def keys(sizes: dict[tuple[str, str], int]) -> list[SplitKey]:
    return [
        SplitKey(f"{view}-{label}-{number}", view, label)
        for (view, label), size in sizes.items()
        for number in range(size)
    ]


def test_every_stratum_is_cut_80_10_10():
    given_keys = keys({("Femur", "normal"): 100, ("Femur", "abnormal"): 20, ("Thorax", "normal"): 50})
    counts = Counter(
        (key.view, key.label, split) for key, split in zip(given_keys, stratified_split(given_keys, 0), strict=True)
    )
    for view, label, size in (("Femur", "normal", 100), ("Femur", "abnormal", 20), ("Thorax", "normal", 50)):
        assert [counts[view, label, split] for split in Split] == [size * 8 // 10, size // 10, size // 10]


def test_the_order_of_the_input_does_not_matter():
    given_keys = keys({("Femur", "normal"): 40, ("Femur", "abnormal"): 7})
    by_identity = dict(zip(given_keys, stratified_split(given_keys, 3), strict=True))
    shuffled = random.Random(1).sample(given_keys, len(given_keys))
    assert dict(zip(shuffled, stratified_split(shuffled, 3), strict=True)) == by_identity


def test_another_seed_gives_another_split():
    given_keys = keys({("Femur", "normal"): 40})
    assert stratified_split(given_keys, 1) != stratified_split(given_keys, 2)


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz")), st.integers(1, 30), min_size=1))
def test_three_members_are_enough_to_appear_in_every_split(sizes):
    given_keys = keys(sizes)
    seen = {stratum: set() for stratum in sizes}
    for key, split in zip(given_keys, stratified_split(given_keys, 5), strict=True):
        seen[key.view, key.label].add(split)
    assert all(seen[stratum] == set(Split) for stratum, size in sizes.items() if size >= 3)


def test_small_strata_feed_validation_and_test_alike():
    # 4 members leave one place that validation and test could both claim; a fixed preference would starve one.
    given_keys = keys({(f"View{number:03d}", "normal"): 14 for number in range(200)})
    counts = Counter(stratified_split(given_keys, 0))
    assert 0.8 < counts[Split.VALIDATION] / counts[Split.TEST] < 1.25


def test_images_with_equal_bytes_share_a_split():
    given_keys = [SplitKey(f"hash{number % 30}", "Femur", "normal") for number in range(60)]
    splits = stratified_split(given_keys, 0)
    assert splits[:30] == splits[30:]
    assert set(splits) == set(Split)


def test_shares_can_be_chosen():
    counts = Counter(stratified_split(keys({("Femur", "normal"): 100}), 0, (0.5, 0.2, 0.3)))
    assert [counts[split] for split in Split] == [50, 20, 30]


def test_a_share_of_zero_stays_empty():
    assert Split.TEST not in stratified_split(keys({("Femur", "normal"): 9}), 0, (0.8, 0.2, 0.0))
