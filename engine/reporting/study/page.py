"""The whole page of a study, block by block, in the order in which it should be read."""

from __future__ import annotations

from collections.abc import Sequence

from engine.reporting.document.blocks import Block, Callout, Heading, Listing, Paragraph, Plot, Strong
from engine.reporting.model import NOTE
from engine.reporting.plots.picture import Picture
from engine.reporting.study.answers import answer_blocks
from engine.reporting.study.figures import figure_blocks
from engine.reporting.study.forms import title_of
from engine.reporting.study.limits import limitations
from engine.reporting.study.model import StudyPage
from engine.reporting.study.parts import Part, part_blocks
from engine.reporting.study.prose import method_blocks
from engine.reporting.study.sources import definition_blocks, source_blocks
from engine.reporting.study.warnings import warning_blocks
from engine.text import one_line


def page_blocks(
    page: StudyPage, forests: Sequence[Picture], parts: Sequence[Part], pictures: dict[int, Picture]
) -> list[Block]:
    """All blocks; a section that has nothing to say is left out.

    Args:
        page: what is said.
        forests: plots of the deciding figures.
        parts: further tables and charts.
        pictures: of `parts`, as `draw_parts` gives them.
    """
    plots = [Plot(picture.name, picture.caption, picture.alternative) for picture in forests]
    return [
        Heading(1, title_of(page.result)),
        Callout([Strong(NOTE)]),
        Paragraph([Strong("Question. "), one_line(page.result.question)]),
        *warning_blocks(page),
        *answer_blocks(page.result),
        *figure_blocks(page.result, plots),
        *part_blocks(parts, pictures),
        *method_blocks(page),
        *_limitations(page),
        *definition_blocks(page),
        *source_blocks(page),
        Callout([Strong(NOTE)]),
    ]


def _limitations(page: StudyPage) -> list[Block]:
    found = limitations(page)
    return [Heading(2, "Limitations"), Listing([[each] for each in found])] if found else []
