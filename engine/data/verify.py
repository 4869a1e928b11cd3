"""Whether a dataset still is what was imported."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from engine.data.check import ImageFacts, check_image
from engine.data.fingerprint import dataset_fingerprint, split_fingerprint
from engine.data.images import load_image
from engine.data.manifest import Dataset
from engine.data.paths import storable
from engine.data.quality.cache import CheckCache
from engine.errors import DataError
from engine.types import Case, Problem

CHECK_THREADS = 2
MANIFEST_SOURCE = "manifest"
"""`Problem.source` of what is wrong with an image file."""


def verify_dataset(
    dataset: Dataset, progress: Callable[[int, int], None] | None = None, *, skip: Collection[str] = ()
) -> list[Problem]:
    """Read every image again and compare it, the answers and the split with the fingerprints of the import.

    An image is decoded only where the check of its content has not done so yet: equal bytes decode to the same.

    Args:
        progress: called with (images checked, images).
        skip: paths that have just been compared.

    Returns:
        What has changed since; empty when nothing has.

    Raises:
        DataError: the case file cannot be read at all.
    """
    cases = dataset.cases()
    problems = []
    if dataset_fingerprint(cases) != dataset.record.fingerprint:
        problems.append(Problem("cases.arrow", dataset.record.name, "images or answers differ from the fingerprint"))
    if split_fingerprint(cases) != dataset.record.split_fingerprint:
        problems.append(Problem("cases.arrow", dataset.record.name, "the split differs from its fingerprint"))
    known = {sha256: signature.fault for sha256, signature in CheckCache(dataset.folder).read().items()}
    left = [case for case in cases if case.path not in skip]
    pool = ThreadPoolExecutor(CHECK_THREADS)
    try:
        outcomes = pool.map(lambda case: _look(dataset, case, known), left)
        for done, (case, outcome) in enumerate(zip(left, outcomes, strict=True), 1 + len(cases) - len(left)):
            reason = _difference(case, outcome)
            if reason:
                problems.append(Problem(MANIFEST_SOURCE, storable(case.path), reason))
            if progress is not None:
                progress(done, len(cases))
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts this does not wait for all the other images
    return problems


def _look(dataset: Dataset, case: Case, known: dict[str, str | None]) -> ImageFacts | str:
    """Facts of one image, decoded as well: correct checksums do not make a picture of what they cover."""
    facts = check_image(dataset.image_root, case.path)
    if isinstance(facts, str):
        return facts
    if facts.sha256 in known:
        return known[facts.sha256] or facts
    try:
        load_image(case.file, root=dataset.image_root)
    except DataError as error:
        return f"cannot be decoded: {error.reason or error.title}"
    return facts


def _difference(case: Case, outcome: ImageFacts | str) -> str | None:
    if isinstance(outcome, str):
        return outcome
    return None if outcome.sha256 == case.sha256 else "the image's bytes have changed since the import"
