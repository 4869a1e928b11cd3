"""The quality report of a dataset: everything that is known without looking at its images again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.data.manifest import open_dataset
from engine.data.quality.answers import report_answers
from engine.data.quality.background import background_check_status
from engine.data.quality.cache import CheckCache
from engine.data.quality.duplicates import near_duplicates
from engine.data.quality.findings import find
from engine.data.quality.images import report_images
from engine.data.quality.model import QualityReport
from engine.types import Problem
from engine.workspace import Workspace


def quality_report(
    workspace: Workspace,
    name: str,
    *,
    changes: Sequence[Problem] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> QualityReport:
    """What a dataset is worth, from its answers and from the image check as far as that has come.

    Args:
        changes: what `verify_dataset` has just found; None where nobody has compared the files with the import.
        progress: called with (pairs compared, pairs) while near-duplicates are looked for; not where the search of
            last time still holds.

    Raises:
        DataError: there is no such dataset, or its files are damaged.
    """
    dataset = open_dataset(workspace, name)
    cases = dataset.cases()
    signatures = CheckCache(dataset.folder).read()
    counts = tuple(dataset.counts())
    answers = report_answers(cases)
    images = report_images(cases, signatures, background_check_status(workspace, name), changes)
    duplicates = near_duplicates(dataset.folder, cases, signatures, progress)
    return QualityReport(
        dataset=dataset.record.name,
        fingerprint=dataset.record.fingerprint,
        split_fingerprint=dataset.record.split_fingerprint,
        images=len(cases),
        findings=find(dataset.record.name, counts, answers, images, duplicates),
        counts=counts,
        answers=answers,
        checks=images,
        duplicates=duplicates,
    )
