"""The deciding figure of every arm and reference row, question by question."""

from __future__ import annotations

from statistics import stdev

from engine.questions.vocabulary import NORMALITY
from engine.scoring.cases import probability_of
from engine.scoring.figure_values import FIGURES, check_figure
from engine.scoring.over_seeds import SeedEstimate
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_of, named
from engine.study.results import NO_PROBABILITY, ArmFigure, Point, SeedValue, Series, StudyChart
from engine.types import Outcome, Verdict


def arm_figures(material: Material) -> list[ArmFigure]:
    """Arms in the order of the file, references after them, question by question.

    Raises:
        UsageError: the study decides by a figure that none of its questions has.
    """
    found = []
    named = material.measure.figure
    if named and material.questions and not any(named in FIGURES[question] for question in material.questions):
        check_figure(material.questions[0], named)
    for question in material.questions:
        figure = deciding_figure(material.scaled, question)
        found += [arm_figure(material, each, figure) for each in material.subjects(material.target(question))]
    return found


def arm_figure(material: Material, subject: Subject, figure: str) -> ArmFigure:
    """One figure of one subject with all of its seeds."""
    found = material.estimate(subject, figure)
    by_seed: list[float | None] = [None] * len(subject.seeds) if found is None else list(found.by_seed)
    return ArmFigure(
        arm=subject.name,
        question=subject.question,
        figure=figure,
        estimate=estimate_of(found, len(material.outputs(subject.seeds[0].row)) if found is None else 0),
        seeds=tuple(
            SeedValue(each.seed, None if each.run is None else each.run.id, each.row.id, value)
            for each, value in zip(subject.seeds, by_seed, strict=True)
        ),
        spread=spread(found),
        marks=_marks(material, subject, figure),
        reference=subject.reference is not None,
    )


def _marks(material: Material, subject: Subject, figure: str) -> tuple[str, ...]:
    kinds = dict.fromkeys(str(mark.kind) for mark in material.marks(subject))
    return (*kinds, NO_PROBABILITY) if figure == "auroc" and unranked(material, subject) else tuple(kinds)


def unranked(material: Material, subject: Subject) -> int:
    """Images without P(abnormal) in some seed, which AUROC ranks as wrong as can be.

    0 for other questions, and where a seed has none at all: there is no AUROC then.
    """
    if subject.question != NORMALITY:
        return 0
    lacking: set[str] = set()
    for each in subject.seeds:
        cases = [case for case in material.cases(each.row) if case.target.value in (Verdict.ABNORMAL, Verdict.NORMAL)]
        without = {case.path for case in cases if case.outcome is not Outcome.UNSCORED and probability_of(case) is None}
        if len(without) == len(cases):
            return 0
        lacking |= without
    return len(lacking)


def spread(found: SeedEstimate | None) -> float | None:
    """Standard deviation over the seeds; None for fewer than two."""
    return stdev(found.by_seed) if found is not None and len(found.by_seed) > 1 else None


def figure_charts(figures: list[ArmFigure]) -> list[StudyChart]:
    """The deciding figures side by side with their intervals, one chart a question."""
    charts = []
    for question, name in dict.fromkeys((each.question, each.figure) for each in figures):
        shown = [each for each in figures if each.question == question]
        series = tuple(Series(each.arm, (Point(each.arm, each.estimate, _seeds_label(each)),)) for each in shown)
        title = f"{question}: {named(name)}"
        charts.append(StudyChart(f"figures-{question}", title, "intervals", "", name, series, _NOTE))
    return charts


_NOTE = "Mean over all seeds with the 95 % interval over images, which does not hold the spread of the seeds."


def _seeds_label(found: ArmFigure) -> str:
    values = [each.value for each in found.seeds if each.value is not None]
    return f"seeds {min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""


def counts_of(material: Material, subject: Subject) -> tuple[int, int | None]:
    """Cases whose target can be read, and how many of them are abnormal (None for other questions than Q7)."""
    row = subject.seeds[0].row
    if subject.question != NORMALITY:
        return sum(each.outcome is not Outcome.UNSCORED for each in material.outputs(row)), None
    targets = [each.target.value for each in material.cases(row) if each.outcome is not Outcome.UNSCORED]
    decided = [each for each in targets if each in (Verdict.ABNORMAL, Verdict.NORMAL)]
    return len(decided), sum(each == Verdict.ABNORMAL for each in decided)
