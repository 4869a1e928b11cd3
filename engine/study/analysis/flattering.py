"""Whether a figure was flattered: its threshold chosen on the very images that it judges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.evaluation.scores import flatters
from engine.questions.vocabulary import NORMALITY
from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject

FIXED_HERE = "The threshold was fixed on the same validation images, which flatters sensitivity."
CHOSEN_HERE = "Thresholds of Q7 were chosen on the same validation images, which flatters what they decide."


def flattery(material: Material, subjects: Sequence[Subject], figures: Iterable[str]) -> list[str]:
    """Sentences on thresholds of Q7 that were chosen on the images that they judge; none for other questions.

    Args:
        material: of the study.
        subjects: of one question, on the deciding split.
        figures: that are shown of them; AUROC and what a text says need no threshold.
    """
    names = {each for each in figures if each != "auroc" and not each.startswith("text_")}
    if not any(each.question == NORMALITY for each in subjects):
        return []
    found = [FIXED_HERE] if SENSITIVITY_AT_SPECIFICITY in names and material.measure.split == "validation" else []
    chosen = any(flatters(seed.row.threshold_source) for subject in subjects for seed in subject.seeds)
    return found + ([CHOSEN_HERE] if chosen and names - {SENSITIVITY_AT_SPECIFICITY} else [])
