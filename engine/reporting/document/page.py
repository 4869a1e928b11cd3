"""The whole page, block by block, in the order in which it should be read."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.reporting.document.blocks import (
    Block,
    Callout,
    Heading,
    Listing,
    Paragraph,
    Plot,
    Row,
    Strong,
    Table,
    Words,
)
from engine.reporting.document.results import (
    confusion_tables,
    costs_table,
    figures_table,
    other_figures_table,
    outputs_table,
    pairs_table,
    views_table,
)
from engine.reporting.model import NOTE, Report
from engine.reporting.names import counted, question_title
from engine.reporting.plots.picture import Picture
from engine.reporting.prose.limitations import limitations
from engine.reporting.prose.methods import data_blocks, measuring_blocks, statistics_blocks
from engine.reporting.prose.summary import summary
from engine.reporting.prose.training import training_blocks
from engine.reporting.prose.warnings import warnings
from engine.text import one_line

SHOWN_LOOKS = 50
"""Newest looks at the test split that a page lists; the JSON has all."""


def title(report: Report) -> str:
    """`Q7 Normality Assessment on the test split of fetal-2026`."""
    group = report.group
    return f"{question_title(group.question)} on the {one_line(group.split)} split of {one_line(group.dataset)}"


def page(report: Report, pictures: list[Picture]) -> list[Block]:
    """All blocks; a section that has nothing to say is left out."""
    plots = {picture.name: Plot(picture.name, picture.caption, picture.alternative) for picture in pictures}
    return [
        Heading(1, title(report)),
        Callout([Strong(NOTE)]),
        *_summary(report),
        *_figures(report, plots),
        *_pairs(report),
        *_views(report, plots),
        *_curves(plots),
        *_confusions(report, plots),
        Heading(2, "Outputs that are no answer"),
        outputs_table(report),
        Heading(2, "Cost"),
        costs_table(report),
        *_looks(report),
        Heading(2, "Methods"),
        *data_blocks(report),
        *measuring_blocks(report),
        *training_blocks(report),
        *statistics_blocks(report),
        *_limitations(report),
        Callout([Strong(NOTE)]),
    ]


def _summary(report: Report) -> list[Block]:
    blocks: list[Block] = [Heading(2, "Summary")]
    found = warnings(report)
    for warning in found:
        if warning.severe:
            words: Words = [Strong(warning.who), f": {warning.sentence} ({one_line(warning.detail)})."]
            blocks.append(Callout(words, severe=True))
    blocks += [Paragraph(words) for words in summary(report)]
    mild = [warning for warning in found if not warning.severe]
    if mild:
        blocks.append(Paragraph(["Before believing the figures:"]))
        blocks.append(Listing([[Strong(w.who), f": {w.sentence} ({one_line(w.detail)})."] for w in mild]))
    return blocks


def _figures(report: Report, plots: dict[str, Plot]) -> list[Block]:
    blocks: list[Block] = [Heading(2, "Figures"), figures_table(report)]
    blocks += [plots["intervals"]] if "intervals" in plots else []
    others = other_figures_table(report)
    return [*blocks, others] if others is not None else blocks


def _pairs(report: Report) -> list[Block]:
    if report.pairs:
        return [Heading(2, "Comparison on the same images"), pairs_table(report.pairs)]
    if report.pairs_missing:
        return [Heading(2, "Comparison on the same images"), Paragraph([report.pairs_missing])]
    return []


def _views(report: Report, plots: dict[str, Plot]) -> list[Block]:
    table = views_table(report)
    if table is None:
        return []
    return [Heading(2, "By view"), *([plots["views"]] if "views" in plots else []), table]


def _curves(plots: dict[str, Plot]) -> list[Block]:
    titles = {"roc": "Discrimination", "calibration": "Calibration"}
    return [block for name, text in titles.items() if name in plots for block in (Heading(2, text), plots[name])]


def _confusions(report: Report, plots: dict[str, Plot]) -> list[Block]:
    tables = confusion_tables(report)
    if not tables:
        return []
    return [Heading(2, "Confusions"), *([plots["confusion"]] if "confusion" in plots else []), *tables]


def _looks(report: Report) -> list[Block]:
    """The test-set ledger."""
    if report.looks is None:
        return []
    said = f"This test split has been looked at {counted(len(report.looks), 'time')}."
    if not report.looks:
        said = "No look at this test split is on record: it was measured by a version without a ledger, or imported."
    blocks: list[Block] = [Heading(2, "Looks at the test split"), Paragraph([said])]
    if report.looks:
        newest = report.looks[-SHOWN_LOOKS:]
        rows = [Row([moment(look.time), look.subject, look.question, look.purpose]) for look in newest]
        caption = "The ledger: every look was asked for with a purpose."
        if len(newest) < len(report.looks):
            caption += f" The newest {len(newest)} of {len(report.looks):,} are shown."
        blocks.append(Table(caption, ["when (UTC)", "subject", "question", "purpose"], rows, words=(1, 2, 3)))
    return blocks


def _limitations(report: Report) -> list[Block]:
    found = limitations(report)
    return [Heading(2, "Limitations"), Listing([[each] for each in found])] if found else []


def moment(seconds: float) -> str:
    """A time of the data in UTC: the same on every machine."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g}"
