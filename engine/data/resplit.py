"""Another split of a dataset that is imported already: images, answers and their fingerprint stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.data.files import import_lock
from engine.data.fingerprint import dataset_fingerprint, split_fingerprint
from engine.data.importers.publish import Recorder, image_rows
from engine.data.importers.report import ImportReport, read_report, write_report
from engine.data.labels import case_label
from engine.data.manifest import Dataset, case_key, count_views, open_dataset, write_dataset
from engine.data.split import DEFAULT_SHARES, SplitKey, stratified_split
from engine.errors import DataError
from engine.types import Case, DatasetRecord, Split
from engine.workspace import Workspace

Shares = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """A new split, not yet written."""

    dataset: Dataset
    cases: list[Case]
    """All cases with their new split."""
    record: DatasetRecord
    """The record with the new split's fingerprint."""
    moved: int
    """Images whose split changes."""
    groups: int = 0
    """Groups of near-duplicates that share a split."""

    @property
    def changes(self) -> bool:
        """Whether anything moves."""
        return self.record.split_fingerprint != self.dataset.record.split_fingerprint


def plan_split(dataset: Dataset, cases: Sequence[Case], seed: int, shares: Shares, groups: Mapping[str, str]) -> Plan:
    """A stratified split of a dataset.

    Args:
        cases: all of the dataset.
        shares: of train, validation and test.
        groups: by content hash, the name of the group that shares a split; content that is missing stands alone.

    Raises:
        DataError: the shares cannot be used.
    """
    _require_shares(shares)
    keys = [SplitKey(case.sha256, case.view, case_label(case.answers), groups.get(case.sha256, "")) for case in cases]
    splits = stratified_split(keys, seed, shares)
    together = len(set(groups.values()))
    options = {"shares": list(shares), "split_file": None, "kept_together": together}
    return replace(_plan(dataset, cases, splits, seed, options), groups=together)


def plan_given_split(dataset: Dataset, cases: Sequence[Case], given: Mapping[str, Split], file: Path) -> Plan:
    """The split that a person gives, by path.

    Args:
        cases: all of the dataset.
        file: where it stands.

    Raises:
        DataError: an image has no split in it.
    """
    missing = [case.path for case in cases if case.path not in given]
    if missing:
        raise DataError(
            f"The split of {dataset.record.name} would be incomplete; nothing was changed.",
            f"{len(missing)} of {len(cases)} images have no split, the first is {missing[0]}.",
            "Name every image in the split file, or pass `--split-rest train`.",
        )
    options = {"split_file": file.name, "kept_together": 0}
    return _plan(dataset, cases, [given[case.path] for case in cases], dataset.record.split_seed, options)


def publish_split(workspace: Workspace, plan: Plan, left_out: Sequence[tuple[str, str]], recorder: Recorder) -> None:
    """Write the new split to disk, then record it.

    Args:
        left_out: path and reason of images that the import left out, as runs.db has them.

    Raises:
        DataError: the dataset was imported anew meanwhile, or an import is running, or the files cannot be written.
    """
    from engine.data.paths import view_of
    from engine.store.records import ImageRow

    before, folder = plan.dataset.record, plan.dataset.folder
    with import_lock(workspace, before.name):
        now = open_dataset(workspace, before.name)
        if case_key(now.record) != case_key(before):
            raise DataError(
                f"The dataset {before.name} has changed while its new split was being made.",
                "It was imported or split by somebody else.",
                "Look at it, then split again.",
            )
        problems, report = now.problems, read_report(folder, case_key(before))
        counts = count_views((case.view, case.split, case_label(case.answers)) for case in plan.cases)

        def keep_report() -> None:
            if report != ImportReport():  # phantoms have none
                write_report(folder, report, case_key(plan.record))

        try:
            write_dataset(folder, plan.record, plan.cases, problems, counts, keep_report)
        except OSError as error:
            raise DataError(
                f"The new split of {before.name} could not be written; the old one stays.",
                f"{error.filename or folder}: {error.strerror or error}",
                "Free some space, then split again.",
            ) from error
        outside = [ImageRow(path, view_of(path), None, None, None, None, None, reason) for path, reason in left_out]
        recorder(plan.record, [*image_rows(plan.cases), *outside])


def shares_of(record: DatasetRecord) -> Shares:
    """The shares by which a dataset was split last; the usual ones where its record does not tell."""
    shares = record.options.get("shares")
    if isinstance(shares, list) and len(shares) == 3 and all(isinstance(share, int | float) for share in shares):
        return (float(shares[0]), float(shares[1]), float(shares[2]))
    return DEFAULT_SHARES


def _plan(
    dataset: Dataset, cases: Sequence[Case], splits: Sequence[Split], seed: int, options: Mapping[str, object]
) -> Plan:
    new = [replace(case, split=split) for case, split in zip(cases, splits, strict=True)]
    before = dataset.record
    if dataset_fingerprint(cases) != before.fingerprint:
        raise DataError(
            f"The dataset {before.name} is not what its fingerprint says; nothing was changed.",
            "Its case file was altered after the import.",
            "Import it again with `--replace`, then split it.",
        )
    record = replace(
        before,
        split_seed=seed,
        split_fingerprint=split_fingerprint(new),
        options={**before.options, **options},
    )
    moved = sum(a.split != b.split for a, b in zip(cases, new, strict=True))
    return Plan(dataset, new, record, moved)


def _require_shares(shares: Shares) -> None:
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6 or not shares[0]:
        raise DataError(
            f"The split shares {shares} cannot be used.",
            "Three numbers for train, validation and test are needed, none negative, with a sum of 1.",
            "Use 0.8, 0.1, 0.1, for example.",
        )
