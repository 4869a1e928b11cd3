"""From a study as it stands to what it has found."""

from __future__ import annotations

from engine.questions.vocabulary import NORMALITY
from engine.store.reader import Reader
from engine.study.analysis.decisions import answers
from engine.study.analysis.figures import arm_figures, counts_of, figure_charts
from engine.study.analysis.flattering import flattery
from engine.study.analysis.left_out import left_out_warnings
from engine.study.analysis.material import Material
from engine.study.analysis.missing import missing_beside_others, missing_cells, missing_references
from engine.study.analysis.notes import notes_on
from engine.study.analysis.parts import run_parts
from engine.study.analysis.words import few_words
from engine.study.found import FoundStudy
from engine.study.results import Answer, ArmFigure, StudyResult
from engine.workspace import Workspace


def analyse(workspace: Workspace, found: FoundStudy) -> StudyResult:
    """Figures, answers, tables and charts of a study, from what is stored: for whatever is done so far.

    Args:
        workspace: with the runs and evaluations that were found.
        found: the study at one scale.

    Raises:
        UsageError: the study decides by a figure that its question does not have.
        StoreError: runs.db cannot be read.
    """
    with Reader(workspace) as reader:
        return analyse_in(Material(reader, found))


def analyse_in(material: Material) -> StudyResult:
    """As `analyse`, from material that is open already."""
    found, study = material.found, material.scaled.study
    figures = arm_figures(material)
    decided = answers(material)
    parts = run_parts(material)
    n, abnormal = _counts(material)
    fingerprints = _cases_fingerprints(material)
    return StudyResult(
        study=study.name,
        title=study.title,
        question=study.question,
        scale=material.scaled.name,
        machine=material.scaled.scale.machine,
        note=material.scaled.scale.note,
        dataset=found.dataset,
        dataset_fingerprint=found.dataset_fingerprint,
        split_fingerprint=found.split_fingerprint,
        cases_fingerprint=fingerprints[0] if len(fingerprints) == 1 else "",
        split=material.measure.split,
        n=n,
        abnormal=abnormal,
        varies=tuple(study.varies),
        seeds=material.scaled.seeds,
        figures=tuple(figures),
        answers=tuple(decided),
        tables=tuple(table for part in parts for table in part.tables),
        charts=(*figure_charts(figures), *(chart for part in parts for chart in part.charts)),
        warnings=(*material.warnings, *_reading_warnings(material, figures, decided, n, abnormal)),
        missing=(*missing_cells(found), *missing_references(material), *missing_beside_others(material)),
        looks=len(material.reader.test_looks(found.dataset, found.split_fingerprint or None)),
        evaluations=tuple(sorted(material.used)),
        notes=tuple(notes_on(figures, decided)),
    )


def _counts(material: Material) -> tuple[int, int | None]:
    """Cases of the first question, and abnormal ones among them."""
    for question in material.questions[:1]:
        for subject in material.subjects(material.target(question)):
            return counts_of(material, subject)
    return 0, None


def _cases_fingerprints(material: Material) -> list[str]:
    """One a question, without repeats."""
    found = (material.subjects(material.target(question)) for question in material.questions)
    return list(dict.fromkeys(each[0].seeds[0].row.cases_fingerprint for each in found if each))


def _reading_warnings(
    material: Material, figures: list[ArmFigure], decided: list[Answer], n: int, abnormal: int | None
) -> list[str]:
    """What must be known of the figures as a whole."""
    warnings = []
    if few := few_words(abnormal, n).strip():
        warnings.append(few if n else "Nothing is measured yet.")
    names = {each.figure for each in figures if each.question == NORMALITY}
    names |= {each.figure for each in decided if each.question == NORMALITY}
    warnings += flattery(material, material.arms(material.target(NORMALITY)), names)
    return warnings + left_out_warnings(material, figures, decided)
