"""Reliability curves: does P(abnormal) = 0.3 mean that three of ten are abnormal?"""

from __future__ import annotations

from typing import Any

from engine.formatting import figure as two_decimals
from engine.reporting.model import Report
from engine.reporting.names import interval_text, short_title, subject_title
from engine.reporting.plots.canvas import GREY, drawn, grid_of, panel_size, share_axis, style
from engine.reporting.plots.picture import MUTED, Picture
from engine.reporting.subject import Subject

COLUMNS = 3


def calibration_plot(report: Report) -> Picture | None:
    """The calibration plot; None where no run has probabilities."""
    runs = [run for run in report.runs if run.reliability]
    if not runs:
        return None
    columns = min(COLUMNS, len(runs))
    rows = -(-len(runs) // columns)

    def draw(figure: Any) -> None:
        panels = grid_of(figure, len(runs), columns, sharex=True, sharey=True)
        for place, (panel, run) in enumerate(zip(panels, runs, strict=True)):
            _panel(panel, run)
            if place + columns >= len(runs):
                panel.set_xlabel("mean P(abnormal)")
                panel.tick_params(axis="x", labelbottom=True)
            if place % columns == 0:
                panel.set_ylabel("share abnormal")

    cases = sum(point.n for point in runs[0].reliability)
    return drawn(
        "calibration",
        panel_size(columns, rows),
        draw,
        caption=f"Reliability of P(abnormal), n = {cases:,} cases in bins of equal width, with Wilson 95 % intervals "
        "of the observed share; the bars at the foot show how the cases are spread over the bins. Dotted: perfect "
        "calibration. ECE: expected calibration error.",
        alternative="Reliability curves. " + "; ".join(_words(run) for run in runs) + ".",
    )


def _panel(panel: Any, run: Subject) -> None:
    points = run.reliability
    total = sum(point.n for point in points)
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":")
    panel.bar(
        [point.mean_p for point in points], [0.25 * point.n / total for point in points],
        width=0.05, color=GREY, alpha=0.45,
    )  # fmt: skip
    below = [point.observed - point.low for point in points]
    above = [point.high - point.observed for point in points]
    colour, marker = style(0)
    panel.errorbar(
        [point.mean_p for point in points],
        [point.observed for point in points],
        yerr=[[max(0.0, each) for each in below], [max(0.0, each) for each in above]],
        fmt=f"{marker}-", color=colour, markersize=4, linewidth=1.2, elinewidth=1,
    )  # fmt: skip
    ece, brier = run.score("ece"), run.score("brier")
    shown = [
        f"{name} {two_decimals(score.value)}"
        for name, score in (("ECE", ece), ("Brier", brier))
        if score is not None and score.value is not None
    ]
    panel.set_title("\n".join([short_title(run), ", ".join(shown)]).rstrip(), loc="left")
    panel.set_aspect("equal")
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(-0.02, 1.02)
    share_axis(panel.xaxis)
    share_axis(panel.yaxis)
    panel.grid()


def _words(run: Subject) -> str:
    bins = ", ".join(
        f"P {two_decimals(point.mean_p)} observed {two_decimals(point.observed)} (n = {point.n:,})"
        for point in run.reliability
    )
    return (
        f"{subject_title(run)}: calibration error {interval_text(run.score('ece'))}, Brier score "
        f"{interval_text(run.score('brier'))}; {bins}"
    )
