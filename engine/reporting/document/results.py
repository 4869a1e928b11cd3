"""Tables of what was measured: figures, comparisons, views, confusions, outputs, costs."""

from __future__ import annotations

from collections.abc import Sequence

from engine.formatting import UNKNOWN, duration, number, size
from engine.reporting.document.blocks import Row, Table
from engine.reporting.model import Pair, Report
from engine.reporting.names import (
    cut,
    difference_text,
    interval_text,
    main_measures,
    measure_title,
    other_measures,
    p_cell,
    subject_title,
)
from engine.reporting.subject import Matrix, Subject
from engine.text import one_line
from engine.types import Outcome, Reference

OUTCOME_WORDS = {
    Outcome.RIGHT: "right",
    Outcome.WRONG: "wrong",
    Outcome.UNPARSEABLE: "no answer found",
    Outcome.CUT_OFF: "cut off",
    Outcome.ERROR: "serving error",
    Outcome.UNSCORED: "target unreadable",
}
BASES = {
    "threshold": "P(abnormal) at the threshold of each subject decides",
    "text": "the generated text decides",
}
LONGEST_CELL = 60


def figures_table(report: Report) -> Table:
    """The figures that matter, reference rows first; marks and the control stand beside the one that decides."""
    first, *others = main_measures(report) or (report.primary,)
    heads = ["subject", measure_title(first), "on grey images", "marks", *(measure_title(name) for name in others)]
    rows = [
        Row(
            [
                subject_title(subject),
                interval_text(subject.score(first), n=True),
                interval_text(subject.grey(first) or subject.score("grey")),
                ", ".join(dict.fromkeys(one_line(mark.kind) for mark in subject.marks)) or UNKNOWN,
                *(interval_text(subject.score(name), n=True) for name in others),
            ],
            subject.reference is not None,
        )
        for subject in report.subjects
    ]
    caption = (
        f"Figures with their 95 % intervals and the cases behind them. On grey images: {measure_title(first)} with a "
        "grey image in place of each."
    )
    return Table(caption, heads, rows, words=(3,))


def other_figures_table(report: Report) -> Table | None:
    """All other figures over all cases."""
    names = other_measures(report)
    if not names:
        return None
    rows = [
        Row(
            [subject_title(subject), *(interval_text(subject.score(name), n=True) for name in names)],
            subject.reference is not None,
        )
        for subject in report.subjects
    ]
    return Table("All other figures.", ["subject", *(measure_title(name) for name in names)], rows)


def pairs_table(pairs: Sequence[Pair]) -> Table:
    """Every subject against the first."""
    heads = ["against it", "difference (95 %)", "fixed / broken", "McNemar p", "p (Holm)", "the other is"]
    rows = [
        Row(
            [
                pair.second,
                UNKNOWN if pair.difference is None else difference_text(pair.difference, pair.low, pair.high),
                f"{pair.fixed:,} / {pair.broken:,}",
                UNKNOWN if pair.mcnemar_p is None else p_cell(pair.mcnemar_p),
                UNKNOWN if pair.p_adjusted is None else p_cell(pair.p_adjusted),
                pair.standing,
            ]
        )
        for pair in pairs
    ]
    caption = (
        f"Each subject against {pairs[0].first} on the same {pairs[0].n:,} images. Differences in "
        f"{measure_title(pairs[0].measure)}: the other minus it. Fixed: images that the other alone has right; broken: "
        "images that it alone has right."
    )
    return Table(caption, heads, rows, words=(5,))


def views_table(report: Report) -> Table | None:
    """The figure that decides, and those beside it, in every view; those of the nuchal translucency first."""
    if not report.views or not report.runs:
        return None
    names = view_measures(report)
    shown = [*report.runs, *(each for each in report.references if each.reference == Reference.MAJORITY_BY_VIEW)]
    heads = ["view", "subject", *(measure_title(name) for name in names)]
    rows = []
    for view in report.views:
        for subject in shown:
            cells = [interval_text(subject.score(name, f"view:{view}"), n=True) for name in names]
            rows.append(Row([one_line(view), subject_title(subject), *cells], subject.reference is not None))
    return Table("Figures by view.", heads, rows, words=(1,))


def view_measures(report: Report) -> tuple[str, ...]:
    """The measures of the first table that any view has."""
    scopes = {f"view:{view}" for view in report.views}
    there = {
        score.name
        for subject in report.subjects
        for score in subject.scores
        if score.scope in scopes and score.value is not None
    }
    return tuple(name for name in main_measures(report) if name in there)


def confusion_tables(report: Report) -> list[Table]:
    """One table for each way of deciding: a row for each subject and annotated answer."""
    tables = []
    for basis, words in BASES.items():
        found = [
            (subject, matrix)
            for subject in report.subjects
            for matrix in subject.matrices
            if matrix.basis == basis and subject.reference in (None, Reference.BASE)
        ]
        if found:
            tables.append(_confusion_table(found, words))
    return tables


def _confusion_table(found: Sequence[tuple[Subject, Matrix]], words: str) -> Table:
    said = list(dict.fromkeys(name for _, matrix in found for name in matrix.said))
    rows = []
    for subject, matrix in found:
        for target, counts in zip(matrix.targets, matrix.counts, strict=True):
            by_name = dict(zip(matrix.said, counts, strict=True))
            cells = [UNKNOWN if name not in by_name else f"{by_name[name]:,}" for name in said]
            rows.append(Row([subject_title(subject), cut(one_line(target), LONGEST_CELL), *cells, f"{sum(counts):,}"]))
    heads = ["subject", "annotated", *(f"said: {cut(one_line(name), LONGEST_CELL)}" for name in said), "cases"]
    return Table(f"Confusions, where {words}.", heads, rows, words=(1,))


def outputs_table(report: Report) -> Table:
    """What became of every output."""
    present = [
        o for o in Outcome if o in (Outcome.RIGHT, Outcome.WRONG) or any(s.outcomes.get(o) for s in report.subjects)
    ]
    present += [o for o in (Outcome.UNPARSEABLE, Outcome.CUT_OFF, Outcome.ERROR) if o not in present]
    heads = ["subject", "outputs", *(OUTCOME_WORDS[outcome] for outcome in present)]
    rows = [
        Row(
            [
                subject_title(subject),
                f"{subject.n:,}",
                *(f"{subject.outcomes.get(outcome, 0):,}" for outcome in present),
            ],
            subject.reference is not None,
        )
        for subject in report.subjects
    ]
    return Table("What became of each output, by its text.", heads, rows)


def costs_table(report: Report) -> Table:
    """Time and memory."""
    heads = ["subject", "training", "samples/s", "peak VRAM", "peak host memory", "s/image", "tokens/s", "measured on"]
    rows = []
    for subject in report.subjects:
        if subject.reference in (None, Reference.BASE):
            cost = subject.cost
            cells = [
                duration(cost.train_seconds),
                number(cost.samples_per_second),
                size(cost.peak_vram_bytes),
                size(cost.peak_rss_bytes),
                number(cost.seconds_per_image),
                number(cost.tokens_per_second),
                one_line(cost.evaluation_gpu or "no GPU"),
            ]
            rows.append(Row([subject_title(subject), *cells], subject.reference is not None))
    caption = (
        "Time and memory. Samples a second and memory are those of the training (of the measurement for the base)."
    )
    return Table(caption, heads, rows, words=(7,))
