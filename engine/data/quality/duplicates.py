"""Exact and near duplicates of a dataset, the pairs that cross a split first."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from engine.data.quality.groups import Grouping, group_pairs
from engine.data.quality.signature import CHECK_VERSION, Signature
from engine.data.quality.similarity import MAX_DISTANCE, MAX_SHIFT, MIN_SIMILARITY, find_matches
from engine.types import Case, Split

MATCHES = "near_duplicates.arrow"
_KEY = b"sonotune.near_duplicates"
LISTED = 2000
"""Pairs that are listed: those that cross a split, then the most similar ones. All are counted."""

Progress = Callable[[int, int], None]
Link = tuple[str, str, int, float]
"""Two content hashes, the smaller first, with distance and similarity."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that show the same picture."""

    path_a: str
    path_b: str
    split_a: Split
    split_b: Split
    distance: int
    """Bits in which their perceptual hashes differ; 0 for equal bytes."""
    similarity: float
    """Correlation of their thumbnails at the best shift; 1 for equal bytes."""
    exact: bool = False
    """Whether their bytes are equal."""

    @property
    def crosses(self) -> bool:
        """Whether they stand in different splits."""
        return self.split_a != self.split_b


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Which images of a dataset show the same picture."""

    compared: int
    """Distinct images that were compared."""
    left_out: int
    """Distinct images that were not: not checked yet, undecodable, tiny or blank."""
    pairs: tuple[Pair, ...]
    """Near-duplicates that are not equal: crossing ones first, then by similarity. At most `LISTED`."""
    near: int
    """Number of all near-duplicate pairs of files."""
    near_crossing: int
    """Those of them that cross a split."""
    exact_pairs: tuple[Pair, ...]
    """Files with equal bytes, crossing ones first. At most `LISTED`."""
    exact: int
    """Number of files whose bytes another file before them has."""
    exact_crossing: int
    """Pairs of files with equal bytes that cross a split."""
    groups: tuple[tuple[str, ...], ...]
    """Paths that belong together, exact and near, largest group first."""
    chains: tuple[int, ...]
    """Sizes of chains of images that were too long for one group and were cut."""
    cut_pairs: int
    """Near-duplicate pairs that stand in different groups because of that."""


def near_duplicates(
    folder: Path, cases: Sequence[Case], signatures: Mapping[str, Signature], progress: Progress | None = None
) -> NearDuplicates:
    """Find near-duplicates among the cases whose signature is known; the search is kept beside the manifest.

    Args:
        folder: of the dataset.
        signatures: by content hash.
        progress: called with (pairs compared, pairs), unless the search of last time still holds.
    """
    paths: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: case.path):
        paths[case.sha256].append(case)
    usable = [signatures[sha256] for sha256 in sorted(paths) if _comparable(signatures.get(sha256))]
    links = _links(folder, usable, progress)
    grouping = group_pairs((first, second) for first, second, _, _ in links)
    near = [pair for link in links for pair in _near_pairs(link, paths)]
    near.sort(key=_order)
    exact = sorted((pair for members in paths.values() for pair in _exact_pairs(members)), key=_order)
    return NearDuplicates(
        compared=len(usable),
        left_out=len(paths) - len(usable),
        pairs=tuple(near[:LISTED]),
        near=len(near),
        near_crossing=sum(pair.crosses for pair in near),
        exact_pairs=tuple(exact[:LISTED]),
        exact=len(cases) - len(paths),
        exact_crossing=sum(pair.crosses for pair in exact),
        groups=_path_groups(grouping, paths),
        chains=grouping.chains,
        cut_pairs=grouping.cut_pairs,
    )


def content_groups(folder: Path, cases: Sequence[Case], signatures: Mapping[str, Signature]) -> dict[str, str]:
    """For every content hash that has near-duplicates the smallest hash of its group, by which a split keeps them."""
    links = near_links(folder, cases, signatures)
    return {member: group[0] for group in group_pairs((a, b) for a, b, _, _ in links).groups for member in group}


def near_links(folder: Path, cases: Sequence[Case], signatures: Mapping[str, Signature]) -> list[Link]:
    """All pairs of near-duplicate contents among the cases whose signature is known; see `near_duplicates`."""
    hashes = sorted({case.sha256 for case in cases})
    return _links(folder, [signatures[sha256] for sha256 in hashes if _comparable(signatures.get(sha256))], None)


def _comparable(signature: Signature | None) -> bool:
    # Tiny images hold less than the thumbnail that is compared, and all blank ones resemble each other.
    return signature is not None and signature.fault is None and not (signature.tiny or signature.blank)


def _order(pair: Pair) -> tuple[bool, float, int, str, str]:
    return not pair.crosses, -pair.similarity, pair.distance, pair.path_a, pair.path_b


def _near_pairs(link: Link, paths: Mapping[str, Sequence[Case]]) -> Iterator[Pair]:
    first, second, distance, similarity = link
    for a, b in product(paths[first], paths[second]):
        low, high = (a, b) if a.path < b.path else (b, a)
        yield Pair(low.path, high.path, low.split, high.split, distance, similarity)


def _exact_pairs(members: Sequence[Case]) -> Iterator[Pair]:
    """The first file with each other one, and every pair that crosses a split: not all pairs of a thousand copies."""
    for a, b in combinations(members, 2):
        if a is members[0] or a.split != b.split:
            yield Pair(a.path, b.path, a.split, b.split, 0, 1.0, exact=True)


def _path_groups(grouping: Grouping, paths: Mapping[str, Sequence[Case]]) -> tuple[tuple[str, ...], ...]:
    near = [[case.path for sha256 in group for case in paths[sha256]] for group in grouping.groups]
    grouped = {sha256 for group in grouping.groups for sha256 in group}
    same = [[case.path for case in members] for sha256, members in paths.items() if sha256 not in grouped]
    found = (tuple(sorted(group)) for group in (*near, *same) if len(group) > 1)
    return tuple(sorted(found, key=lambda group: (-len(group), group)))


def _links(folder: Path, usable: Sequence[Signature], progress: Progress | None) -> list[Link]:
    """Near-duplicate contents; from the file of last time where it was searched among the same ones."""
    key = _search_key(usable)
    kept = _read_links(folder / MATCHES, key)
    if kept is not None:
        return kept
    links = [
        (usable[match.first].sha256, usable[match.second].sha256, match.distance, match.similarity)
        for match in find_matches(usable, progress)
    ]
    _write_links(folder / MATCHES, key, links)
    return links


def _search_key(usable: Sequence[Signature]) -> bytes:
    digest = hashlib.sha256(repr((CHECK_VERSION, MAX_DISTANCE, MIN_SIMILARITY, MAX_SHIFT)).encode())
    for signature in usable:
        digest.update(signature.sha256.encode())
    return digest.hexdigest().encode()


def _read_links(file: Path, key: bytes) -> list[Link] | None:
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as reader:
            if (reader.schema.metadata or {}).get(_KEY) != key:
                return None
            columns = reader.read_all().to_pydict()
        return list(zip(*(columns[name] for name in ("a", "b", "distance", "similarity")), strict=True))
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None  # searched again: what is kept here only saves time


def _write_links(file: Path, key: bytes, links: Sequence[Link]) -> None:
    import pyarrow as pa

    columns = zip(*links, strict=True) if links else ((), (), (), ())
    types = (pa.string(), pa.string(), pa.int16(), pa.float64())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    table = pa.table(arrays, names=["a", "b", "distance", "similarity"]).replace_schema_metadata({_KEY: key})
    new = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with pa.OSFile(str(new), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)  # a full or read-only disk: the next look searches again
