"""What the quality page says in words and bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import api
from tui.screens.dataset_views import NO_VIEW
from tui.screens.quality_rows import SIGNS, question_title
from tui.text import bar, counted, cut, fit
from tui.widgets.lines import Paragraph, Piece

if TYPE_CHECKING:
    from tui.screens.quality_reading import Readings, ViewLabels

WAITING = "reading …"


def finding_paragraphs(finding: api.QualityFinding) -> list[Paragraph]:
    """One finding in full."""
    sign, tone = SIGNS[finding.severity]
    paragraphs: list[Paragraph] = [
        [(f"{sign} ", tone), (finding.title, tone)],
        [("why   ", "dim"), (finding.reason, "text")],
        [("do    ", "dim"), (finding.next_step, "accent")],
        [("count ", "dim"), (f"{finding.count:,}", "text")],
    ]
    return paragraphs + [
        [("      " if place else "such  ", "dim"), (each, "text")] for place, each in enumerate(finding.examples)
    ]


def trouble_paragraphs(error: api.SonotuneError) -> list[Paragraph]:
    """Why there is no report."""
    return [[(f"✗ {error.title}", "bad")], [(error.reason, "text")], [(f"→ {error.next_step}", "accent")]]


def label_paragraphs(labels: Sequence[ViewLabels], width: int) -> list[Paragraph]:
    """How often each answer to a question occurs: all views, the NT views, the others; a bar each.

    Args:
        labels: of one question, in the order in which they are shown.
        width: of the window, in cells.
    """
    if not any(each.answered for each in labels):
        return [[("Nobody has answered this question.", "dim")]]
    return [paragraph for each in labels for paragraph in _bars(each, width)]


def _bars(labels: ViewLabels, width: int) -> list[Paragraph]:
    silent = f" · {labels.images - labels.answered:,} unanswered" if labels.images > labels.answered else ""
    head = f"  {counted(labels.answered, 'answer')}{silent}"
    paragraphs: list[Paragraph] = [[(api.one_line(labels.view) or NO_VIEW, "bold"), (head, "dim")]]
    room = max(8, (width - 20) // 2)
    for answer, count in labels.frequent:
        share = count / labels.answered
        name = fit(cut(answer, room), room)
        tone = "warn" if answer == "abnormal" else "text"
        filled = bar(share, room).rstrip() or "▏"
        paragraphs.append([(f"  {name} ", tone), (f"{count:>6,} {share:>6.1%} ", "text"), (filled, "accent")])
    if labels.others:
        words = f"  … {counted(labels.others, 'other answer')}, on {labels.on_others:,} images"
        paragraphs.append([(words, "dim")])
    return paragraphs


# ----- the line below the names of the panes


def findings_line(report: api.QualityReport) -> list[Piece]:
    """How many findings of each severity."""
    counts = Counter(finding.severity for finding in report.findings)
    pieces = []
    for severity, (sign, tone) in SIGNS.items():
        if counts[severity]:
            pieces.append((f"{sign} {counted(counts[severity], severity.value)}", tone))
    return [*pieces, ("enter: see them all", "dim")]


def labels_line(question: str) -> list[Piece]:
    """Which question."""
    return [(question_title(question), "bold"), ("as they are read, NT views first", "dim"), ("b next question", "dim")]


def pairs_line(report: api.QualityReport) -> list[Piece]:
    """How many pairs."""
    found = report.duplicates
    crossing, pairs = found.near_crossing + found.exact_crossing, found.near + found.exact
    if not found.compared and not pairs:
        return [("no image has been compared yet: K checks them", "warn")]
    across = (f"✗ {counted(crossing, 'pair')} across splits", "bad") if crossing else ("no pair across splits", "good")
    compared = (f"{found.compared:,} images compared", "dim")
    listed = len(found.pairs) + len(found.exact_pairs)
    cut_off = [(f"{listed:,} of {pairs:,} listed", "warn")] if listed < pairs else []
    return [across, (f"{counted(pairs, 'pair')} in all", "text"), *cut_off, ("enter: both images", "dim"), compared]


def unusual_line(report: api.QualityReport) -> list[Piece]:
    """How many answers are strange."""
    odd, rare = report.answers.odd, report.answers.rare
    if not odd and not rare:
        return [("every answer can be read, and none is rare", "good")]
    unread = (
        (f"! {counted(len(odd), 'answer')} cannot be read", "warn") if odd else ("every answer can be read", "good")
    )
    return [unread, (f"{len(rare):,} of one or two images", "text"), ("enter: their images", "dim")]


def readings_line(question: str, found: Readings | None) -> list[Piece]:
    """How many texts became how many answers."""
    head: list[Piece] = [(question_title(question), "bold")]
    if found is None or found.question != question:
        return [*head, ("reading …", "dim")]
    alone = [(f"? {found.left_alone:,} left alone", "warn")] if found.left_alone else []
    words = f"{counted(len(found.rows), 'text')} became {counted(found.meanings, 'answer')}"
    return [*head, (words, "text"), *alone, ("b next question", "dim"), ("enter: images", "dim")]


def images_line(report: api.QualityReport, rows: Sequence[object]) -> list[Piece]:
    """How many images have been looked at."""
    checks = report.checks
    unchecked = [(f"! {checks.unchecked:,} not checked: K starts it", "warn")] if checks.unchecked else []
    found = (f"{len(rows):,} listed", "text") if rows else ("nothing found", "good" if not unchecked else "dim")
    return [(f"{checks.checked:,} of {report.images:,} images decoded", "text"), *unchecked, found]
