"""Leaks: measured images that the training split has too, byte for byte or as a near-duplicate. No heavy imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.data.manifest import Dataset, case_key, open_dataset
from engine.data.quality.cache import CheckCache
from engine.data.quality.duplicates import near_links
from engine.store.evidence import MarkedRow
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.text import one_line
from engine.types import Case, Mark, Split
from engine.workspace import Workspace

SHOWN = 60
"""Characters of a path in the sentence: its end, where file names differ."""


@dataclass(frozen=True, slots=True)
class KnownLeaks:
    """What of a dataset stands in its training split, as far as that is known: read once, asked for many evaluations.

    Equal images are known from the import. Near-duplicates are known for images that were checked (`data check`); the
    pairs are kept beside the manifest, and only the first reading after a check searches for them.
    """

    training: Mapping[str, str]
    """Path of an image of the training split, by content hash."""
    near: Mapping[str, str]
    """Path of an image of the training split, by the content hash of a near-duplicate of it."""
    unchecked: int
    """Distinct images that nobody has checked yet."""

    def of(self, cases: Sequence[Case]) -> tuple[int, str] | None:
        """How many of the measured cases have an equal or near-duplicate image in the training split.

        Args:
            cases: those that were measured; those of the training split itself are not counted.

        Returns:
            The number of cases, and a sentence with it; None where nothing was found but images are unchecked, so that
            nothing can be said. The sentence holds paths, made safe for a terminal.
        """
        measured = [case for case in cases if case.split is not Split.TRAIN]
        equal = [(case, self.training[case.sha256]) for case in measured if case.sha256 in self.training]
        alike = [
            (case, self.near[case.sha256])
            for case in measured
            if case.sha256 in self.near and case.sha256 not in self.training
        ]
        if not equal and not alike and self.unchecked:
            return None
        return len(equal) + len(alike), _sentence(equal, alike, len(cases), self.unchecked)

    def mark(self, cases: Sequence[Case]) -> tuple[Mark, str] | None:
        """The mark with its sentence; None where no leak is known."""
        found = self.of(cases)
        return None if found is None or not found[0] else (Mark.LEAK, found[1])


def known_leaks(dataset: Dataset, everything: Sequence[Case] | None = None) -> KnownLeaks:
    """What is known of a dataset with its training split as it is now.

    Args:
        dataset: whose images and checks are read.
        everything: all its cases, where they have been read already.

    Raises:
        DataError: the dataset's cases are missing or damaged.
    """
    cases = dataset.cases() if everything is None else everything
    signatures = CheckCache(dataset.folder).read()
    training = {case.sha256: case.path for case in cases if case.split is Split.TRAIN}
    near: dict[str, str] = {}
    for first, second, _, _ in near_links(dataset.folder, cases, signatures):
        for one, other in ((first, second), (second, first)):
            if other in training:
                near.setdefault(one, training[other])
    return KnownLeaks(training, near, _unchecked(cases, signatures))


def everything_checked(workspace: Workspace, name: str) -> bool:
    """Whether every image of a dataset has been checked; searches for nothing.

    Raises:
        DataError: the dataset is gone, or its files are damaged.
    """
    dataset = open_dataset(workspace, name)
    return not _unchecked(dataset.cases(), CheckCache(dataset.folder).read())


def _unchecked(cases: Iterable[Case], signatures: Mapping[str, object]) -> int:
    return len({case.sha256 for case in cases} - signatures.keys())


def leaks(dataset: Dataset, cases: Sequence[Case]) -> tuple[int, str] | None:
    """How many of these measured cases leaked, with a sentence; see `KnownLeaks.of`."""
    return known_leaks(dataset).of(cases)


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
    return known_leaks(now).mark(cases) if case_key(now.record) == case_key(dataset.record) else None


def mark_leaks(
    workspace: Workspace, writer: Writer, evaluation_id: int, dataset: Dataset, cases: Sequence[Case]
) -> tuple[Mark, str] | None:
    """Set or take away the leak mark of an evaluation that has measured everything and is about to succeed.

    A check that ends at the same moment settles all marks (`settle_leaks`), and must not be overwritten with what was
    known before it: where its last image has been checked meanwhile, the mark is worked out once more.

    Returns:
        As `leak_mark`.

    Raises:
        DataError: the dataset is gone, or its files are damaged.
        StoreError: the mark cannot be written.
    """
    while True:
        complete = everything_checked(workspace, dataset.record.name)
        found = leak_mark(workspace, dataset, cases)
        writer.settle_marks(Mark.LEAK, {evaluation_id: None if found is None else found[1]})
        if complete or not everything_checked(workspace, dataset.record.name):
            return found


def settle_leaks(workspace: Workspace, name: str) -> int:
    """Work out the leak marks of all evaluations on the present split of a dataset; done at the end of every check.

    Near-duplicates are usually known only after evaluations have ended, which had nothing to say of them then.

    Returns:
        How many marks have come, gone or changed.

    Raises:
        DataError: the dataset is gone, or its files are damaged.
        StoreError: runs.db cannot be read or written.
    """
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return 0
    dataset = open_dataset(workspace, name)
    with reader:
        rows = reader.measured_on(name, dataset.record.fingerprint, dataset.record.split_fingerprint)
        changed = _changed(reader, dataset, rows) if rows else {}
    if changed:
        with Writer.open(workspace) as writer:
            writer.settle_marks(Mark.LEAK, changed)
    return len(changed)


def _changed(reader: Reader, dataset: Dataset, rows: Sequence[MarkedRow]) -> dict[int, str | None]:
    """Sentences that differ from those that stand there, by evaluation."""
    everything = dataset.cases()
    known = known_leaks(dataset, everything)
    sentences: dict[str, str | None] = {}  # ten thousand runs have measured the same few sets of cases
    changed: dict[int, str | None] = {}
    for row in rows:
        if row.cases_fingerprint not in sentences:
            paths = reader.measured_paths(row.id)
            mark = known.mark([case for case in everything if case.path in paths])
            sentences[row.cases_fingerprint] = None if mark is None else mark[1]
        if sentences[row.cases_fingerprint] != row.detail:
            changed[row.id] = sentences[row.cases_fingerprint]
    return changed


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
