"""From an assembled dataset to files and records; what is already there is compared first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.data.importers.assemble import Assembled
from engine.data.importers.collect import Entry
from engine.data.importers.known_files import write_known_files
from engine.data.importers.previous import source_of
from engine.data.importers.report import ImportReport, write_report
from engine.data.importers.request import ImportRequest, Measured
from engine.data.labels import case_label, case_verdict
from engine.data.manifest import count_views, open_dataset, write_dataset
from engine.data.paths import view_of
from engine.errors import DataError
from engine.types import Case, DatasetRecord
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.records import ImageRow

Recorder = Callable[[DatasetRecord, "list[ImageRow]"], None]
"""Stores the outcome of an import in runs.db; `engine.api` passes it, so that engine.data needs no database."""


def existing_record(workspace: Workspace, name: str) -> DatasetRecord | None:
    """Record of the dataset that already has this name; None where there is none, or none that can be read."""
    try:
        return open_dataset(workspace, name).record
    except DataError:
        return None


def require_replaceable(
    workspace: Workspace, request: ImportRequest, new: Assembled, measured: Measured | None = None
) -> None:
    """Refuse to put other content in the place of an existing dataset unless that was asked for.

    Mending a source and importing it again needs no permission as long as nothing was measured on the dataset: there
    is nothing yet that would lose its ground.

    Args:
        measured: counts the runs and evaluations of a dataset; without it, nobody knows that there are none.

    Raises:
        DataError: content or split differ from those of the existing dataset and `replace` is off.
    """
    if request.replace or not workspace.dataset(request.name).joinpath("manifest.json").exists():
        return
    old = existing_record(workspace, request.name)
    if old is None:
        difference = "The existing one is damaged."
    elif old.fingerprint != new.record.fingerprint:
        difference = f"Its content differs: {old.images} images there, {new.record.images} now."
    elif old.split_fingerprint != new.record.split_fingerprint:
        difference = "The content is the same, but the split differs (seed or shares)."
    else:
        return
    if old is not None and measured is not None and source_of(old) == source_of(new.record):
        jobs = measured(old)
        if not jobs:
            return
        difference += f" {jobs} run{'s' if jobs > 1 else ''} or evaluations belong to it."
    raise replacement_refused(request.name, difference)


def replacement_refused(name: str, difference: str) -> DataError:
    """The error for an import that would replace a dataset without being allowed to."""
    return DataError(
        f"A dataset named {name} exists already and was left as it is.",
        f"{difference} Scores measured on it would no longer belong to it.",
        "Import under another name, or pass `--replace`.",
    )


def publish(
    workspace: Workspace,
    new: Assembled,
    recorder: Recorder | None = None,
    *,
    install: Callable[[], None] | None = None,
    report: ImportReport | None = None,
) -> DatasetRecord:
    """Write the dataset to disk, then record it. A repeated import keeps the date of the first.

    Args:
        install: puts new images in their place, just before the manifest names them.
        report: what the import forgave and noticed; written with what it learned of the files. Phantoms have none.

    Raises:
        DataError: the files cannot be written.
    """
    record = new.record
    old = existing_record(workspace, record.name)
    if old and (old.fingerprint, old.split_fingerprint) == (record.fingerprint, record.split_fingerprint):
        record = replace(record, created_at=old.created_at)
    counts = count_views((case.view, case.split, case_label(case.answers)) for case in new.cases)
    folder = workspace.dataset(record.name)

    def install_all() -> None:
        if install is not None:
            install()
        if report is not None:
            # Harmless beside the old manifest after a crash: the report names its content, stamps name their files.
            write_report(folder, report, record.fingerprint)
            write_known_files(folder, new.known)

    try:
        write_dataset(folder, record, new.cases, new.problems, counts, install_all)
    except OSError as error:
        raise DataError(
            f"The dataset {record.name} could not be written.",
            f"{error.filename or workspace.datasets}: {error.strerror or error}",
            "Free some space or choose another workspace, then import again.",
        ) from error
    if recorder is not None:
        recorder(record, image_rows(new.cases, new.left_out))
    return record


def image_rows(cases: Sequence[Case], left_out: Sequence[tuple[Entry, str]] = ()) -> list[ImageRow]:
    """Rows of the `images` table: usable images with their raw answers, then those left out with their reason."""
    from engine.store.records import ImageRow

    rows = [
        ImageRow(
            path=case.path,
            view=case.view,
            split=case.split,
            sha256=case.sha256,
            width=case.width,
            height=case.height,
            q7_verdict=case_verdict(case.answers),
            problem=None,
            answers=case.answers,
        )
        for case in cases
    ]
    for entry, reason in left_out:
        rows.append(ImageRow(entry.path, view_of(entry.path), None, None, None, None, None, reason))
    return rows
