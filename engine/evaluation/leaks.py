"""Leaks: measured images that the training split has too, byte for byte or as a near-duplicate. No heavy imports."""

from __future__ import annotations

from collections.abc import Sequence

from engine.data.manifest import Dataset, case_key, open_dataset
from engine.data.quality.cache import CheckCache
from engine.data.quality.duplicates import near_links
from engine.text import one_line
from engine.types import Case, Mark, Split
from engine.workspace import Workspace

SHOWN = 60
"""Characters of a path in the sentence: its end, where file names differ."""


def leak_mark(workspace: Workspace, dataset: Dataset, cases: Sequence[Case]) -> tuple[Mark, str] | None:
    """The mark of an evaluation whose images leaked into the training split.

    Args:
        workspace: of the dataset.
        dataset: that was measured on.
        cases: those that were measured.

    Returns:
        The mark with its sentence. None where no leak is known, and where the dataset has been imported or split anew
        since `dataset` was read: the training split that counted is gone then.

    Raises:
        DataError: the dataset is gone, or its files are damaged.
    """
    now = open_dataset(workspace, dataset.record.name)
    if case_key(now.record) != case_key(dataset.record):
        return None
    found = leaks(now, cases)
    return None if found is None or not found[0] else (Mark.LEAK, found[1])


def leaks(dataset: Dataset, cases: Sequence[Case]) -> tuple[int, str] | None:
    """How many of the measured cases have an equal or near-duplicate image in the training split.

    Equal images are known from the import. Near-duplicates are known for images that were checked (`data check`); the
    pairs are kept beside the manifest, and only the first call after a check searches for them.

    Args:
        dataset: that was measured on, with its training split as it is now.
        cases: those that were measured; those of the training split itself are not counted.

    Returns:
        The number of cases, and a sentence with it; None where nothing was found but images are unchecked, so that
        nothing can be said. The sentence holds paths, made safe for a terminal.

    Raises:
        DataError: the dataset's cases are missing or damaged.
    """
    everything = dataset.cases()
    signatures = CheckCache(dataset.folder).read()
    training = {case.sha256: case.path for case in everything if case.split is Split.TRAIN}
    near: dict[str, str] = {}
    for first, second, _, _ in near_links(dataset.folder, everything, signatures):
        for one, other in ((first, second), (second, first)):
            if other in training:
                near.setdefault(one, training[other])
    measured = [case for case in cases if case.split is not Split.TRAIN]
    equal = [(case, training[case.sha256]) for case in measured if case.sha256 in training]
    alike = [(case, near[case.sha256]) for case in measured if case.sha256 in near and case.sha256 not in training]
    unchecked = len({case.sha256 for case in everything} - signatures.keys())
    if not equal and not alike and unchecked:
        return None
    return len(equal) + len(alike), _sentence(equal, alike, len(cases), unchecked)


def _sentence(
    equal: Sequence[tuple[Case, str]], alike: Sequence[tuple[Case, str]], measured: int, unchecked: int
) -> str:
    count = len(equal) + len(alike)
    if not count:
        return f"none of {measured:,} measured images has a near-duplicate in the training split"
    least = "at least " if unchecked else ""
    kinds = " and ".join(
        words
        for number, words in ((len(equal), f"{len(equal):,} equal"), (len(alike), f"{len(alike):,} near-duplicate"))
        if number
    )
    case, other = (*alike, *equal)[0]
    rest = f"; {unchecked:,} images are not checked yet" if unchecked else ""
    return (
        f"{least}{count:,} of {measured:,} measured images stand in the training split too ({kinds}), such as "
        f"{_end(case.path)} and {_end(other)}: figures look better than they are{rest}"
    )


def _end(path: str) -> str:
    safe = one_line(path)
    return safe if len(safe) <= SHOWN else f"…{safe[1 - SHOWN :]}"
