"""All subjects with their intervals: what a difference is worth can be seen."""

from __future__ import annotations

from typing import Any

from engine.reporting.model import Report
from engine.reporting.names import interval_text, main_measures, measure_title, short_title, subject_title
from engine.reporting.plots.canvas import GREY, WIDTH, drawn, errors, limits, style
from engine.reporting.plots.picture import INK, MUTED, Picture
from engine.reporting.subject import Subject
from engine.types import Score

MOST_PANELS = 4
CHANCE = {"balanced_accuracy": 0.5, "text_balanced_accuracy": 0.5, "auroc": 0.5, "mcc": 0.0}
"""What guessing gives."""


def intervals_plot(report: Report) -> Picture | None:
    """One panel a measure, one line a subject; the control on grey images stands below its run."""
    names = [name for name in main_measures(report) if name != "accuracy"][:MOST_PANELS] or list(main_measures(report))
    subjects = [*report.runs, *report.references]
    if not names or not subjects:
        return None
    height = 0.95 + 0.3 * len(subjects)

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            _panel(panel, report, subjects, name)
        panels[0].set_yticks(range(len(subjects)), [short_title(subject) for subject in subjects])
        panels[0].set_ylim(len(subjects) - 0.4, -0.6)

    grey = any(subject.grey(report.primary) for subject in subjects)
    below = f" Hollow squares: {measure_title(report.primary)} with a grey image in place of each." if grey else ""
    return drawn(
        "intervals",
        (WIDTH, height),
        draw,
        caption=f"Figures with their 95 % intervals, n = {report.group.n:,} cases{_abnormal(report)}. References in "
        f"grey; dotted lines: guessing.{below}",
        alternative=_words(report, subjects, names),
    )


def _panel(panel: Any, report: Report, subjects: list[Subject], name: str) -> None:
    panel.set_title(measure_title(name), loc="left")
    if name in CHANCE:
        panel.axvline(CHANCE[name], color=MUTED, linewidth=0.9, linestyle=":")
    panel.grid(axis="x")
    panel.set_axisbelow(True)
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    shown: list[float] = []
    for place, subject in enumerate(subjects):
        score = subject.score(name)
        if score is not None:
            colour = GREY if subject.reference is not None else style(0)[0]
            _line(panel, place, score, colour, "o", filled=True)
            shown += [end for end in (score.value, score.low) if end is not None]
        grey = subject.grey(name) if name == report.primary else None
        if grey is not None:
            _line(panel, place + 0.28, grey, INK, "s", filled=False)
    panel.set_xlim(*limits(shown))
    panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _line(panel: Any, place: float, score: Score, colour: str, marker: str, *, filled: bool) -> None:
    value = float(score.value or 0.0)
    panel.errorbar(
        [value], [place], xerr=errors(score.low, value, score.high), fmt=marker, color=colour,
        markersize=5 if filled else 3.6, markerfacecolor=colour if filled else "none",
        elinewidth=1.6 if filled else 0.9, capsize=0, zorder=3,
    )  # fmt: skip


def _abnormal(report: Report) -> str:
    return "" if report.group.abnormal is None else f", {report.group.abnormal:,} of them abnormal"


def _words(report: Report, subjects: list[Subject], names: list[str]) -> str:
    lines = []
    for subject in subjects:
        figures = [f"{measure_title(name)} {interval_text(subject.score(name))}" for name in names]
        grey = subject.grey(report.primary)
        figures += [f"{measure_title(report.primary)} on grey images {interval_text(grey)}"] if grey else []
        lines.append(f"{subject_title(subject)}: {', '.join(figures)}")
    return f"Figures with 95 % intervals. {'; '.join(lines)}."
