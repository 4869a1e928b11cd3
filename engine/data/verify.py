"""Whether a dataset still is what was imported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from engine.data.check import ImageFacts, check_image
from engine.data.fingerprint import dataset_fingerprint, split_fingerprint
from engine.data.images import load_image
from engine.data.manifest import Dataset
from engine.data.paths import storable
from engine.errors import DataError
from engine.types import Case, Problem

CHECK_THREADS = 2


def verify_dataset(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> list[Problem]:
    """Read every image again and compare it, the answers and the split with the fingerprints of the import.

    Args:
        progress: called with (images checked, images).

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
    pool = ThreadPoolExecutor(CHECK_THREADS)
    try:
        outcomes = pool.map(lambda case: _look(dataset, case), cases)
        for done, (case, outcome) in enumerate(zip(cases, outcomes, strict=True), 1):
            reason = _difference(case, outcome)
            if reason:
                problems.append(Problem("manifest", storable(case.path), reason))
            if progress is not None:
                progress(done, len(cases))
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts this does not wait for all the other images
    return problems


def _look(dataset: Dataset, case: Case) -> ImageFacts | str:
    """Facts of one image, decoded as well: correct checksums do not make a picture of what they cover."""
    facts = check_image(dataset.image_root, case.path)
    if not isinstance(facts, str):
        try:
            load_image(case.file)
        except DataError as error:
            return f"cannot be decoded: {error.reason or error.title}"
    return facts


def _difference(case: Case, outcome: ImageFacts | str) -> str | None:
    if isinstance(outcome, str):
        return outcome
    return None if outcome.sha256 == case.sha256 else "the image's bytes have changed since the import"
