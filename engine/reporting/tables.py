"""All numbers of a report for other programs: `figures.csv` and `report.json`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from engine.reporting.document.page import title
from engine.reporting.model import NOTE, Report
from engine.reporting.names import subject_title
from engine.reporting.prose.limitations import limitations
from engine.reporting.prose.warnings import warnings
from engine.reporting.subject import Subject
from engine.text_cells import spreadsheet_cell

MADE_BY = "sonotune export report"
FORMAT = 1
HEADS = (
    "evaluation", "run", "reference", "subject", "images", "scope", "measure", "value", "low", "high", "n",
    "dataset", "question", "split", "cases_fingerprint", "protocol_fingerprint", "note",
)  # fmt: skip


def figures_csv(report: Report) -> str:
    """Every figure in a row of its own, with its 95 % interval and its n; empty where a figure is undefined."""
    group = report.group
    tail = (group.dataset, group.question, group.split, group.cases_fingerprint, group.protocol_fingerprint, NOTE)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(HEADS)
    for subject in report.subjects:
        for values in _figures(subject):
            writer.writerow([spreadsheet_cell(value) for value in (*values, *tail)])
    return lines.getvalue()


def _figures(subject: Subject) -> Iterator[tuple[Any, ...]]:
    who = (subject.run, subject.reference, subject_title(subject))
    for evaluation, images, scores in (
        (subject.evaluation, "as they are", subject.scores),
        (subject.grey_evaluation, "grey", subject.grey_scores),
    ):
        for score in scores:
            figures = (score.value, score.low, score.high, score.n)
            yield evaluation, *who, images, score.scope, score.name, *figures


def report_json(report: Report, files: Mapping[str, str]) -> str:
    """Everything as one JSON document.

    Args:
        report: what is said.
        files: SHA-256 by name of the other files, by which a later export knows that nobody has changed them.
    """
    content = {
        "made_by": MADE_BY,
        "format": FORMAT,
        "note": NOTE,
        "title": title(report),
        "warnings": [asdict(warning) for warning in warnings(report)],
        "limitations": limitations(report),
        **asdict(report),
        "files": dict(files),
    }
    # NaN is no JSON, and no figure: the store has None for it.
    return json.dumps(content, indent=1, ensure_ascii=True, allow_nan=False, default=str) + "\n"
