"""What is known about a phantom, and how the annotation sheet would put it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.types import QUESTION_IDS

VIEWS = ("Trans-ventricular", "Abdomen", "Femur", "NT-View", "Thorax", "Cervix")
"""Folder names of the views, as in the user's data."""


@dataclass(frozen=True, slots=True)
class PhantomLabels:
    """Ground truth of one phantom."""

    seed: int
    view: str
    abnormal: bool
    finding: str
    """Kind of abnormality, such as `short` or `bowed` for a femur; empty when normal."""
    orientation: str
    """Answer to Q2."""
    weeks: float
    """Gestational age."""
    quality: str
    """Good, Medium or Low."""


@dataclass(frozen=True, slots=True)
class ViewVocabulary:
    """Answers of one view."""

    structures: str
    """Answer to Q1 with `{}` where the finding is described."""
    unremarkable: str
    """Description of the normal variant in Q1."""
    findings: Mapping[str, str]
    """Description of each abnormal variant in Q1."""
    plane: str
    measurements: str
    normal: str
    abnormal: Mapping[str, str]
    """Answer to Q7 for each abnormal variant."""
    follow_up: str
    """Answer to Q8 for abnormal images."""


VOCABULARY: Mapping[str, ViewVocabulary] = {
    "Trans-ventricular": ViewVocabulary(
        "skull, midline falx, cavum septi pellucidi, thalami, {}",
        "slim lateral ventricle",
        {"dilated": "dilated lateral ventricle"},
        "Trans-ventricular view",
        "BPD and HC",
        "Normal for gestational age",
        {"dilated": "Abnormal dilated lateral ventricle"},
        "Follow up",
    ),
    "Abdomen": ViewVocabulary(
        "liver, umbilical vein, aorta, inferior vena cava, vertebral column, {}",
        "filled stomach bubble",
        {"absent": "empty stomach area"},
        "Transverse trans-abdominal plane",
        "AC",
        "Normal for gestational age",
        {"absent": "Abnormal absent stomach bubble"},
        "Follow up",
    ),
    "Femur": ViewVocabulary(
        "thigh soft tissue, {}",
        "long straight femur",
        {"short": "short femur", "bowed": "bowed femur"},
        "Longitudinal femur plane",
        "femur length (FL)",
        "Within normal limits",
        {"short": "Abnormal short femur", "bowed": "Abnormal bowed femur"},
        "Follow up",
    ),
    "NT-View": ViewVocabulary(
        "head, nasal bone, spine, thorax, {}",
        "thin nuchal band",
        {"thick": "thick nuchal band"},
        "Mid-sagittal",
        "CRL, NT thickness",
        "Within normal limits",
        {"thick": "Abnormal NT thickening"},
        "Follow up",
    ),
    "Thorax": ViewVocabulary(
        "ribs, lungs, vertebral column, descending aorta, four heart chambers, {}",
        "intact septum",
        {"defect": "septal gap"},
        "Transverse 4-chamber heart view",
        "cardiothoracic ratio (CTR)",
        "Normal for gestational age",
        {"defect": "Abnormal VSD"},
        "Follow up",
    ),
    "Cervix": ViewVocabulary(
        "bladder, fetal head, cervical canal, {}",
        "long closed cervix",
        {"short": "short funnelled cervix"},
        "Sagittal cervix view",
        "cervical length (CL)",
        "Normal closed cervix",
        {"short": "Abnormal short open cervix"},
        "Clinical assessment for delivery mode",
    ),
}

ROUTINE = "Prenatal routine monitoring"

WEEK_BINS = ((8, 13), (13, 15), (15, 20), (20, 25), (25, 30), (30, 35), (35, 38))


def week_bin(weeks: float) -> str:
    """The bin of the annotation sheet, such as `20-25 weeks`."""
    for low, high in WEEK_BINS:
        if low <= weeks < high:
            return f"{low}-{high} weeks"
    return "38+ weeks"


def describe(labels: PhantomLabels) -> str:
    """How Q1 describes the part of the image that decides Q7."""
    words = VOCABULARY[labels.view]
    return words.findings[labels.finding] if labels.abnormal else words.unremarkable


def answers(labels: PhantomLabels) -> dict[str, str]:
    """The eight answers in the style of the annotation sheet, by question id."""
    words = VOCABULARY[labels.view]
    texts = (
        words.structures.format(describe(labels)),
        labels.orientation,
        words.plane,
        words.measurements,
        week_bin(labels.weeks),
        f"{labels.quality} image quality",
        words.abnormal[labels.finding] if labels.abnormal else words.normal,
        words.follow_up if labels.abnormal else ROUTINE,
    )
    return dict(zip(QUESTION_IDS, texts, strict=True))
