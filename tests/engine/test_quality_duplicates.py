from __future__ import annotations

import random
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from quality_helpers import COPIES, captioned, dataset_of, encoded, noisy, phantom, shifted, signed

from engine.data.manifest import open_dataset
from engine.data.quality import duplicates, groups, similarity
from engine.data.quality.background import check_images
from engine.data.quality.cache import CheckCache
from engine.data.quality.duplicates import near_duplicates
from engine.data.quality.groups import group_pairs
from engine.data.quality.signature import Signature
from engine.data.quality.similarity import MAX_DISTANCE, MIN_SIMILARITY, find_matches
from engine.types import Split

PHANTOMS = 500


@lru_cache(maxsize=1)
def phantoms() -> list[Signature]:
    """500 different ones, six views in turn."""
    return [signed(phantom(seed)) for seed in range(PHANTOMS)]


def test_different_phantoms_are_no_near_duplicates():
    assert find_matches(phantoms()) == []


def test_different_phantoms_of_one_view_are_no_near_duplicates():
    assert find_matches([signed(phantom(seed, view="Abdomen")) for seed in range(10_000, 10_150)]) == []


@pytest.mark.parametrize("way", COPIES)
def test_copies_are_found(way):
    # Every fortieth phantom has its copy at the end of the list.
    originals = range(0, PHANTOMS, 40)
    planted = [signed(COPIES[way](phantom(seed))) for seed in originals]
    found = find_matches([*phantoms(), *planted])
    assert {(match.first, match.second) for match in found} == {
        (seed, PHANTOMS + place) for place, seed in enumerate(originals)
    }
    assert all(match.distance <= MAX_DISTANCE and MIN_SIMILARITY <= match.similarity <= 1 for match in found)


def test_the_hash_alone_would_not_do():
    hashes = np.array([each.phash for each in phantoms()], np.uint64)
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= 10
    assert np.triu(near, 1).sum() > 50, "different phantoms whose hashes are near"


def exhaustive(signatures: list[Signature]) -> list[tuple[int, int, int, float]]:
    """Every pair looked at on its own, every shift tried by moving the pixels' spectrum: slow and plain."""
    from scipy.ndimage import fourier_shift, gaussian_filter

    def detail(signature):
        grey = np.frombuffer(signature.thumbnail, np.uint8).reshape(32, 32).astype(float)
        rest = grey - gaussian_filter(grey, 3.0)
        rest /= np.sqrt(gaussian_filter(rest**2, 3.0)) + 8.0
        rest -= rest.mean()
        return rest / np.linalg.norm(rest)

    details, found = [detail(each) for each in signatures], []
    for first in range(len(signatures)):
        for second in range(first + 1, len(signatures)):
            distance = (signatures[first].phash ^ signatures[second].phash).bit_count()
            spectrum = np.fft.fft2(details[second])
            best = max(
                float((details[first] * np.fft.ifft2(fourier_shift(spectrum, (down / 2, right / 2))).real).sum())
                for down in range(-4, 5)
                for right in range(-4, 5)
            )
            if distance <= MAX_DISTANCE and best >= MIN_SIMILARITY:
                found.append((first, second, distance, best))
    return found


def test_the_fast_search_finds_what_comparing_every_pair_finds():
    pictures = [phantom(seed) for seed in range(8)]
    copies = [shifted(pictures[0], 1, 0), noisy(pictures[1], 40), captioned(pictures[2]), pictures[3].rotate(2)]
    signatures = [signed(image) for image in (*pictures, *copies)]
    expected = exhaustive(signatures)
    found = find_matches(signatures)
    assert len(expected) >= 4
    assert [tuple(match[:3]) for match in found] == [pair[:3] for pair in expected]
    assert [match.similarity for match in found] == pytest.approx([pair[3] for pair in expected], abs=2e-3)


@pytest.mark.parametrize("block", [1, 7, 64])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, block):
    signatures = [*phantoms()[:60], *(signed(COPIES["noisy"](phantom(seed))) for seed in range(0, 60, 5))]
    expected = find_matches(signatures)
    assert len(expected) == 12
    monkeypatch.setattr(similarity, "BLOCK", block)
    monkeypatch.setattr(similarity, "PAIRS", 5)
    seen = []
    assert find_matches(signatures, lambda done, total: seen.append((done, total))) == expected
    assert seen == sorted(seen)
    assert seen[-1] == (72 * 71 // 2, 72 * 71 // 2)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_have_no_pairs(count):
    assert find_matches(phantoms()[:count]) == []


# ----- groups


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=40), st.randoms())
def test_groups_are_the_connected_parts_whatever_the_order(numbers, shuffler):
    pairs = [(f"{a:02}", f"{b:02}") for a, b in numbers]
    found = group_pairs(pairs)
    parent = {name: name for pair in pairs for name in pair}

    def root(name):
        while parent[name] != name:
            name = parent[name]
        return name

    for a, b in pairs:
        parent[root(a)] = root(b)
    expected: dict[str, set[str]] = {}
    for name in parent:
        expected.setdefault(root(name), set()).add(name)
    assert {frozenset(group) for group in found.groups} == {
        frozenset(members) for members in expected.values() if len(members) > 1
    }
    assert (found.chains, found.cut_pairs) == ((), 0)
    mixed = [pair[::-1] if shuffler.random() < 0.5 else pair for pair in pairs]
    shuffler.shuffle(mixed)
    assert group_pairs(mixed) == found


def test_a_chain_of_thousands_is_cut_into_neighbourhoods_and_reported():
    names = [f"{number:05}" for number in range(3000)]
    chain = list(pairwise(names))
    found = group_pairs([*chain, ("x", "y")])
    assert found.chains == (3000,)
    assert max(len(group) for group in found.groups) == 3
    assert ("x", "y") in found.groups
    assert found.cut_pairs == sum(1 for a, b in chain if not any(a in group and b in group for group in found.groups))
    assert group_pairs([*random.Random(2).sample(chain, len(chain)), ("y", "x")]) == found


def test_within_a_star_everything_resembles_the_middle(monkeypatch):
    monkeypatch.setattr(groups, "LARGEST_CHAIN", 4)
    draw = random.Random(5)
    names = [f"{number:02}" for number in range(40)]
    pairs = [(a, b) for a in names for b in names if a < b and draw.random() < 0.12]
    linked = {frozenset(pair) for pair in pairs}
    found = group_pairs(pairs)
    assert found.chains
    for group in found.groups:
        assert any(all(other == middle or frozenset((middle, other)) in linked for other in group) for middle in group)


# ----- in a dataset


@pytest.fixture
def planted(tmp_path):
    """90 phantoms of three views; twelve have copies under other names, one is there twice byte for byte."""
    pictures = {f"View{seed % 3}/{seed:03}.png": encoded(phantom(seed)) for seed in range(90)}
    pairs = {}
    for seed, (way, make) in zip(range(0, 90, 7), [*COPIES.items(), *list(COPIES.items())[:3]], strict=False):
        suffix = "jpg" if way == "encoded anew" else "png"
        path = f"View{(seed + 1) % 3}/copy_{seed:03}.{suffix}"
        pictures[path] = make(phantom(seed))
        pairs[frozenset((f"View{seed % 3}/{seed:03}.png", path))] = way
    pictures["View2/same.png"] = pictures["View1/001.png"]
    pictures["View0/tiny.png"] = encoded(phantom(0).resize((40, 40)))
    pictures["View0/blank_a.png"] = encoded(Image.new("L", (80, 80), 3))
    pictures["View0/blank_b.png"] = encoded(Image.new("L", (90, 90), 3))
    workspace = dataset_of(tmp_path, pictures)
    check_images(workspace, "fetal")
    return workspace, pairs


def search(workspace, progress=None):
    dataset = open_dataset(workspace, "fetal")
    return near_duplicates(dataset.folder, dataset.cases(), CheckCache(dataset.folder).read(), progress)


def test_planted_copies_are_found_across_splits_and_nothing_else(planted):
    workspace, pairs = planted
    found = search(workspace)
    splits = {case.path: case.split for case in open_dataset(workspace, "fetal").cases()}
    assert {frozenset((pair.path_a, pair.path_b)) for pair in found.pairs} == set(pairs)
    crossing = [pair for pair in pairs if len({splits[path] for path in pair}) > 1]
    assert crossing, "the split of single images tears some apart"
    assert found.near_crossing == len(crossing)
    assert all(pair.crosses for pair in found.pairs[: len(crossing)]), "those that cross come first"
    assert all((splits[pair.path_a], splits[pair.path_b]) == (pair.split_a, pair.split_b) for pair in found.pairs)
    assert (found.exact, found.exact_crossing) == (1, 0)
    assert [(pair.path_a, pair.path_b, pair.similarity) for pair in found.exact_pairs] == [
        ("View1/001.png", "View2/same.png", 1.0)
    ]
    assert found.left_out == 3, "one tiny and two blank ones resemble nothing"
    assert {frozenset(group) for group in found.groups} == {*pairs, frozenset(("View1/001.png", "View2/same.png"))}


def test_the_search_is_kept_until_the_images_or_the_bounds_change(planted, monkeypatch):
    workspace, _ = planted
    searches = []
    real = duplicates.find_matches
    monkeypatch.setattr(duplicates, "find_matches", lambda *words: searches.append(1) or real(*words))
    (workspace.dataset("fetal") / "near_duplicates.arrow").unlink()  # the check has searched already
    first = search(workspace)
    assert search(workspace) == first
    assert len(searches) == 1
    monkeypatch.setattr(duplicates, "MIN_SIMILARITY", 0.95)
    search(workspace)
    assert len(searches) == 2
    (workspace.dataset("fetal") / "near_duplicates.arrow").write_bytes(b"junk")
    assert search(workspace) == first
    assert len(searches) == 3


def test_equal_files_in_different_splits_are_counted_and_not_all_pairs_of_many_listed(tmp_path):
    from dataclasses import replace

    workspace = dataset_of(tmp_path, {f"Femur/{number:03}.png": encoded(phantom(1)) for number in range(30)})
    dataset = open_dataset(workspace, "fetal")
    cases = [
        replace(case, split=Split.TEST if place == 5 else Split.TRAIN) for place, case in enumerate(dataset.cases())
    ]
    found = near_duplicates(dataset.folder, cases, {})
    assert found.exact == 29
    assert found.exact_crossing == 29
    assert len(found.exact_pairs) == 29 + 28
    assert found.exact_pairs[0].crosses
    assert (found.compared, found.left_out) == (0, 1)
