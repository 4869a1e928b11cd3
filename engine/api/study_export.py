"""Exporting the report of a study: a page for a paper's appendix, its plots, and its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError, JobError
from engine.study.results import StudyResult
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.reporting.study.model import Source
    from engine.store.reader import Reader
    from engine.store.records import EvaluationRow, RunRow

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True, slots=True)
class ExportedStudy:
    """Where the report of a study lies."""

    folder: Path
    markdown: Path
    html: Path
    figures: Path
    """CSV: every number of the page in a row of its own."""
    json: Path
    plots: tuple[Path, ...]
    """PNG and SVG of each plot, in the order of the page."""
    title: str
    """Untrusted text; says where the study is incomplete."""


def study_report_folder(workspace: Workspace, result: StudyResult) -> Path:
    """Where the report of a study goes if nobody says otherwise: `reports/study-NAME-SCALE` of the workspace."""
    # Checked files have names like these; one that was made otherwise must not become a path.
    words = [word if _NAME.fullmatch(word) else "other" for word in (result.study, result.scale)]
    return workspace.root / "reports" / "-".join(["study", *words])


def export_study(
    workspace: Workspace,
    result: StudyResult,
    folder: Path | None = None,
    *,
    definition: str = "",
    replace: bool = False,
) -> ExportedStudy:
    """Write `report.html`, `report.md`, `figures.csv`, `report.json` and `plots/` into a folder.

    Args:
        workspace: with the runs and evaluations that the result names; what it no longer has is said to be missing.
        result: what the study has found.
        folder: where to; None for `study_report_folder`.
        definition: the study file, which the page shows verbatim.
        replace: also into a folder that holds files of others, which stay, or a report that was changed by hand.

    Raises:
        DataError: the folder holds other files, or a report that somebody has changed, or it can't be written.
        StoreError: runs.db cannot be read.
    """
    from engine.reporting.folder import require_free, write_report
    from engine.reporting.study.forms import title_of
    from engine.reporting.study.model import StudyPage
    from engine.reporting.study.rendering import STUDY, render_study

    target = study_report_folder(workspace, result) if folder is None else folder
    require_free(target, replace=replace, kind=STUDY)
    page = StudyPage(result, definition, read_sources(workspace, result.evaluations), _kind(workspace, result))
    files = render_study(page)
    write_report(target, files, replace=replace, kind=STUDY)
    return ExportedStudy(
        folder=target,
        markdown=target / "report.md",
        html=target / "report.html",
        figures=target / "figures.csv",
        json=target / "report.json",
        plots=tuple(target / name for name in files if name.startswith("plots/")),
        title=title_of(result),
    )


def read_sources(workspace: Workspace, evaluations: Iterable[int]) -> tuple[Source, ...]:
    """The evaluations behind a result with their runs; those that are not on record are left out."""
    from engine.store.reader import Reader

    reader = Reader.open_or_none(workspace)
    if reader is None:
        return ()
    with reader:
        rows = [row for number in evaluations if (row := _evaluation(reader, number)) is not None]
        runs = {row.run_id: reader.run(row.run_id) for row in rows if row.run_id is not None}
    machines = _Machines([*rows, *runs.values()])
    return tuple(_source(row, None if row.run_id is None else runs[row.run_id], machines) for row in rows)


def _evaluation(reader: Reader, number: int) -> EvaluationRow | None:
    try:
        return reader.evaluation(number)
    except JobError:
        return None  # the page says that it has no record of it


def _source(row: EvaluationRow, run: RunRow | None, machines: _Machines) -> Source:
    from engine.reporting.study.model import Source
    from engine.store.records import images_shown

    return Source(
        evaluation=row.id,
        subject=row.name if run is None else run.name,
        run=row.run_id,
        model=row.model,
        seed=None if run is None else run.seed,
        question=row.question,
        images=images_shown(row.degradation) or "as they are",
        split=str(row.split),
        n=row.n,
        measured_at=row.ended_at,
        host=machines.title(row),
        trained_on="" if run is None else machines.title(run),
        versions={} if run is None else dict(run.versions),
        revision="" if run is None or run.git_revision is None else run.git_revision,
    )


class _Machines:
    """The cards that something ran on; several machines are told apart by number.

    Their names are nobody's business on a page.
    """

    def __init__(self, rows: Iterable[EvaluationRow | RunRow]) -> None:
        self.hosts = list(dict.fromkeys(row.host for row in rows if row.host))

    def title(self, row: EvaluationRow | RunRow) -> str:
        """`NVIDIA H100`, `a CPU (machine 2)`; "" where it is not on record."""
        if not row.device:
            return ""
        card = row.gpu_name or ("a CPU" if row.device == "cpu" else row.device)
        number = f" (machine {self.hosts.index(row.host) + 1})" if row.host and len(self.hosts) > 1 else ""
        return f"{card}{number}"


def _kind(workspace: Workspace, result: StudyResult) -> str:
    """What the dataset was imported from; "" where the workspace no longer has it as it was."""
    from engine.data.manifest import open_dataset

    try:
        record = open_dataset(workspace, result.dataset).record
    except DataError:
        return ""
    return record.kind if record.fingerprint == result.dataset_fingerprint else ""
