"""Datasets: import, summary, check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.data.manifest import Dataset, ViewCount, dataset_names, open_dataset
from engine.store.writer import Writer
from engine.types import DatasetRecord, Problem
from engine.workspace import Workspace

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset as `data show` prints it."""

    record: DatasetRecord
    counts: list[ViewCount]
    problems: list[Problem]


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


def import_chat_file(
    workspace: Workspace,
    name: str,
    file: Path,
    image_root: Path,
    *,
    split_seed: int = 0,
    replace: bool = False,
    progress: Progress | None = None,
) -> DatasetSummary:
    """Import chat JSONL (`messages` + `images`); what cannot be used is listed in the summary's problems."""
    from engine.data.importers.jsonl import import_jsonl

    with Writer.open(workspace) as writer:
        import_jsonl(
            workspace,
            name,
            file,
            image_root,
            split_seed=split_seed,
            replace=replace,
            progress=progress,
            recorder=writer.record_dataset,
        )
    return dataset_summary(workspace, name)


def dataset_summary(workspace: Workspace, name: str) -> DatasetSummary:
    """Record, counts and problems of one dataset; DataError where there is none of that name."""
    return _summary(open_dataset(workspace, name))


def dataset_summaries(workspace: Workspace) -> list[DatasetSummary]:
    """Summaries of all datasets of the workspace, by name."""
    return [dataset_summary(workspace, name) for name in dataset_names(workspace)]


def check_dataset(workspace: Workspace, name: str, progress: Progress | None = None) -> list[Problem]:
    """Read every image again: what has changed since the import, empty when nothing has."""
    from engine.data.verify import verify_dataset

    return verify_dataset(open_dataset(workspace, name), progress)


def _summary(dataset: Dataset) -> DatasetSummary:
    return DatasetSummary(dataset.record, dataset.counts(), dataset.problems)
