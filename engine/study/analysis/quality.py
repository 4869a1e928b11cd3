"""Figures by the annotated quality of the images: does an arm hold up on images that were poor from the start?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.questions.answers import read_answer
from engine.questions.reading import Status
from engine.questions.vocabulary import NORMALITY
from engine.scoring.over_seeds import estimate
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.flattering import flattery
from engine.study.analysis.images import measured_images
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_of, estimate_words, named
from engine.study.results import Estimate, Point, Series, StudyChart, StudyTable
from engine.types import Verdict

QUALITY = "Q6"
TIERS = ("good", "medium", "low")
"""Canonical answers to Q6, the best first."""


def quality_part(material: Material) -> PartResult:
    """A row for each tier of quality and each arm, for the first question."""
    question = material.questions[0]
    arms = material.arms(material.target(question))
    if not arms:
        return PartResult()
    tiers = _tiers(material, arms[0])
    figure = deciding_figure(material.scaled, question)
    shown = [tier for tier in (*TIERS, *sorted({*tiers.tolist()} - {*TIERS, ""})) if (tiers == tier).any()]
    if not shown:
        return PartResult()
    estimates = {(tier, arm.name): _estimate(material, arm, figure, tiers == tier) for tier in shown for arm in arms}
    abnormal = _abnormal(material, arms[0])
    counts = ("n", "abnormal") if question == NORMALITY else ("n",)
    rows = tuple(
        (
            tier,
            f"{int((tiers == tier).sum()):,}",
            *((f"{int((abnormal & (tiers == tier)).sum()):,}",) if question == NORMALITY else ()),
            *(estimate_words(estimates[tier, arm.name]) for arm in arms),
        )
        for tier in shown
    )
    heads = ("quality", *counts, *(arm.name for arm in arms))
    note = f"{named(figure)} of {question} by the annotated quality of the images ({QUALITY}), shown as they are."
    note += "".join(f" {each}" for each in flattery(material, arms, [figure]))
    if any(each.value is None for each in estimates.values()):
        note += " A dash: the tier has images of one class alone, or none, and the figure needs several."
    series = tuple(Series(arm.name, tuple(Point(tier, estimates[tier, arm.name]) for tier in shown)) for arm in arms)
    chart = StudyChart("quality", f"{question} by image quality", "intervals", "quality", figure, series)
    return PartResult((StudyTable("quality", "By image quality", note, heads, rows),), (chart,))


def _tiers(material: Material, subject: Subject) -> NDArray[np.str_]:
    """Tier of each measured image in path order; "" where its annotation tells none."""
    images = measured_images(material)
    known: dict[str, str] = {}
    tiers = []
    for output in material.outputs(subject.seeds[0].row):
        image = images.get(output.path)
        text = (image.answers or {}).get(QUALITY, "") if image is not None else ""
        if text not in known:
            reading = read_answer(QUALITY, text)
            known[text] = reading.value.casefold() if reading.status is Status.READ else ""
        tiers.append(known[text])
    return np.array(tiers, dtype=np.str_)


def _abnormal(material: Material, subject: Subject) -> NDArray[np.bool_]:
    if subject.question != NORMALITY:
        return np.zeros(len(material.outputs(subject.seeds[0].row)), dtype=bool)
    return np.array(
        [each.target.value == Verdict.ABNORMAL for each in material.cases(subject.seeds[0].row)], dtype=bool
    )


def _estimate(material: Material, subject: Subject, figure: str, members: NDArray[np.bool_]) -> Estimate:
    values = material.values(subject, figure)
    return estimate_of(
        None if values is None else estimate(values.at(members), material.resampling), int(members.sum())
    )
