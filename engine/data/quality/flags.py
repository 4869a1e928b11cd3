"""What the image check says of single images: the short form of the quality report, for lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.data.manifest import open_dataset
from engine.data.quality.background import background_check_status
from engine.data.quality.cache import CheckCache
from engine.data.quality.duplicates import near_links
from engine.data.quality.signature import BLANK_DEVIATION, TINY_SIDE, Signature
from engine.types import Case, Problem, Split
from engine.workspace import Workspace


class FlagKind(StrEnum):
    """What is the matter with an image, the gravest first."""

    UNREADABLE = "unreadable"
    CHANGED = "changed"
    """The file is missing, or is not the one that was imported."""
    CROSSES = "crosses splits"
    """An equal or near-duplicate image stands in another split."""
    BLANK = "blank"
    TINY = "tiny"


@dataclass(frozen=True, slots=True)
class ImageFlag:
    """What is the matter with one image."""

    kind: FlagKind
    """The gravest of them."""
    reason: str
    """All of them in words; untrusted text, because it names other images."""


@dataclass(frozen=True, slots=True)
class ImageFlags:
    """What the check says of the images of a dataset."""

    by_path: Mapping[str, ImageFlag]
    """Only images with which something is the matter."""
    crossing_pairs: int
    """Pairs of equal or near-duplicate images in different splits."""

    def count(self, kind: FlagKind) -> int:
        """Images whose gravest fault is this one."""
        return sum(flag.kind is kind for flag in self.by_path.values())


@dataclass(slots=True)
class _Twins:
    """Images of other splits that show the same picture as one image."""

    count: int
    path: str
    """The most similar of them."""
    split: Split
    similarity: float
    exact: bool

    def describe(self) -> str:
        more = f" and {self.count - 1:,} more" if self.count > 1 else ""
        if self.exact:
            return f"equal to {self.path} in {self.split}{more}"
        return f"near-duplicate of {self.path} in {self.split}, similarity {self.similarity:.2f}{more}"


def image_flags(workspace: Workspace, name: str) -> ImageFlags:
    """What is known to be the matter with the images of a dataset, as far as they have been checked.

    Equal images are found without a check. The search for near-duplicates is kept beside the manifest, so that only the
    first call after a check takes a few seconds.

    Raises:
        DataError: there is no such dataset, or its files are damaged.
    """
    dataset = open_dataset(workspace, name)
    signatures = CheckCache(dataset.folder).read()
    problems = background_check_status(workspace, name).problems
    return flag_images(dataset.folder, dataset.cases(), signatures, problems)


def flag_images(
    folder: Path, cases: Sequence[Case], signatures: Mapping[str, Signature], problems: Sequence[Problem] = ()
) -> ImageFlags:
    """As `image_flags`.

    Args:
        folder: of the dataset.
        cases: all of them.
        signatures: by content hash.
        problems: files that are missing or differ from the import.
    """
    twins, pairs = _twins(folder, cases, signatures)
    changed = {problem.item: problem.reason for problem in problems}
    flags = {}
    for case in cases:
        found = list(_faults(case, signatures.get(case.sha256), changed))
        if case.path in twins:
            found.append((FlagKind.CROSSES, twins[case.path].describe()))
        if found:
            found.sort(key=lambda each: list(FlagKind).index(each[0]))
            flags[case.path] = ImageFlag(found[0][0], "; ".join(reason for _, reason in found))
    return ImageFlags(flags, pairs)


def _faults(case: Case, signature: Signature | None, changed: Mapping[str, str]) -> Iterator[tuple[FlagKind, str]]:
    if case.path in changed:
        yield FlagKind.CHANGED, changed[case.path]
    if signature is None:
        return
    if signature.fault is not None:
        yield FlagKind.UNREADABLE, signature.fault
    if signature.blank:
        yield FlagKind.BLANK, f"blank: grey levels vary by less than {BLANK_DEVIATION:g} of 256"
    if signature.tiny:
        yield FlagKind.TINY, f"tiny: smaller than {TINY_SIDE} pixels on a side"


def _twins(folder: Path, cases: Sequence[Case], signatures: Mapping[str, Signature]) -> tuple[dict[str, _Twins], int]:
    """For every image that has any its twins in other splits, and the number of pairs."""
    contents: dict[str, dict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in sorted(cases, key=lambda case: case.path):
        contents[case.sha256][case.split].append(case.path)
    found: dict[str, _Twins] = {}
    pairs = 0
    for splits in contents.values():
        if len(splits) > 1:
            pairs += _meet(found, splits, splits, 1.0, exact=True)
    pairs //= 2  # each was met from both ends
    for first, second, _, similarity in near_links(folder, cases, signatures):
        pairs += _meet(found, contents[first], contents[second], similarity, exact=False)
        _meet(found, contents[second], contents[first], similarity, exact=False)
    return found, pairs


def _meet(
    found: dict[str, _Twins],
    ours: Mapping[Split, Sequence[str]],
    theirs: Mapping[Split, Sequence[str]],
    similarity: float,
    *,
    exact: bool,
) -> int:
    """Enter images of other splits as twins of ours; return the number of pairs. Never looks at all pairs of copies."""
    pairs = 0
    for split, paths in ours.items():
        for other, twins in theirs.items():
            if other == split:
                continue
            pairs += len(paths) * len(twins)
            for path in paths:
                new = _Twins(len(twins), twins[0], other, similarity, exact)
                old = found.get(path)
                if old is not None:
                    new.count += old.count
                if old is not None and (old.exact, old.similarity) >= (exact, similarity):
                    old.count = new.count
                else:
                    found[path] = new
    return pairs
