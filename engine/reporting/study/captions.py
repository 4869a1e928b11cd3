"""Captions of the charts of a study, and the same charts in words."""

from __future__ import annotations

from collections.abc import Sequence

from engine.reporting.study.forms import counts_text, defined, estimate_text
from engine.study.results import Estimate, StudyChart
from engine.text import one_line


def all_estimates(charts: Sequence[StudyChart]) -> list[Estimate]:
    """Of all points of all charts."""
    return [point.estimate for chart in charts for series in chart.series for point in series.points]


def chart_caption(charts: Sequence[StudyChart], *more: str, intervals: bool = True) -> str:
    """Title, note, and the cases behind the points."""
    first = charts[0]
    titles = [first.panel] if first.panel and len(charts) > 1 else [chart.title for chart in charts]
    sentences = [one_line(title).strip().rstrip(".") + "." for title in titles if title.strip()]
    counts = counts_text(each.n for each in all_estimates(charts) if defined(each).value is not None)
    sentences += [
        f"{'Points with 95 % intervals' if intervals else 'Points'}{f', {counts} cases a point' if counts else ''}."
    ]
    sentences += [note if note.endswith(".") else f"{note}." for note in _notes(charts)]
    sentences = [sentence[:1].upper() + sentence[1:] for sentence in sentences]
    return " ".join([*sentences, *more])


def _notes(charts: Sequence[StudyChart]) -> list[str]:
    return [note for note in dict.fromkeys(one_line(chart.note).strip() for chart in charts) if note]


def chart_words(charts: Sequence[StudyChart]) -> str:
    """All points in words and numbers, for those who don't see them."""
    counts = {each.n for each in all_estimates(charts) if defined(each).value is not None}
    lines = []
    for chart in charts:
        panel = f"{one_line(chart.title)}, " if len(charts) > 1 else ""
        for series in chart.series:
            points = [
                f"{_place(chart, point.x)}{estimate_text(point.estimate, n=len(counts) > 1)}" for point in series.points
            ]
            lines.append(f"{panel}{one_line(series.name)}: {', '.join(points)}")
    title = one_line(charts[0].panel if len(charts) > 1 else charts[0].title).strip().rstrip(".")
    cases = [f"{counts_text(counts)} at every point"] if len(counts) == 1 else []
    return f"{title[:1].upper()}{title[1:]}. {'; '.join([*lines, *cases])}."


def _place(chart: StudyChart, x: float | str) -> str:
    if isinstance(x, str):
        return f"{one_line(x)} "
    return f"at {one_line(chart.x_label)} = {x:.4g} "
