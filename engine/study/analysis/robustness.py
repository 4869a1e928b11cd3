"""How figures fall as images get worse: curves over severity, and whether an arm falls less than the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from engine.formatting import UNKNOWN
from engine.scoring.over_seeds import Contrast, contrast
from engine.scoring.seed_values import SeedValues
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.figures import arm_figure
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import difference_words, named
from engine.study.results import Estimate, Point, Series, StudyChart, StudyTable


def robustness_part(material: Material) -> PartResult:
    """A chart for each degradation with a curve for each arm, and a table of how far each arm falls."""
    question = _question(material)
    if question is None:
        return PartResult()
    figure = deciding_figure(material.scaled, question)
    names = [each.name for each in material.arms(material.target(question))]
    charts = [_chart(material, question, kind, figure, names) for kind in material.measure.degradations]
    rows = [row for kind in material.measure.degradations for row in _rows(material, question, kind, figure, names)]
    heads = ("degradation", "arm", "n", "mean drop", f"drop at {_worst(material)}", "less than the baseline by")
    note = (
        f"Drop of {named(figure)} ({question}) from the images as they are: above 0 it is worse on degraded ones; the "
        f"mean is over all severities. Last column: how much less the arm drops at severity {_worst(material)} than "
        f"{material.scaled.baseline}, on the same images with the 95 % interval; above 0 the arm is the more robust. "
        "Thresholds are those of the validation images as they are. The columns are many and not adjusted for: they "
        "decide nothing."
    )
    table = StudyTable("robustness", "Robustness", note, heads, tuple(rows), words=(1,))
    return PartResult((table,) if rows else (), tuple(each for each in charts if each.series))


def _question(material: Material) -> str | None:
    """The one that degraded images were measured for."""
    measured = {target.question for cell in material.found.cells for target in cell.measured if target.degradation}
    return next((question for question in material.questions if question in measured), None)


def _worst(material: Material) -> int:
    return max(material.measure.severities, default=0)


def _degraded(material: Material, name: str, question: str, kind: str) -> dict[int, Subject]:
    """An arm on each severity that it was measured on; 0 are the images as they are."""
    found = {}
    for severity in (0, *sorted(material.measure.severities)):
        degradation = f"{kind}:{severity}" if severity else ""
        subjects = material.arms(material.target(question, degradation=degradation))
        subject = next((each for each in subjects if each.name == name), None)
        if subject is not None:
            found[severity] = subject
    return found


def _chart(material: Material, question: str, kind: str, figure: str, names: Sequence[str]) -> StudyChart:
    series = []
    for name in names:
        found = _degraded(material, name, question, kind)
        points = tuple(Point(severity, arm_figure(material, each, figure).estimate) for severity, each in found.items())
        series += [Series(name, points)] if len(points) > 1 else []
    note = "Severity 0: the images as they are."
    title = kind.replace("_", " ")
    return StudyChart(f"robustness-{kind}", title, "curves", "severity", figure, tuple(series), note, "robustness")


def _rows(material: Material, question: str, kind: str, figure: str, names: Sequence[str]) -> list[tuple[str, ...]]:
    by_arm = {name: _values(material, _degraded(material, name, question, kind), figure) for name in names}
    baseline = by_arm.get(material.scaled.baseline, {})
    worst = _worst(material)
    rows = []
    for name, values in by_arm.items():
        severities = [each for each in values if each]
        if 0 not in values or not severities:
            continue
        mean = [(1.0, values[0]), *((-1 / len(severities), values[each]) for each in severities)]
        at_worst = [(1.0, values[0]), (-1.0, values[worst])] if worst in values else []
        less: list[tuple[float, SeedValues]] = []
        if at_worst and name != material.scaled.baseline and {0, worst} <= baseline.keys():
            less = [(1.0, baseline[0]), (-1.0, baseline[worst]), *((-weight, each) for weight, each in at_worst)]
        found = [contrast(terms, material.resampling) if terms else None for terms in (mean, at_worst, less)]
        n = f"{found[0].n:,}" if found[0] else UNKNOWN
        rows.append((kind.replace("_", " "), name, n, *map(_words, found)))
    return rows


def _values(material: Material, found: dict[int, Subject], figure: str) -> dict[int, SeedValues]:
    values = {severity: material.values(subject, figure) for severity, subject in found.items()}
    return {severity: each for severity, each in values.items() if each is not None}


def _words(found: Contrast | None) -> str:
    return UNKNOWN if found is None else difference_words(Estimate(found.value, found.low, found.high, found.n))
