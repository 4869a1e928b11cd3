"""Every image of a dataset decoded once, in a pool of processes; what is known already is not looked at again."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.manifest import Dataset
from engine.data.paths import storable
from engine.data.pool import run_in_processes
from engine.data.quality.cache import CheckCache
from engine.data.quality.signature import Signature, sign_image
from engine.errors import DataError
from engine.types import Problem

Progress = Callable[[int, int], None]
"""Called with (images whose content is known, images)."""

CHUNK = 8
"""Images a process takes at a time: few, because who interrupts the check waits for them."""
KEEP_EVERY = 256
"""Images after which results are written down."""
WORTH_A_POOL = 128
"""Images below which starting processes takes longer than it saves."""

Job = tuple[str, list[tuple[str, str]]]
"""Image root, and (path, hash) of some images."""
Looked = list[tuple[str, "Signature | str"]]
"""What became of them: path and signature, or why the file is not the one that was imported."""


@dataclass(slots=True)
class CheckOutcome:
    """What a check did."""

    images: int
    """Distinct images of the dataset."""
    decoded: int = 0
    """Those that were decoded now; the others were known."""
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    """Files that are missing or are not those of the import; content that cannot be decoded is in the cache."""
    read: set[str] = field(default_factory=set)
    """Paths that were read now, and held what they held at import."""

    @property
    def images_per_second(self) -> float:
        """Decoding speed; 0 where nothing was decoded."""
        return self.decoded / self.seconds if self.decoded and self.seconds > 0 else 0.0


def check_all(dataset: Dataset, progress: Progress | None = None, processes: int | None = None) -> CheckOutcome:
    """Decode every image whose content has not been checked yet, and keep the results.

    Args:
        processes: how many decode; None for one a core, or none at all for a few images. The outcome doesn't depend
            on it.

    Raises:
        DataError: the cases cannot be read, the results cannot be written, or a process died. What was found until
            then is kept, as it is when the caller interrupts.
    """
    cache = CheckCache(dataset.folder)
    paths: dict[str, list[str]] = defaultdict(list)
    for case in dataset.cases():
        paths[case.sha256].append(case.path)
    known = cache.read().keys() & paths.keys()
    outcome = CheckOutcome(len(paths))
    keeper = _Keeper(dataset, len(known), outcome, progress)
    started = time.perf_counter()
    try:
        # Several paths may hold one content: another is tried when a file is gone, or is no longer what it was.
        todo = [(names, sha256) for sha256, names in paths.items() if sha256 not in known]
        attempt = 0
        while todo:
            keeper.take([(names[attempt], sha256) for names, sha256 in todo], processes)
            attempt += 1
            todo = [(names, sha) for names, sha in todo if len(names) > attempt and sha not in keeper.found]
    finally:
        outcome.seconds = time.perf_counter() - started
        keeper.write()
    _write(lambda: cache.forget_others(paths.keys()), dataset.folder)
    outcome.problems.sort(key=lambda problem: problem.item)
    return outcome


class _Keeper:
    """Collects results, writes them down every few hundred, and tells how far the check is."""

    def __init__(self, dataset: Dataset, known: int, outcome: CheckOutcome, progress: Progress | None) -> None:
        self.found: set[str] = set()
        self._root = dataset.image_root
        self._folder = dataset.folder
        self._cache = CheckCache(dataset.folder)
        self._known = known
        self._outcome = outcome
        self._progress = progress
        self._unwritten: list[Signature] = []
        self._tell()

    def take(self, images: Sequence[tuple[str, str]], processes: int | None) -> None:
        """Look at images, given as (path, hash)."""
        workers = (os.cpu_count() or 1) if processes is None else processes
        if processes is None and len(images) < WORTH_A_POOL:
            workers = 1
        jobs = list(_jobs(self._root, images))
        # Closed at once when the caller interrupts: else the pool would live as long as the traceback.
        with closing(run_in_processes(look_at, jobs, min(workers, len(jobs)), "checks images")) as results:
            for looked in results:
                for path, result in looked:
                    self._add(path, result)
                if len(self._unwritten) >= KEEP_EVERY:
                    self.write()
                self._tell()

    def write(self) -> None:
        """Put what was found since the last time on disk."""
        if self._unwritten:
            _write(lambda: self._cache.append(self._unwritten), self._folder)
            self._unwritten = []

    def _add(self, path: str, result: Signature | str) -> None:
        if isinstance(result, str):
            self._outcome.problems.append(Problem("manifest", storable(path), result))
            return
        self._unwritten.append(result)
        self.found.add(result.sha256)
        self._outcome.read.add(path)
        self._outcome.decoded += 1

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._known + self._outcome.decoded, self._outcome.images)


def look_at(job: Job) -> Looked:
    """Decode some images; runs in a process of the pool."""
    root, images = job
    return [(path, sign_image(Path(root), path, sha256)) for path, sha256 in images]


def _jobs(root: Path, images: Sequence[tuple[str, str]]) -> Iterator[Job]:
    for start in range(0, len(images), CHUNK):
        yield str(root), list(images[start : start + CHUNK])


def _write(action: Callable[[], None], folder: Path) -> None:
    try:
        action()
    except OSError as error:
        raise DataError(
            "The results of the image check could not be written.",
            f"{error.filename or folder}: {error.strerror or error}",
            "Free some space, then check again; what was written before is kept.",
        ) from error
