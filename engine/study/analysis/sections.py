"""The combined report by its eight sections: is it whole, and which sections are right."""

from __future__ import annotations

from engine.questions.prompts import QUESTIONS, REPORT_ID
from engine.study.analysis.figures import arm_figure, counts_of
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.shares import outcome_share
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_words
from engine.study.results import Point, Series, StudyChart, StudyTable
from engine.types import QUESTION_IDS, Outcome

FIGURES = ("completeness", "section_accuracy", "coherence", "coherent_reports", "accuracy")
HEADS = (
    "subject",
    "seeds",
    "n",
    "sections there",
    "sections right",
    "coherence",
    "reports that break no rule",
    "all eight right",
    "cut off",
)
NOTE = "A missing section is not right, and is held against no rule: read coherence beside how many sections are there."


def sections_part(material: Material) -> PartResult:
    """Reports as a whole, and section by section."""
    subjects = material.subjects(material.target(REPORT_ID))
    if not subjects:
        return PartResult()
    rows = tuple(_row(material, each) for each in subjects)
    whole = StudyTable("reports", "Reports", NOTE, HEADS, rows)
    return PartResult((whole, _by_section(material, subjects)), (_chart(material, subjects),))


def _row(material: Material, subject: Subject) -> tuple[str, ...]:
    estimates = [arm_figure(material, subject, figure).estimate for figure in FIGURES]
    estimates.append(outcome_share(material, subject, Outcome.CUT_OFF))
    n, _ = counts_of(material, subject)
    return (subject.name, str(len(subject.seeds)), f"{n:,}", *map(estimate_words, estimates))


def _by_section(material: Material, subjects: list[Subject]) -> StudyTable:
    rows = []
    for question in QUESTION_IDS:
        estimates = [arm_figure(material, each, f"{question}_accuracy").estimate for each in subjects]
        title = f"{question} {QUESTIONS[question].title}"
        rows.append((title, f"{max(each.n for each in estimates):,}", *map(estimate_words, estimates)))
    note = "Share of reports in which the section is right; those whose own target cannot be read are left out."
    heads = ("section", "n", *(each.name for each in subjects))
    return StudyTable("sections", "Right sections", note, heads, tuple(rows))


def _chart(material: Material, subjects: list[Subject]) -> StudyChart:
    series = tuple(
        Series(
            each.name,
            tuple(
                Point(question, arm_figure(material, each, f"{question}_accuracy").estimate)
                for question in QUESTION_IDS
            ),
        )
        for each in subjects
    )
    return StudyChart("sections", "Right sections", "intervals", "section", "accuracy", series)
