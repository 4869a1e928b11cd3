"""The methods of a study: data, arms, seeds, the figure that decides, intervals and tests, with the values used."""

from __future__ import annotations

from collections.abc import Mapping

from engine.reporting.document.blocks import Block, Code, Heading, Paragraph, Words
from engine.reporting.names import counted, listed, question_title
from engine.reporting.prose.methods import KINDS, libraries
from engine.reporting.study.forms import figure_title
from engine.reporting.study.model import StudyPage
from engine.scoring.bootstrap import RESAMPLES
from engine.scoring.measures import PRIMARY
from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.scoring.verdicts import SIGNIFICANT
from engine.study.answering import TESTED, declared_late
from engine.study.results import StudyResult
from engine.text import one_line
from engine.types import Split

NORMALITY = "Q7"
DECLARED = "What decides was declared before anything ran."
LATE = "What decides was not declared before something had been measured: see the warnings."
MEANINGS = {
    "auroc": "AUROC: how often an abnormal image is rated above a normal one; 0.5 is guessing.",
    "section_accuracy": "Section accuracy: the share of the eight sections of a report that are right, over reports.",
    "completeness": "Completeness: the share of the eight sections that a report has, over reports; whether what is "
    "in them is right is another figure.",
    "coherence": "Coherence: the share of the rules between sections that the answers keep, over images to which any "
    "applies; answers that fit each other can be wrong.",
    "coherent_reports": "Coherent reports: the share of reports that break no rule between their sections.",
    SENSITIVITY_AT_SPECIFICITY: "Sensitivity at that specificity: the share of abnormal images that are found.",
}
"""What figures are that are no common measures, or that only decisions look at."""
UNADJUSTED = {"non_inferior": "non-inferiority", "at_least": "thresholds"}
"""Kinds of decisions that look where an interval lies."""


def method_blocks(page: StudyPage) -> list[Block]:
    """One paragraph for each of the things that a reader must know to do it again."""
    return [
        Heading(2, "Methods"),
        Paragraph(_data(page)),
        Paragraph(_design(page.result)),
        Paragraph([_figures(page.result)]),
        Paragraph([_statistics(page.result)]),
        *_machines(page),
    ]


def _data(page: StudyPage) -> Words:
    result = page.result
    kind = "drawn ultrasound phantoms" if page.phantoms else KINDS.get(page.dataset_kind, "")
    words: list[str | Code] = [f"Data: the dataset {one_line(result.dataset)}{f' ({kind})' if kind else ''}"]
    if result.n:
        abnormal = "" if result.abnormal is None else f", {result.abnormal:,} of them abnormal"
        words.append(f"; measured on {counted(result.n, 'case')} of its {one_line(result.split)} split{abnormal}. ")
    else:
        words.append(f"; to be measured on its {one_line(result.split)} split. ")
    prints = (
        ("Fingerprint of images, questions and answers: ", result.dataset_fingerprint),
        ("Of the split: ", result.split_fingerprint),
        ("Of the cases, one and the same for all arms: ", result.cases_fingerprint),
    )
    for said, value in prints:
        words += [said, Code(value), ". "] if value else []
    if result.n and not result.cases_fingerprint:
        words.append("Each question has cases of its own, the same for all of its arms.")
    return words


def _design(result: StudyResult) -> Words:
    seeds = counted(result.seeds, "seed")
    words: list[str | Code] = [f"Arms: {seeds} of each that is trained; all are reported, none is picked. "]
    if result.varies:
        words.append("Arms may differ in these keys of the recipe alone: ")
        for place, key in enumerate(result.varies):
            words += [", " if place else "", Code(key)]
        words.append("; all else is the same, as are the images that they are measured on. ")
    else:
        words.append("Arms do not differ in their recipe. ")
    words.append(f"Scale: {one_line(result.scale)}")
    words += [f", meant for {one_line(result.machine)}" if result.machine else "", ". "]
    words += [one_line(result.note)] if result.note else []
    return words


def _figures(result: StudyResult) -> str:
    """Which figure decides for each question, and why that one; those that decisions alone look at as well."""
    found = dict.fromkeys((figure.question, figure.figure) for figure in result.figures)
    found |= dict.fromkeys((answer.question, answer.figure) for answer in result.answers)
    by_reason: dict[str, list[str]] = {}
    for question, figure in found:
        by_reason.setdefault(_reason(question, figure, result.split), []).append(
            f"{figure_title(figure)} for {question_title(question)}"
        )
    said = [f"{listed(figures)}: {reason}." for reason, figures in by_reason.items()]
    said += [MEANINGS[figure] for figure in dict.fromkeys(figure for _, figure in found) if figure in MEANINGS]
    return " ".join([LATE if declared_late(result) else DECLARED, *said])


def _reason(question: str, figure: str, split: str) -> str:
    if figure == SENSITIVITY_AT_SPECIFICITY:
        return (
            "the threshold is the smallest that reaches the declared specificity on the normal validation images, each "
            f"arm its own; what it finds is counted on the {one_line(split)} split"
        )
    if question == NORMALITY and figure == "auroc" and split == Split.VALIDATION:
        return (
            "it needs no threshold, and one that was chosen on the validation images that are measured here would "
            "flatter"
        )
    if PRIMARY.get(question) == figure:
        return "the main figure of the question, fixed for all of the workbench"
    return "as the study file says"


def _statistics(result: StudyResult) -> str:
    sentences = [
        "Figures are means over the seeds. Their 95 % intervals are percentile intervals (but for AUROC, see below) of "
        f"a bootstrap over images with {RESAMPLES:,} resamples, stratified by class where the figure is, with the same "
        "resamples for every seed and arm, and never narrower than Wilson's of each class put together by MOVER; "
        "shares of a single seed have Wilson intervals. They hold the chance of the images, not that of the training: "
        "the spread of the seeds (standard deviation) stands beside them.",
        *map(one_line, result.notes),
    ]
    kinds = {answer.kind for answer in result.answers}
    if kinds & set(TESTED):
        family = max((answer.family for answer in result.answers if answer.kind in TESTED), default=1)
        sentences.append(
            "Arms are compared in pairs on the same images: two-sided swap test, for AUROC the test of DeLong, "
            f"adjusted by Holm over {counted(family, 'test')}. A difference counts only where its interval excludes 0 "
            f"and the adjusted p is below {SIGNIFICANT}; otherwise the two are not distinguishable, which is not the "
            "same as equal."
        )
    if "non_inferior" in kinds:
        sentences.append(
            "Non-inferior: the lower end of the 95 % interval of the difference lies above minus the margin that was "
            "declared."
        )
    if "at_least" in kinds:
        sentences.append("A threshold is reached where the whole 95 % interval lies at or above it.")
    if not result.notes and (alone := [words for kind, words in UNADJUSTED.items() if kind in kinds]):
        sentences.append(
            f"Answers on {listed(alone)} are not adjusted by Holm: each stands for itself, at 2.5 % one-sided, so of "
            "many of them some can be wrong by chance."
        )
    return " ".join(sentences)


def _machines(page: StudyPage) -> list[Block]:
    """Where it ran, with which versions; nothing where that is not on record."""
    trained = [source for source in page.sources if source.trained_on]
    sentences = []
    if trained:
        sentences.append(f"Trained on {listed(dict.fromkeys(one_line(each.trained_on) for each in trained))}.")
    hosts = list(dict.fromkeys(one_line(each.host) for each in page.sources if each.host))
    if hosts:
        sentences.append(f"Measured on {listed(hosts)}.")
    versions = _distinct([source.versions for source in trained if source.versions])
    if len(versions) == 1:
        sentences.append(f"Versions: {libraries(versions[0])}.")
    elif versions:
        sentences.append(f"Trained with {len(versions)} sets of versions: {'; '.join(map(libraries, versions))}.")
    revisions = list(dict.fromkeys(one_line(each.revision) for each in trained if each.revision))
    if revisions:
        sentences.append(f"Revision of the code: {listed(revisions)}.")
    return [Paragraph([" ".join(sentences)])] if sentences else []


def _distinct(found: list[Mapping[str, str]]) -> list[dict[str, str]]:
    return [dict(each) for each in dict.fromkeys(tuple(sorted(versions.items())) for versions in found)]
