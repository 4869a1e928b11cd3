"""Exporting a report: one group of the leaderboard as a page that can go into a paper's appendix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.reading import open_reader
from engine.api.report_groups import ReportQuery
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.reporting.model import Report


@dataclass(frozen=True, slots=True)
class ExportedReport:
    """Where a report lies, and what it says first."""

    folder: Path
    files: tuple[Path, ...]
    title: str
    """Untrusted text, as are the sentences below: they hold names."""
    warnings: tuple[str, ...]
    """The worst first."""
    summary: str
    runs: int
    """Runs on the page."""


def build_report(workspace: Workspace, query: ReportQuery | None = None) -> Report:
    """Read everything that a report says from the workspace.

    Args:
        workspace: with the evaluations.
        query: what it is about; None for the ranking that was measured last.

    Raises:
        DataError: nothing has been measured, or nothing that fits.
        UsageError: no ranking holds all runs that were named.
        JobError: there is no such run.
        StoreError: the workspace has no records.
    """
    from engine.api.report_facts import read_data, read_looks, read_method
    from engine.api.report_groups import choose_group
    from engine.api.report_pairs import read_pairs
    from engine.api.report_subjects import read_subject
    from engine.reporting.model import Group, Report
    from engine.reporting.prose.summary import best_run
    from engine.scoring.bootstrap import RESAMPLES
    from engine.scoring.measures import PRIMARY

    query = query or ReportQuery()
    with open_reader(workspace) as reader:
        chosen = choose_group(reader, query, dict(PRIMARY))
        runs = tuple(read_subject(reader, evaluation) for evaluation in chosen.runs)
        references = tuple(read_subject(reader, evaluation) for evaluation in chosen.references)
        row = reader.evaluation(chosen.group.evaluation)
        looks = read_looks(reader, row)
    group = chosen.group
    report = Report(
        group=Group(*group.key, group.n or 0, group.abnormal, group.runs, group.measured_at),
        primary=PRIMARY.get(group.question, "accuracy"),
        runs=runs,
        references=references,
        data=read_data(workspace, row),
        method=read_method(row, RESAMPLES),
        looks=looks,
        chosen=bool(query.runs),
    )
    first = runs[0] if query.runs else best_run(report)
    pairs, missing = read_pairs(workspace, first, report.subjects)
    return report.with_pairs(pairs, missing)


def export_report(
    workspace: Workspace, folder: Path | None = None, query: ReportQuery | None = None, *, replace: bool = False
) -> ExportedReport:
    """Write `report.html`, `report.md`, `report.json`, `figures.csv` and `plots/` into a folder.

    Args:
        workspace: with the evaluations.
        folder: where to; None for `reports/QUESTION-SPLIT` in the workspace.
        query: what the report is about.
        replace: also into a folder that holds files of others, which stay, or a report that was changed by hand.

    Raises:
        DataError: as `build_report`, or the folder holds other files or can't be written.
        UsageError: as `build_report`.
        JobError: as `build_report`.
    """
    from engine.reporting.document.page import title
    from engine.reporting.folder import require_free, write_report
    from engine.reporting.prose.summary import summary_text
    from engine.reporting.prose.warnings import warnings
    from engine.reporting.rendering import render

    report = build_report(workspace, query)
    # Question and split are words of ours; a name that came with data never becomes a path.
    target = (
        folder if folder is not None else workspace.root / "reports" / f"{report.group.question}-{report.group.split}"
    )
    require_free(target, replace=replace)
    files = render(report)
    write_report(target, files, replace=replace)
    return ExportedReport(
        folder=target,
        files=tuple(target / name for name in files),
        title=title(report),
        warnings=tuple(warning.line for warning in warnings(report)),
        summary=summary_text(report),
        runs=len(report.runs),
    )
