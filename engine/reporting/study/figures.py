"""The table of the deciding figures, question by question: arms first, references after them."""

from __future__ import annotations

from engine.formatting import UNKNOWN
from engine.reporting.document.blocks import Block, Heading, Paragraph, Plot, Row, Table
from engine.reporting.names import interval_text, signed
from engine.reporting.study.forms import arm_title, estimate_text, marks_text, question_figure
from engine.study.results import ArmFigure, StudyResult
from engine.types import Score


def figure_blocks(result: StudyResult, plots: list[Plot]) -> list[Block]:
    """Tables and forest plots."""
    blocks: list[Block] = [Heading(2, "Figures")]
    if not result.figures:
        return [*blocks, Paragraph(["Nothing has been measured yet."])]
    return [*blocks, *plots, *figure_tables(result)]


def figure_tables(result: StudyResult) -> list[Table]:
    """One table for each question and figure."""
    found: dict[tuple[str, str], list[ArmFigure]] = {}
    for each in result.figures:
        found.setdefault((each.question, each.figure), []).append(each)
    return [_table(question, figure, rows, result) for (question, figure), rows in found.items()]


def _table(question: str, figure: str, figures: list[ArmFigure], result: StudyResult) -> Table:
    several = any(len(each.seeds) > 1 for each in figures)
    rows = [
        Row(
            [
                arm_title(each.arm, reference=each.reference),
                estimate_text(each.estimate, n=True),
                _seed_count(each, result),
                *([_spread(each), _by_seed(each)] if several else []),
                marks_text(each),
            ],
            each.reference,
        )
        for each in sorted(figures, key=lambda each: each.reference)
    ]
    heads = [
        "arm",
        "mean (95 %), n" if several else "figure (95 %), n",
        "seeds",
        *(["SD over seeds", "each seed"] if several else []),
        "marks",
    ]
    caption = f"{question_figure(question, figure)}. Intervals are those of the cases" + (
        "; the spread of the seeds stands beside them. All seeds are shown, none is picked." if several else "."
    )
    words = (4, 5) if several else (3,)
    return Table(caption, heads, rows, words=words)


def _seed_count(figure: ArmFigure, result: StudyResult) -> str:
    """How many there are; of how many where some are missing; a dash where nothing was trained."""
    if figure.reference or figure.untuned or (not figure.seeds and figure.estimate.value is not None):
        return UNKNOWN
    missing = len(figure.seeds) < result.seeds
    return f"{len(figure.seeds):,} of {result.seeds:,}" if missing else f"{len(figure.seeds):,}"


def _spread(figure: ArmFigure) -> str:
    return UNKNOWN if figure.spread is None else signed(f"{figure.spread:.3f}")


def _by_seed(figure: ArmFigure) -> str:
    if figure.reference or figure.untuned:
        return UNKNOWN
    return ", ".join(f"{seed.seed}: {_value(seed.value, figure.estimate.n)}" for seed in figure.seeds) or UNKNOWN


def _value(value: float | None, n: int) -> str:
    return interval_text(Score("all", "", value, None, None, n))
