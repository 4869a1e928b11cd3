"""Edge cases apart: views and abnormal findings that training has hardly seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.questions.answers import read_answer
from engine.questions.vocabulary import NORMALITY
from engine.scoring.over_seeds import estimate
from engine.study.analysis.flattering import flattery
from engine.study.analysis.images import measured_images
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_of, estimate_words
from engine.study.results import StudyTable
from engine.text import one_line
from engine.types import Split, Verdict

VIEWS = 3
FINDINGS = 6
LONGEST = 60
"""Characters of a finding that are shown."""


def rare_part(material: Material) -> PartResult:
    """Share of right answers to the first question in the rarest views, and for the rarest findings where it is Q7."""
    question = material.questions[0]
    arms = material.arms(material.target(question))
    if not arms:
        return PartResult()
    rows = _views(material, arms)
    if question == NORMALITY:
        rows += _findings(material, arms)
    heads = ("edge case", "in training", "n", *(arm.name for arm in arms))
    note = (
        f"Share of right answers to {question} with the 95 % interval, on the {VIEWS} views that are rarest in training"
        + (f", and the {FINDINGS} rarest abnormal findings that were measured" if question == NORMALITY else "")
        + ". Few cases each: the intervals say how little a row tells by itself."
        + "".join(f" {each}" for each in flattery(material, arms, ["accuracy"]))
    )
    return PartResult((StudyTable("rare", "Edge cases", note, heads, tuple(rows)),) if rows else ())


def _views(material: Material, arms: Sequence[Subject]) -> list[tuple[str, ...]]:
    views = np.array([output.view for output in material.outputs(arms[0].seeds[0].row)], dtype=object)
    trained = Counter(image.view for image in measured_images(material).values() if image.split is Split.TRAIN)
    if not trained:
        return []
    rarest = sorted(set(views), key=lambda view: (trained[view], view))[:VIEWS]
    return [_row(material, arms, f"view {one_line(view)}", trained[view], views == view) for view in rarest]


def _findings(material: Material, arms: Sequence[Subject]) -> list[tuple[str, ...]]:
    """By the words of the annotation, spaces, case and final stops aside."""
    words = np.array([_finding(case.target_text) for case in material.cases(arms[0].seeds[0].row)], dtype=object)
    images = measured_images(material).values()
    answers = Counter((image.answers or {}).get(NORMALITY, "") for image in images if image.split is Split.TRAIN)
    trained: Counter[str] = Counter()
    for text, count in answers.items():
        trained[_finding(text)] += count
    if not answers:
        return []
    rarest = sorted(set(words) - {""}, key=lambda finding: (trained[finding], finding))[:FINDINGS]
    return [_row(material, arms, _shown(each), trained[each], words == each) for each in rarest]


def _finding(text: str) -> str:
    """An abnormal answer in lower case; "" for every other."""
    if read_answer(NORMALITY, text).value != Verdict.ABNORMAL:
        return ""
    return " ".join(text.split()).casefold().rstrip(" .")


def _shown(finding: str) -> str:
    text = one_line(finding)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _row(
    material: Material, arms: Sequence[Subject], name: str, trained: int, members: NDArray[np.bool_]
) -> tuple[str, ...]:
    members = np.asarray(members, dtype=bool)
    cells = []
    for arm in arms:
        values = material.values(arm, "accuracy")
        found = None if values is None else estimate(values.at(members), material.resampling)
        cells.append(estimate_words(estimate_of(found)))
    return (name, f"{trained:,}", f"{int(members.sum()):,}", *cells)
