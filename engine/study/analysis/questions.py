"""All main measures of every arm, one table a question."""

from __future__ import annotations

from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.scoring.figure_values import FIGURES
from engine.study.analysis.figures import arm_figure, counts_of
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.shares import RATES, outcome_share, unclear_share
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_words, named
from engine.study.results import StudyTable

MAIN = {
    NORMALITY: ("sensitivity", "specificity", "balanced_accuracy", "mcc", "auroc"),
    REPORT_ID: ("section_accuracy", "completeness", "coherence", "accuracy"),
}
"""Measures of a question, where not all of its figures are shown."""
NOTE = (
    "Mean over all seeds with the 95 % interval: Wilson for a share of one seed, resampled images otherwise. Outputs "
    "that are no answer count as not right and stand apart as well."
)
VERDICTS = " Each subject decides at its own threshold on P(abnormal), chosen on validation."
FLATTERED = " These are the same images, which flatters all but AUROC."


def questions_part(material: Material) -> PartResult:
    """A table for each question that anything was measured on."""
    found = [(question, material.subjects(material.target(question))) for question in material.questions]
    return PartResult(tuple(_table(material, question, subjects) for question, subjects in found if subjects))


def _table(material: Material, question: str, subjects: list[Subject]) -> StudyTable:
    figures = MAIN.get(question, FIGURES[question])
    unclear = () if question == REPORT_ID else ("unclear",)
    heads = ("subject", "seeds", "n", *_abnormal_head(question), *map(named, figures), *unclear, *RATES)
    rows = tuple(_row(material, subject, figures) for subject in subjects)
    note = NOTE + (VERDICTS if question == NORMALITY else "")
    note += FLATTERED if question == NORMALITY and material.measure.split == "validation" else ""
    return StudyTable(f"questions-{question}", f"{question}: all measures", note, heads, rows)


def _abnormal_head(question: str) -> tuple[str, ...]:
    return ("abnormal",) if question == NORMALITY else ()


def _row(material: Material, subject: Subject, figures: tuple[str, ...]) -> tuple[str, ...]:
    n, abnormal = counts_of(material, subject)
    estimates = [arm_figure(material, subject, figure).estimate for figure in figures]
    if subject.question != REPORT_ID:
        estimates.append(unclear_share(material, subject))
    estimates += [outcome_share(material, subject, outcome) for outcome in RATES.values()]
    counts = (str(len(subject.seeds)), f"{n:,}", *(() if abnormal is None else (f"{abnormal:,}",)))
    return (subject.name, *counts, *map(estimate_words, estimates))
