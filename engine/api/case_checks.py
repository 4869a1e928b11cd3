"""What the image check of a dataset has found about one image: faults, and other images that show the same picture.

Nothing is searched here: only what the last check has left on disk is read, and kept in mind until it changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.browsing import Source, reading, recorded_dataset
from engine.types import Split

if TYPE_CHECKING:
    from engine.data.quality.signature import Signature

MOST_TWINS = 20


@dataclass(frozen=True, slots=True)
class Twin:
    """Another image of the dataset that shows the same picture."""

    path: str
    """Untrusted text."""
    split: Split | None
    similarity: float
    """Correlation of the two pictures; 1 for equal bytes."""
    exact: bool
    """Whether their bytes are equal."""


@dataclass(frozen=True, slots=True)
class CaseQuality:
    """What is known about the picture of one case."""

    twins: tuple[Twin, ...]
    """Those with equal bytes first, then the most similar; at most `MOST_TWINS`."""
    problems: tuple[str, ...]
    """Sentences; empty where nothing is known to be wrong."""
    checked: bool
    """Whether the image check has looked at this content: without it, near-duplicates are not known."""


def case_quality(source: Source, dataset: str, path: str) -> CaseQuality:
    """What is known about the picture of one image; the first call after a check reads its results.

    Raises:
        DataError: there is no such dataset.
    """
    with reading(source) as reader:
        record = recorded_dataset(reader, dataset)
        number = reader.image_id(record.name, path)
        found = None if number is None else reader.image(number)
        sha256 = None if found is None else found[1].sha256
        if sha256 is None:
            return CaseQuality((), (), checked=False)
        folder = reader.workspace.datasets / record.name
        problems = _problems(folder, sha256)
        same = [_twin(row, 1.0, exact=True) for row in reader.images_of_content(record.name, (sha256,))]
        near = _near(folder, sha256)
        others = [_twin(row, near[row[2]], exact=False) for row in reader.images_of_content(record.name, tuple(near))]
    twins = [twin for twin in same if twin.path != path] + sorted(
        others, key=lambda twin: (-twin.similarity, twin.path)
    )
    return CaseQuality(tuple(twins[:MOST_TWINS]), problems or (), checked=problems is not None)


def _twin(row: tuple[str, str | None, str], similarity: float, *, exact: bool) -> Twin:
    return Twin(row[0], None if row[1] is None else Split(row[1]), similarity, exact)


def _problems(folder: Path, sha256: str) -> tuple[str, ...] | None:
    """What the check says of a content; None where it has not looked at it."""
    from engine.data.quality.cache import CACHE

    file = folder / CACHE
    return _checked(file, _stamp(file)).get(sha256)


def _near(folder: Path, sha256: str) -> dict[str, float]:
    from engine.data.quality.duplicates import MATCHES

    file = folder / MATCHES
    return dict(_links(file, _stamp(file)).get(sha256, ()))


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0  # not there: then nothing is known


@lru_cache(maxsize=2)
def _checked(file: Path, stamp: int) -> dict[str, tuple[str, ...]]:
    """Problems by content hash, for every content that was looked at."""
    if not stamp:
        return {}
    from engine.data.quality.cache import CheckCache

    return {sha256: tuple(_words(each)) for sha256, each in CheckCache(file.parent).read().items()}


def _words(signature: Signature) -> Iterable[str]:
    if signature.fault is not None:
        yield f"It cannot be decoded: {signature.fault}"
    if signature.tiny:
        yield f"It is tiny: {signature.width}×{signature.height} pixels."
    if signature.blank:
        yield "It is blank: one grey level and nothing else."


@lru_cache(maxsize=2)
def _links(file: Path, stamp: int) -> dict[str, list[tuple[str, float]]]:
    """Near-duplicates by content hash, as the last search of the check found them."""
    if not stamp:
        return {}
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_file(source) as stream:
            columns = stream.read_all().to_pydict()
        rows = list(zip(columns["a"], columns["b"], columns["similarity"], strict=True))
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return {}  # half written, or of another version: as good as not searched
    links: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for first, second, similarity in rows:
        links[first].append((second, similarity))
        links[second].append((first, similarity))
    return links
