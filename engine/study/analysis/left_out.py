"""Images that a figure says nothing about, and those that had to be ranked without a probability: both are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.study.analysis.figures import counts_of, unranked
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import named
from engine.study.results import Answer, ArmFigure
from engine.text import one_line

OF_ABNORMAL = ("sensitivity", SENSITIVITY_AT_SPECIFICITY)
OF_NORMAL = ("specificity",)


def left_out_warnings(material: Material, figures: Sequence[ArmFigure], decided: Sequence[Answer]) -> list[str]:
    """A sentence for each figure of the result that stands on fewer images than its question has targets.

    Args:
        material: of the study.
        figures: the deciding ones.
        decided: answers, which may stand on further figures.
    """
    shown = [(each.question, each.arm, each.figure, each.estimate.n) for each in figures if each.estimate.n]
    shown += [
        (each.question, name, each.figure, each.difference.n)
        for each in decided
        if each.difference is not None
        for name in (each.arm, each.than)
    ]
    found: dict[str, None] = {}
    for question in material.questions:
        for subject in material.subjects(material.target(question)):
            own = [(figure, n) for of, name, figure, n in shown if (of, name) == (question, subject.name)]
            found.update(dict.fromkeys(_sentences(material, subject, dict.fromkeys(own))))
    return list(found)


def _sentences(material: Material, subject: Subject, own: dict[tuple[str, int], None]) -> Iterator[str]:
    name = f"{one_line(subject.name)} ({subject.question})"
    for figure, n in own:
        wanted = _images(material, subject, figure)
        if n < wanted:
            yield (
                f"{name}: {named(figure)} stands on {n:,} of {wanted:,} images; of the others it says nothing, so "
                "read it beside the rates of answers that are none."
            )
    count = unranked(material, subject)
    if count and any(figure == "auroc" for figure, _ in own):
        yield (
            f"{name}: {count:,} of {_images(material, subject, 'auroc'):,} images have no P(abnormal) (a server's "
            "error, or no number); AUROC ranks each of them as wrong as can be."
        )


def _images(material: Material, subject: Subject, figure: str) -> int:
    """Images that the figure is about: of one class, or all whose target can be read."""
    n, abnormal = counts_of(material, subject)
    plain = figure.removeprefix("text_")
    if abnormal is None or plain not in OF_ABNORMAL + OF_NORMAL:
        return n
    return abnormal if plain in OF_ABNORMAL else n - abnormal
