"""The figures of a study: every arm with its interval as a bar, seeds and spread, references beside them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from engine import api
from tui.screens.compare_text import CHANCE, FROM_MINUS_ONE
from tui.text import fit
from tui.widgets.intervals import interval_bar
from tui.widgets.lines import Paragraph

NAME_CELLS, SHORT_NAME_CELLS = 30, 16
WIDE_FROM = 96
LEAST_BAR_CELLS, MOST_BAR_CELLS = 10, 44
BESIDE_CELLS = 46
"""Cells beside name and bar: the figure, the ends of its interval, cases, seeds."""
HOW = (
    "Bars show the 95 % interval on a scale from 0 to 1 (MCC: from -1); ¦ is what guessing gives. An arm's figure is "
    "the mean over all of its seeds; its interval comes from resampled images, ± is the standard deviation over them."
)
NOTHING_YET = "No arm has been measured yet."


def figures(result: api.StudyResult, width: int) -> list[Paragraph]:
    """The deciding figure of every arm and reference, question by question.

    Args:
        result: as far as the study is done.
        width: cells that a line has.
    """
    if not result.figures:
        return [[(NOTHING_YET, "dim")]]
    paragraphs: list[Paragraph] = []
    for (question, name), rows in groupby(result.figures, key=lambda each: (each.question, each.figure)):
        paragraphs.append([(f"{question}  {api.measure_words(name)} on {result.split}", "header")])
        for row in rows:
            paragraphs += _row(row, width)
        paragraphs.append([])
    return [*paragraphs, [(HOW, "dim")]]


def _row(row: api.ArmFigure, width: int) -> Iterator[Paragraph]:
    room = NAME_CELLS if width >= WIDE_FROM else SHORT_NAME_CELLS
    name = (f" {fit(row.arm, room)} ", "dim" if row.reference else "text")
    found = row.estimate
    if found.value is None:
        yield [name, ("    –  undefined, or not measured yet", "dim")]
    else:
        cells = max(LEAST_BAR_CELLS, min(MOST_BAR_CELLS, width - room - BESIDE_CELLS))
        start = -1.0 if row.figure in FROM_MINUS_ONE else 0.0
        bar = interval_bar(found.value, found.low, found.high, cells, start, mark=CHANCE.get(row.figure))
        tone = "dim" if row.reference else "accent"
        yield [name, (f"{api.figure(found.value):>5} ", "bold"), (f"{bar} ", tone), (_beside(row), "dim")]
    if row.marks:
        yield [("   ! ", "warn"), (", ".join(row.marks), "warn")]


def _beside(row: api.ArmFigure) -> str:
    """`0.66–0.76 n 240  3 seeds ±0.010`."""
    words = f"{bounds(row.estimate):<11} n {row.estimate.n}"
    if len(row.seeds) > 1:
        words += f"  {len(row.seeds)} seeds" + ("" if row.spread is None else f" ±{row.spread:.3f}")
    return words


def bounds(found: api.Estimate) -> str:
    """`0.66–0.76`, `-0.20 to 0.04`; "" where there is no interval."""
    if found.low is None or found.high is None:
        return ""
    between = " to " if found.low < 0 else "–"  # a dash before a minus sign is hard to read
    return f"{api.figure(found.low)}{between}{api.figure(found.high)}"
