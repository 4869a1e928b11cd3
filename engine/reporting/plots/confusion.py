"""Confusion matrices as pictures: rows are annotated answers, shading is the share of the row."""

from __future__ import annotations

from typing import Any

from engine.reporting.model import Report
from engine.reporting.names import cut, short_title, subject_title
from engine.reporting.plots.canvas import COLOURS, WIDTH, drawn
from engine.reporting.plots.picture import GRID, INK, Picture
from engine.reporting.subject import Matrix, Subject
from engine.text import one_line

MOST_RUNS = 4
LONGEST_LABEL = 22
MOST_LETTERS = 56
"""Of the labels below a matrix side by side; more are turned."""
WORDS = {"threshold": "P(abnormal) at its threshold", "text": "generated text"}


def confusion_plot(report: Report) -> Picture | None:
    """The matrices of the first runs, one row a run and one column a way of deciding; None where there are none."""
    runs = [run for run in report.runs if run.matrices][:MOST_RUNS]
    if not runs:
        return None
    bases = list(dict.fromkeys(matrix.basis for run in runs for matrix in run.matrices))
    heights = [max(len(matrix.targets) for matrix in run.matrices) for run in runs]

    def draw(figure: Any) -> None:
        panels = figure.subplots(
            len(runs), len(bases), squeeze=False,
            gridspec_kw={"height_ratios": heights, "width_ratios": _widths(runs, bases)},
        )  # fmt: skip
        for row, run in zip(panels, runs, strict=True):
            found = {matrix.basis: matrix for matrix in run.matrices}
            for panel, basis in zip(row, bases, strict=True):
                if basis in found:
                    _panel(panel, run, found[basis])
                else:
                    panel.set_axis_off()

    more = len([run for run in report.runs if run.matrices]) - len(runs)
    left = f" {more} more runs stand in the table." if more > 0 else ""
    return drawn(
        "confusion",
        (WIDTH, sum(1.05 + 0.34 * height for height in heights)),
        draw,
        caption=f"Confusion matrices, n = {report.group.n:,} cases. Rows: annotated; columns: said. Counts; shading is "
        f"the share of the row.{left}",
        alternative="Confusion matrices. " + "; ".join(_words(run, m) for run in runs for m in run.matrices) + ".",
    )


def _widths(runs: list[Subject], bases: list[str]) -> list[int]:
    return [
        max([2, *(len(matrix.said) for run in runs for matrix in run.matrices if matrix.basis == basis)])
        for basis in bases
    ]


def _panel(panel: Any, run: Subject, matrix: Matrix) -> None:
    for row, counts in enumerate(matrix.counts):
        total = sum(counts)
        for column, count in enumerate(counts):
            share = count / total if total else 0.0
            panel.add_patch(_cell(column, row, share))
            panel.text(column, row, f"{count:,}", ha="center", va="center", color=INK)
    panel.set_xlim(-0.5, len(matrix.said) - 0.5)
    panel.set_ylim(len(matrix.targets) - 0.5, -0.5)
    panel.set_xticks(range(len(matrix.said)), [_label(name) for name in matrix.said])
    if len(matrix.said) * max(len(_label(name)) for name in matrix.said) > MOST_LETTERS:
        panel.tick_params(axis="x", labelrotation=25)
        for label in panel.get_xticklabels():
            label.set_horizontalalignment("right")
    panel.set_yticks(range(len(matrix.targets)), [_label(name) for name in matrix.targets])
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)
    panel.set_title(f"{short_title(run)}\n{WORDS.get(matrix.basis, matrix.basis)}", loc="left")


def _cell(column: int, row: int, share: float) -> Any:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    # Never darker than this, so that the number in it can be read on light and on dark paper.
    fill = to_rgba(COLOURS[0], 0.55 * share)
    return Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=fill, edgecolor=GRID, linewidth=0.7)


def _label(name: str) -> str:
    return cut(one_line(name), LONGEST_LABEL)


def _words(run: Subject, matrix: Matrix) -> str:
    rows = []
    for target, counts in zip(matrix.targets, matrix.counts, strict=True):
        said = ", ".join(
            f"{count:,} {one_line(name)}" for name, count in zip(matrix.said, counts, strict=True) if count
        )
        rows.append(f"annotated {one_line(target)}: {said or 'no case'}")
    return f"{subject_title(run)}, by {WORDS.get(matrix.basis, matrix.basis)}: {'; '.join(rows)}"
