"""ROC curves: one panel a run, with the untuned base behind it and the threshold that was applied."""

from __future__ import annotations

from typing import Any

from engine.reporting.model import Report
from engine.reporting.names import interval_text, short_title, subject_title
from engine.reporting.plots.canvas import GREY, drawn, errors, grid_of, panel_size, share_axis, style
from engine.reporting.plots.picture import INK, MUTED, Picture
from engine.reporting.subject import Subject
from engine.types import Reference

COLUMNS = 3


def roc_plot(report: Report) -> Picture | None:
    """The ROC plot; None where no run has probabilities, or one class has no case."""
    runs = [run for run in report.runs if run.roc]
    if not runs:
        return None
    columns = min(COLUMNS, len(runs))
    rows = -(-len(runs) // columns)
    bases = [subject for subject in report.references if subject.reference == Reference.BASE and subject.roc]

    def draw(figure: Any) -> None:
        panels = grid_of(figure, len(runs), columns, sharex=True, sharey=True)
        for place, (panel, run) in enumerate(zip(panels, runs, strict=True)):
            _panel(panel, run, _base_of(run, bases))
            if place + columns >= len(runs):
                panel.set_xlabel("1 − specificity")
                panel.tick_params(axis="x", labelbottom=True)
            if place % columns == 0:
                panel.set_ylabel("sensitivity")

    group = report.group
    normal = group.n - (group.abnormal or 0)
    behind = " Grey: the untuned base." if bases else ""
    return drawn(
        "roc",
        panel_size(columns, rows),
        draw,
        caption=f"ROC curves of P(abnormal): n = {group.abnormal or 0:,} abnormal and {normal:,} normal cases. "
        "Above each panel: AUROC with its 95 % interval. Cross: sensitivity and specificity with 95 % intervals at the "
        f"threshold that was applied.{behind} Dotted: guessing.",
        alternative="ROC curves. " + "; ".join(_words(run) for run in [*runs, *bases]) + ".",
    )


def _panel(panel: Any, run: Subject, base: Subject | None) -> None:
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=":")
    if base is not None:
        panel.plot(*_line(base), color=GREY, linewidth=1.2)
    panel.plot(*_line(run), color=style(0)[0], linewidth=1.8, solid_joinstyle="miter")
    sensitivity, specificity = run.score("sensitivity"), run.score("specificity")
    if sensitivity and specificity and sensitivity.value is not None and specificity.value is not None:
        x = 1 - specificity.value
        low = None if specificity.high is None else 1 - specificity.high
        high = None if specificity.low is None else 1 - specificity.low
        panel.errorbar(
            [x], [sensitivity.value], xerr=errors(low, x, high),
            yerr=errors(sensitivity.low, sensitivity.value, sensitivity.high),
            fmt="o", color=INK, markersize=3.5, elinewidth=0.9, zorder=4,
        )  # fmt: skip
    panel.set_title(f"{short_title(run)}\nAUROC {interval_text(run.score('auroc'))}", loc="left")
    panel.set_aspect("equal")
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(-0.02, 1.02)
    share_axis(panel.xaxis)
    share_axis(panel.yaxis)
    panel.grid()


def _line(subject: Subject) -> tuple[list[float], list[float]]:
    return [corner.false_positive_rate for corner in subject.roc], [corner.sensitivity for corner in subject.roc]


def _base_of(run: Subject, bases: list[Subject]) -> Subject | None:
    """The untuned model that a run came from; in its precision, if that was measured."""
    own = [base for base in bases if base.model == run.model]
    return max(own, key=lambda base: base.quantization == run.quantization, default=None)


def _words(subject: Subject) -> str:
    return (
        f"{subject_title(subject)}: AUROC {interval_text(subject.score('auroc'))}, at its threshold sensitivity "
        f"{interval_text(subject.score('sensitivity'))} and specificity {interval_text(subject.score('specificity'))}"
    )
