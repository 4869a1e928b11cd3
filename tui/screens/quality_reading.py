"""What the quality page asks the engine; this runs in threads, because reading a large dataset takes seconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import api
from tui.screens.quality_rows import (
    Row,
    all_pairs,
    fault_rows,
    finding_rows,
    pair_rows,
    reading_rows,
    unusual_rows,
)

MOST_BARS = 6
"""Answers of a view that have a bar of their own."""
ALL_VIEWS = "all views"


@dataclass(frozen=True, slots=True)
class ViewLabels:
    """The answers to one question in one view."""

    view: str
    images: int
    answered: int
    frequent: Sequence[tuple[str, int]]
    """The most frequent answers as they are read, with their images."""
    others: int
    """Distinct answers besides."""
    on_others: int
    """Images that have one of those."""


@dataclass(frozen=True, slots=True)
class QualityData:
    """A report with the rows of its tables."""

    report: api.QualityReport
    flags: api.ImageFlags
    root: Path
    """Where the images lie."""
    pairs: Sequence[api.Pair]
    """In the order of their table."""
    rows: dict[str, Sequence[Row]]
    """By pane."""
    labels: dict[str, Sequence[ViewLabels]]
    """By question: all views, the NT views, the others."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What became of the answers to one question."""

    question: str
    rows: Sequence[Row]
    meanings: int
    """Distinct answers that they are read as."""
    left_alone: int
    """Texts in which no meaning was found."""


def read_quality(workspace: api.Workspace, dataset: str) -> QualityData:
    """The report as it is now, and its rows.

    Raises:
        DataError: there is no such dataset, or its files are damaged.
    """
    report = api.quality_report(workspace, dataset)
    flags = api.image_flags(workspace, dataset)
    root = workspace.root / api.dataset_summary(workspace, dataset).record.image_root
    pairs = all_pairs(report)
    rows: dict[str, Sequence[Row]] = {
        "findings": finding_rows(report),
        "pairs": pair_rows(pairs),
        "unusual": unusual_rows(report),
        "images": fault_rows(report),
    }
    labels: dict[str, Sequence[ViewLabels]] = {
        question: view_labels(report, question) for question in report.answers.missing
    }
    return QualityData(report, flags, root, pairs, rows, labels)


def view_labels(report: api.QualityReport, question: str) -> list[ViewLabels]:
    """The answers to a question: all views together, then the NT views, then the others."""
    images = Counter[str]()
    for count in report.counts:
        images[count.view] += count.total
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    total = Counter[str]()
    for row in report.answers.distribution:
        if row.question == question:
            total[row.canonical] = row.count
            for view, number in row.by_view.items():
                answers[view][row.canonical] = number
    views = sorted(images.keys() | answers.keys(), key=lambda view: (not api.is_nt(view), view))
    return [_labels(ALL_VIEWS, report.images, total), *(_labels(view, images[view], answers[view]) for view in views)]


def _labels(view: str, images: int, answers: Counter[str]) -> ViewLabels:
    frequent = answers.most_common(MOST_BARS)
    on_others = answers.total() - sum(number for _, number in frequent)
    return ViewLabels(view, images, answers.total(), frequent, len(answers) - len(frequent), on_others)


def read_readings(workspace: api.Workspace, dataset: str, question: str) -> Readings:
    """What became of the answers to a question.

    Raises:
        DataError: there is no such dataset.
    """
    found = api.answer_readings(workspace, dataset, question)
    read = [each for each in found if not each.left_alone]
    meanings = len({each.canonical for each in read})
    return Readings(question, reading_rows(found), meanings, len(found) - len(read))
