"""Where the figures come from: evaluations and runs, by number."""

from __future__ import annotations

from engine.formatting import UNKNOWN
from engine.reporting.document.blocks import Block, Code, Heading, Paragraph, Row, Table, Verbatim
from engine.reporting.document.page import moment
from engine.reporting.names import counted
from engine.reporting.study.model import Source, StudyPage
from engine.study.answering import declared_late
from engine.text import one_line


def definition_blocks(page: StudyPage) -> list[Block]:
    """The study file, verbatim."""
    if not page.definition.strip():
        return []
    declared = "" if declared_late(page.result) else "; what decides was declared in it before anything ran"
    return [
        Heading(2, "Study file"),
        Paragraph([f"As it stood when this page was written{declared}."]),
        Verbatim(page.definition.strip("\n")),
    ]


def source_blocks(page: StudyPage) -> list[Block]:
    """All evaluations with their runs; their numbers alone where the workspace has no record of them."""
    numbers = page.result.evaluations
    if not numbers:
        return []
    blocks: list[Block] = [Heading(2, "Runs and evaluations")]
    found = {source.evaluation for source in page.sources}
    if page.sources:
        blocks.append(_table(page.sources))
    gone = [number for number in numbers if number not in found]
    if gone:
        blocks.append(
            Paragraph(
                [
                    f"{counted(len(gone), 'evaluation')} without a record in this workspace: ",
                    Code(", ".join(map(str, gone))),
                    ".",
                ]
            )
        )
    return blocks


def _table(sources: tuple[Source, ...]) -> Table:
    heads = [
        "subject",
        "run",
        "seed",
        "evaluation",
        "question",
        "images",
        "split",
        "n",
        "measured (UTC)",
        "measured on",
    ]
    rows = [
        Row(
            [
                one_line(source.subject),
                UNKNOWN if source.run is None else str(source.run),
                UNKNOWN if source.seed is None else str(source.seed),
                str(source.evaluation),
                one_line(source.question),
                one_line(source.images),
                one_line(source.split),
                UNKNOWN if source.n is None else f"{source.n:,}",
                UNKNOWN if source.measured_at is None else moment(source.measured_at),
                one_line(source.host) or UNKNOWN,
            ],
            source.run is None,
        )
        for source in sources
    ]
    caption = "Evaluations behind this page, and the runs that they measured."
    return Table(caption, heads, rows, words=(4, 5, 6, 9))
