"""Figures by view: an average hides the view on which a model fails."""

from __future__ import annotations

from typing import Any

from engine.reporting.document.results import view_measures
from engine.reporting.model import Report
from engine.reporting.names import cut, interval_text, measure_title, short_title, subject_title
from engine.reporting.plots.canvas import GREY, MOST_COLOURED, WIDTH, drawn, errors, limits, style
from engine.reporting.plots.picture import INK, MUTED, Picture
from engine.reporting.subject import Subject
from engine.text import one_line
from engine.types import Reference

MOST_PANELS = 2
LONGEST_VIEW = 26
PREFERRED = ("sensitivity", "specificity", "text_sensitivity", "text_specificity")
"""Of Q7: most views have too few abnormal cases for a balanced accuracy of their own."""


def views_plot(report: Report) -> Picture | None:
    """One line a view, those of the nuchal translucency first; None where nothing was scored by view."""
    names = _measures(report)
    views = report.views
    subjects = _shown(report)
    if not names or len(views) < 2 or not report.runs:
        return None
    step = max(0.55, 0.2 * len(subjects) + 0.2)

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            _panel(panel, subjects, views, name)
        panels[0].set_yticks(range(len(views)), [cut(one_line(view), LONGEST_VIEW) for view in views])
        panels[0].set_ylim(len(views) - 0.5, -0.5)
        handles, labels = panels[0].get_legend_handles_labels()
        columns = min(3, len(labels))
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False, handletextpad=0.3)

    left = len(report.runs) - MOST_COLOURED
    more = f" The first {MOST_COLOURED} of {len(report.runs)} runs; the table has all." if left > 0 else ""
    return drawn(
        "views",
        (WIDTH, 0.9 + 0.42 * step * len(views) + 0.2 * -(-len(subjects) // 3)),
        draw,
        caption=f"By view, with 95 % intervals; at the right of each line the cases behind it.{more}",
        alternative=_words(subjects, views, names),
    )


def _measures(report: Report) -> tuple[str, ...]:
    there = view_measures(report)
    preferred = tuple(name for name in PREFERRED if name in there)
    return (preferred or there)[:MOST_PANELS]


def _shown(report: Report) -> list[Subject]:
    by_view = [each for each in report.references if each.reference == Reference.MAJORITY_BY_VIEW]
    return [*report.runs[:MOST_COLOURED], *by_view[:1]]


def _panel(panel: Any, subjects: list[Subject], views: tuple[str, ...], name: str) -> None:
    panel.set_title(measure_title(name), loc="left")
    offsets = [(place - (len(subjects) - 1) / 2) * 0.78 / max(len(subjects), 2) for place in range(len(subjects))]
    shown: list[float] = []
    for place, (subject, offset) in enumerate(zip(subjects, offsets, strict=True)):
        reference = subject.reference is not None
        colour, marker = (GREY, "x") if reference else style(place)
        panel.errorbar([], [], xerr=[], fmt=marker, color=colour, label=short_title(subject), markersize=4.5)
        for line, view in enumerate(views):
            score = subject.score(name, f"view:{view}")
            if score is None or score.value is None:
                continue
            panel.errorbar(
                [score.value], [line + offset], xerr=errors(score.low, score.value, score.high), fmt=marker,
                color=colour, markersize=4.5, elinewidth=0.8 if reference else 1.3, zorder=2 if reference else 3,
            )  # fmt: skip
            shown += [end for end in (score.value, score.low) if end is not None]
    low, high = limits(shown)
    for line, view in enumerate(views):
        score = next((s for subject in subjects if (s := subject.score(name, f"view:{view}")) is not None), None)
        words = "no case" if score is None else f"n = {score.n:,}"
        panel.text(high + 0.02, line, words, va="center", ha="left", fontsize=7, color=MUTED if score is None else INK)
    for line in range(len(views) - 1):
        panel.axhline(line + 0.5, color=MUTED, linewidth=0.3)
    panel.set_xlim(low, high)
    panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    panel.grid(axis="x")
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)


def _words(subjects: list[Subject], views: tuple[str, ...], names: tuple[str, ...]) -> str:
    lines = []
    for view in views:
        for subject in subjects:
            figures = [
                f"{measure_title(name)} {interval_text(score, n=True)}"
                for name in names
                if (score := subject.score(name, f"view:{view}")) is not None
            ]
            if figures:
                lines.append(f"{one_line(view)}, {subject_title(subject)}: {', '.join(figures)}")
    return f"Figures by view. {'; '.join(lines)}."
