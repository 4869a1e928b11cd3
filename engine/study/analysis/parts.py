"""The further parts of a report, by the name that a study file gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.study.analysis.balance import balance_part
from engine.study.analysis.coherence import coherence_part
from engine.study.analysis.cost import cost_part
from engine.study.analysis.forgetting import forgetting_part
from engine.study.analysis.material import Material
from engine.study.analysis.modules import modules_part
from engine.study.analysis.part import PartResult
from engine.study.analysis.quality import quality_part
from engine.study.analysis.questions import questions_part
from engine.study.analysis.rare import rare_part
from engine.study.analysis.robustness import robustness_part
from engine.study.analysis.sections import sections_part
from engine.study.analysis.wordings import wordings_part
from engine.study.models import Part

PARTS: Mapping[Part, Callable[[Material], PartResult]] = {
    "cost": cost_part,
    "modules": modules_part,
    "questions": questions_part,
    "forgetting": forgetting_part,
    "coherence": coherence_part,
    "sections": sections_part,
    "balance": balance_part,
    "wordings": wordings_part,
    "robustness": robustness_part,
    "quality": quality_part,
    "rare": rare_part,
}


def run_parts(material: Material) -> list[PartResult]:
    """The parts that the study asks for, in its order, each once."""
    return [PARTS[name](material) for name in dict.fromkeys(material.scaled.study.parts)]
