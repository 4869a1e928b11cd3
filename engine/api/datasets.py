"""Datasets: import, summary, check."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.manifest import ViewCount, dataset_names, open_dataset
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import DatasetRecord, Problem
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.data.importers.report import ImportReport

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset as `data show` prints it."""

    record: DatasetRecord
    counts: list[ViewCount]
    problems: list[Problem]
    report: ImportReport | None = None
    """What the latest import forgave, noticed and changed; None in lists of all datasets."""


def import_phantom_dataset(
    workspace: Workspace,
    name: str,
    *,
    count: int,
    seed: int = 0,
    abnormal_share: float = 0.25,
    size: int = 192,
    split_seed: int = 0,
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1),
    replace: bool = False,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Draw `count` phantoms and import them; done already, it only looks whether they are still what they were."""
    from engine.data.importers.phantoms import import_phantoms

    with Writer.open(workspace) as writer:
        import_phantoms(
            workspace,
            name,
            count=count,
            seed=seed,
            abnormal_share=abnormal_share,
            size=size,
            split_seed=split_seed,
            shares=shares,
            replace=replace,
            progress=progress,
            recorder=writer.record_dataset,
        )
    return dataset_summary(workspace, name)


def import_source(
    workspace: Workspace,
    source: Path,
    *,
    name: str | None = None,
    images: Path | None = None,
    kind: str = "auto",
    sheet: str | None = None,
    split_seed: int | None = None,
    split_file: Path | None = None,
    split_rest: str = "refuse",
    reread: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Import a sheet, chat JSONL, ShareGPT JSON or a `datasets` folder; what cannot be used is listed as problems.

    Importing a source again reads only the image files that have changed, and keeps the split of every image that had
    one. It replaces the dataset without being asked as long as no run and no evaluation belongs to it.

    Args:
        name: of the dataset; None takes that of the source.
        images: folder that holds one folder a view; None takes the folder of the source.
        kind: `auto`, or a `SourceKind`.
        sheet: of a workbook; None takes the one whose heads fit best.
        split_seed: None keeps that of the import before, else 0.
        split_file: the user's own split (CSV or JSON), instead of a drawn one.
        split_rest: for images that the split file does not name: refuse, train or leave-out.
        reread: read every image file, even those that have not changed.
        progress: called with (images checked, images).

    Raises:
        DataError: the source cannot be read or told, nothing usable is in it, the split file does not fit, or the name
            is taken by content that may not be replaced.
    """
    from engine.data.importers.request import SourceOptions
    from engine.data.importers.start import start_import

    chosen = name or default_name(source)
    options = SourceOptions(
        split_seed,
        None,
        replace,
        split_file,
        split_rest,
        reread,
        progress,
        measured=lambda record: count_jobs(workspace, record),
    )
    with Writer.open(workspace) as writer:
        start_import(workspace, chosen, source, images, kind, sheet, options, writer.record_dataset)
    return dataset_summary(workspace, chosen)


def default_name(source: Path) -> str:
    """A name for the dataset of `source`: that of the file, without what a name must not have."""
    stem = source.resolve().name if source.is_dir() else source.stem
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:64].rstrip("._-")
    return plain or "dataset"


def count_jobs(workspace: Workspace, record: DatasetRecord) -> int:
    """How many runs and evaluations, of whatever state, belong to a dataset as it is."""
    key = (record.name, record.fingerprint)
    with Reader(workspace) as reader:
        runs = sum((run.dataset, run.dataset_fingerprint) == key for run in reader.runs())
        return runs + sum((each.dataset, each.dataset_fingerprint) == key for each in reader.evaluations())


def import_chat_file(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    *,
    split_seed: int | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Import chat JSONL (`messages` + `images`); what cannot be used is listed in the summary's problems."""
    return import_source(
        workspace,
        file,
        name=name,
        images=image_root,
        kind="jsonl",
        split_seed=split_seed,
        replace=replace,
        progress=progress,
    )


def dataset_summary(workspace: Workspace, name: str) -> DatasetSummary:
    """Record, counts, problems and import report of one dataset; DataError where there is none of that name."""
    from engine.data.importers.report import read_report

    dataset = open_dataset(workspace, name)
    report = read_report(dataset.folder, dataset.record.fingerprint)
    return DatasetSummary(dataset.record, dataset.counts(), dataset.problems, report)


def dataset_summaries(workspace: Workspace) -> list[DatasetSummary]:
    """Summaries of all datasets of the workspace, by name, without their import reports."""
    found = [open_dataset(workspace, name) for name in dataset_names(workspace)]
    return [DatasetSummary(dataset.record, dataset.counts(), dataset.problems) for dataset in found]


def check_dataset(workspace: Workspace, name: str, progress: Progress | None = None) -> list[Problem]:
    """Read every image again: what has changed since the import, empty when nothing has."""
    from engine.data.verify import verify_dataset

    return verify_dataset(open_dataset(workspace, name), progress)
