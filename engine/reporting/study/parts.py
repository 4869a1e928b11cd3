"""Further tables and charts: those that belong together stand under one heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.reporting.document.blocks import Block, Heading, Paragraph, Plot, Row, Table
from engine.reporting.plots.picture import Picture
from engine.reporting.plots.study_curves import curves_chart
from engine.reporting.plots.study_intervals import intervals_chart
from engine.reporting.plots.study_scatter import scatter_chart
from engine.reporting.study.captions import all_estimates
from engine.reporting.study.forms import defined, file_name, questions_of
from engine.study.results import StudyChart, StudyResult, StudyTable
from engine.text import one_line

_DRAWN = {"intervals": intervals_chart, "curves": curves_chart, "scatter": scatter_chart}


@dataclass(slots=True)
class Part:
    """What stands under one heading."""

    title: str = ""
    tables: list[StudyTable] = field(default_factory=list)
    groups: list[list[StudyChart]] = field(default_factory=list)
    """Charts that are drawn side by side."""


def parts_of(result: StudyResult) -> list[Part]:
    """Tables in their order, each with the charts of its name; then charts that have no table."""
    parts: dict[str, Part] = {}
    for table in result.tables:
        parts.setdefault(_first_word(table.name), Part()).tables.append(table)
    for group in chart_groups(further_charts(result)):
        parts.setdefault(_first_word(group[0].panel or group[0].name), Part()).groups.append(group)
    for name, part in parts.items():
        part.title = _title(name, part)
    return list(parts.values())


def further_charts(result: StudyResult) -> list[StudyChart]:
    """All charts but those of the deciding figures, which the page draws with their references and seeds."""
    own = {f"figures-{question}" for question in questions_of(result)}
    return [chart for chart in result.charts if chart.name not in own]


def _first_word(name: str) -> str:
    """`questions-Q7` and `questions-Q8` belong together."""
    return re.split(r"[-_: ]", name.strip(), maxsplit=1)[0]


def chart_groups(charts: Sequence[StudyChart]) -> list[list[StudyChart]]:
    """Charts that are drawn side by side: one kind, one panel. What holds no defined figure is left out."""
    groups: dict[tuple[str, str], list[StudyChart]] = {}
    for place, chart in enumerate(charts):
        if any(defined(each).value is not None for each in all_estimates([chart])):
            key = (chart.kind, f"panel {chart.panel}" if chart.panel else f"chart {place}")
            groups.setdefault(key, []).append(chart)
    return list(groups.values())


def _title(name: str, part: Part) -> str:
    """That of its only table or chart; else the word that its tables and charts share."""
    titles = [table.title for table in part.tables] + [chart.title for group in part.groups for chart in group]
    if len(titles) == 1:
        return one_line(titles[0])
    word = one_line(name)
    return word[:1].upper() + word[1:]


def draw_parts(parts: Sequence[Part], first: int = 1) -> dict[int, Picture]:
    """A picture for each group of charts, by the number of the group on the page.

    Args:
        parts: of the page.
        first: number of the first one, in the names of the files.
    """
    groups = [group for part in parts for group in part.groups]
    pictures = {}
    for number, group in enumerate(groups):
        name = file_name(group[0].panel or group[0].name, group[0].kind)
        pictures[number] = _DRAWN[group[0].kind](group, f"{name}-{first + number}")
    return pictures


def part_blocks(parts: Sequence[Part], pictures: dict[int, Picture]) -> list[Block]:
    """Each part: its charts, then its tables with the note on how to read them."""
    blocks: list[Block] = []
    number = 0
    for part in parts:
        blocks.append(Heading(2, part.title))
        for _ in part.groups:
            picture = pictures[number]
            blocks.append(Plot(picture.name, picture.caption, picture.alternative))
            number += 1
        for table in part.tables:
            blocks += [Paragraph([one_line(table.note)])] if table.note.strip() else []
            blocks.append(_table(table))
    return blocks


def _table(table: StudyTable) -> Table:
    """The first column names the rows, so it holds text in any case; a row that is too short or long is made to fit."""
    width = len(table.heads)
    rows = [Row([*row[:width], *[""] * (width - len(row))]) for row in table.rows]
    caption = one_line(table.title).strip().rstrip(".") + "."
    return Table(caption, table.heads, rows, tuple(place for place in table.words if place))
