"""Forest plots: the deciding figure of every arm and every reference with its interval, a panel a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.reporting.plots.canvas import GREY, WIDTH, drawn, errors, style
from engine.reporting.plots.picture import INK, MUTED, Picture
from engine.reporting.plots.study_axes import (
    ends,
    padded,
)
from engine.reporting.study.forms import (
    arm_title,
    counts_text,
    defined,
    estimate_text,
    figure_title,
    question_figure,
    short_arm,
)
from engine.study.results import ArmFigure

ROW = 0.235
"""Inches of one row."""
MOST_ROWS = 32
"""Rows of one picture: more do not fit on a page."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The figures of one question."""

    question: str
    figure: str
    rows: tuple[ArmFigure, ...]
    """Arms first, references after them."""


def forest_plots(figures: Sequence[ArmFigure], name: str) -> list[Picture]:
    """The deciding figures, a panel a question; several pictures where one would not fit on a page.

    Args:
        figures: of a study, in its order.
        name: of the files, before their number.
    """
    pictures = []
    for number, panels in enumerate(_pages(_panels(figures)), 1):
        pictures.append(_forest(panels, f"{name}-{number}"))
    return pictures


def _panels(figures: Sequence[ArmFigure]) -> list[Panel]:
    found: dict[tuple[str, str], list[ArmFigure]] = {}
    for each in figures:
        found.setdefault((each.question, each.figure), []).append(each)
    return [
        Panel(question, figure, tuple(sorted(rows, key=lambda row: row.reference)))
        for (question, figure), rows in found.items()
        if any(defined(row.estimate).value is not None for row in rows)
    ]


def _pages(panels: Sequence[Panel]) -> list[list[Panel]]:
    pages: list[list[Panel]] = []
    rows = MOST_ROWS
    for panel in panels:
        size = len(panel.rows) + 3  # its title and its axis
        if not pages or rows + size > MOST_ROWS:
            pages.append([])
            rows = 0
        pages[-1].append(panel)
        rows += size
    return pages


def _forest(panels: Sequence[Panel], name: str) -> Picture:
    sizes = [len(panel.rows) for panel in panels]
    limits = padded(ends(row.estimate for panel in panels for row in panel.rows))

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=[size + 0.6 for size in sizes])
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            _forest_panel(axis, panel, limits)
        axes[-1, 0].set_xlabel(_axis_label(panels))

    marked = any(row.marks for panel in panels for row in panel.rows)
    seeds = any(len(row.seeds) > 1 for panel in panels for row in panel.rows)
    caption = [f"Deciding figures with 95 % intervals ({counts_text(_counts(panels))} cases)."]
    caption += ["Small dots: single seeds; the large marker is their mean."] if seeds else []
    caption += ["Grey, dashed: references."] if any(row.reference for panel in panels for row in panel.rows) else []
    caption += ["†: read its marks in the table first."] if marked else []
    return drawn(
        name,
        (WIDTH, ROW * sum(sizes) + 0.42 * len(panels) + 0.4),
        draw,
        caption=" ".join(caption),
        alternative=f"Deciding figures with 95 % intervals. {_words(panels)}.",
    )


def _axis_label(panels: Sequence[Panel]) -> str:
    titles = list(dict.fromkeys(figure_title(panel.figure) for panel in panels))
    return titles[0] if len(titles) == 1 else "figure that decides, as named above each panel"


def _counts(panels: Sequence[Panel]) -> list[int]:
    return [row.estimate.n for panel in panels for row in panel.rows if defined(row.estimate).value is not None]


def _forest_panel(axis: Any, panel: Panel, limits: tuple[float, float]) -> None:
    axis.set_title(question_figure(panel.question, panel.figure), loc="left")
    for place, row in enumerate(panel.rows):
        _row(axis, place, row)
    axis.set_yticks(
        range(len(panel.rows)),
        [short_arm(row.arm, reference=row.reference) + (" †" if row.marks else "") for row in panel.rows],
    )
    axis.set_ylim(len(panel.rows) - 0.4, -0.6)
    axis.set_xlim(*limits)
    bare(axis)
    _written(axis, panel)


def _written(axis: Any, panel: Panel) -> None:
    """The figures in a column of their own at the right, as forest plots have it."""
    column = axis.twinx()
    column.set_ylim(axis.get_ylim())
    column.set_yticks(range(len(panel.rows)), [estimate_text(row.estimate) for row in panel.rows])
    column.tick_params(axis="y", length=0, labelsize=7.5)
    column.spines[["left", "right", "bottom"]].set_visible(False)
    for label, row in zip(column.get_yticklabels(), panel.rows, strict=True):
        label.set_color(MUTED if row.reference else INK)


def _row(axis: Any, place: int, row: ArmFigure) -> None:
    found = defined(row.estimate)
    if found.value is None:
        return
    colour, marker = (GREY, "D") if row.reference else (style(0)[0], "o")
    seeds = [seed.value for seed in row.seeds if seed.value is not None]
    if len(seeds) > 1:
        axis.plot(seeds, [place + 0.27] * len(seeds), "o", color=INK, markersize=1.9, alpha=0.75, markeredgewidth=0)
    if row.reference:
        axis.plot([found.value] * 2, [-0.6, place], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    bars = axis.errorbar(
        [found.value], [place], xerr=errors(found.low, found.value, found.high), fmt=marker, color=colour,
        markersize=4.2 if row.reference else 5.4, markerfacecolor="none" if row.reference else colour,
        elinewidth=1.0 if row.reference else 1.7, capsize=0, zorder=3,
    )  # fmt: skip
    if row.reference:
        bars[-1][0].set_linestyle((0, (4, 2)))


def bare(axis: Any) -> None:
    """A frame without a left side: the names of the rows stand there."""
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _words(panels: Sequence[Panel]) -> str:
    lines = []
    for panel in panels:
        rows = [
            f"{arm_title(row.arm, reference=row.reference)} {estimate_text(row.estimate, n=True)}" for row in panel.rows
        ]
        lines.append(f"{question_figure(panel.question, panel.figure)}: {', '.join(rows)}")
    return "; ".join(lines)
