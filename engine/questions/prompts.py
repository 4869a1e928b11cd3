"""The eight clinical questions and their wordings.

Every wording has a name that recipes use (`[data] prompt`). `detailed` is the "<Label>: <instruction>" form in which
the annotation team asked; the four wordings of Q7 are those of the prompt study. The embedded base model has seen all
of them, so a change of text here asks for a new base (`make base-model`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

REPORT_ID = "report"
"""Question id of the combined report, which answers all eight questions under titles."""

OWN = "own"
"""Name of a wording that the user has written; its text stands in the recipe."""


class AnswerForm(StrEnum):
    """In which form a wording asks for its answer; `engine.questions.answer_forms` brings answers into it."""

    FREE = "free"
    """Any: the annotated answer as it stands."""
    VERDICT_FIRST = "verdict_first"
    """NORMAL, ABNORMAL or UNCLEAR, then the reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the annotation sheet."""

    id: str
    title: str
    """Title of its section in the combined report."""
    column: str
    """Column of the annotation sheet."""
    prompts: Mapping[str, str]
    """Wording by variant name."""
    forms: Mapping[str, AnswerForm] = field(default_factory=dict)
    """Form of the answer by variant name, for the variants that ask for one."""


def _question(
    number: int, title: str, label: str, forms: Mapping[str, AnswerForm] | None = None, **prompts: str
) -> Question:
    return Question(f"Q{number}", title, f"Q{number}: {label}", prompts, forms or {})


QUESTIONS: Mapping[str, Question] = {
    question.id: question
    for question in (
        _question(
            1,
            "Anatomical Structures",
            "Anatomical Structures",
            simple="Which structures are visible?",
            detailed="Anatomical Structures Identification: Identify and list all anatomical structures visible in "
            "the ultrasound image.",
            clinical="As a radiologist, list the anatomical structures that this ultrasound image shows.",
        ),
        _question(
            2,
            "Fetal Orientation",
            "Fetal Orientation",
            simple="What is the orientation?",
            detailed="Fetal Orientation: Determine the orientation of the fetus or of the scan in the image.",
            clinical="As a radiologist, state the orientation of the scan.",
        ),
        _question(
            3,
            "Imaging Plane",
            "Imaging Plane",
            simple="Which plane is this?",
            detailed="Plane Evaluation: Name the imaging plane in which the image was taken.",
            clinical="As a radiologist, name the standard plane of this image.",
        ),
        _question(
            4,
            "Biometric Measurements",
            "Biometric Measurements",
            simple="What can be measured?",
            detailed="Biometric Measurements: Identify the biometric parameters that can be measured in the image.",
            clinical="As a radiologist, name the biometry that you would take from this image.",
        ),
        _question(
            5,
            "Gestational Age",
            "Gestational Age",
            simple="How many weeks?",
            detailed="Gestational Age: Estimate the gestational age in weeks based on the visible features.",
            clinical="As a radiologist, estimate the gestational age as a range of weeks.",
        ),
        _question(
            6,
            "Image Quality",
            "Image Quality",
            simple="How good is the image?",
            detailed="Image Quality: Assess the quality of the ultrasound image.",
            clinical="As a radiologist, rate the technical quality of this image.",
        ),
        _question(
            7,
            "Normality Assessment",
            "Normality Assessment",
            forms={"structured": AnswerForm.VERDICT_FIRST},
            simple="Is this ultrasound normal?",
            detailed="Normality / Abnormality: Determine whether the observed structures appear normal or identify any "
            "visible abnormalities or concerns.",
            clinical="As a radiologist, assess this ultrasound image for normality. State whether it is normal or "
            "describe the abnormality.",
            structured="Assess this ultrasound image and respond with one of: NORMAL, ABNORMAL, UNCLEAR. Then give "
            "your reason.",
        ),
        _question(
            8,
            "Clinical Recommendations",
            "Clinical Recommendations",
            simple="What should be done next?",
            detailed="Clinical Recommendations: Provide the clinical recommendation or next step based on the image.",
            clinical="As a radiologist, recommend the next clinical step.",
        ),
    )
}

REPORT_PROMPT = (
    "Write a complete ultrasound report with eight sections: "
    + ", ".join(question.title for question in QUESTIONS.values())
    + "."
)
"""The one prompt of the combined-report experiment."""

SYSTEM_PROMPT = "You are an expert in fetal ultrasound."
"""System message of the user's chat files; the embedded base has seen conversations with and without it."""


def prompt_variants(question: str) -> tuple[str, ...]:
    """Names of the wordings of one question, in the order of the source; `("report",)` for the combined report."""
    return (REPORT_ID,) if question == REPORT_ID else tuple(QUESTIONS[question].prompts)


def prompt_text(question: str, variant: str = "detailed", own_text: str = "") -> str:
    """The words in which `question` is asked: for training, measuring and asking alike.

    Args:
        question: Q1 to Q8 or report.
        variant: name of the wording; `own` for the user's.
        own_text: the user's wording, as the recipe has it; looked at for `own` alone.

    Raises:
        KeyError: for a question or a variant that does not exist; recipes are checked before this is called.
        ValueError: for an own wording without words.
    """
    if variant == OWN:
        if not own_text.strip():
            raise ValueError("an own wording has no words")
        return own_text.strip()
    if question == REPORT_ID:
        return REPORT_PROMPT
    return QUESTIONS[question].prompts[variant]


def has_wording(question: str, variant: str, asked: Collection[str]) -> bool:
    """Whether a recipe's wording can ask `question`; an own one asks only what it was written for.

    Args:
        question: Q1 to Q8 or report.
        variant: name of the wording.
        asked: the questions of the recipe.
    """
    return question in asked if variant == OWN else variant in prompt_variants(question)


def answer_form(question: str, variant: str) -> AnswerForm:
    """The form in which a wording asks for its answer; an own wording and the report ask for none."""
    return QUESTIONS[question].forms.get(variant, AnswerForm.FREE) if question in QUESTIONS else AnswerForm.FREE


def report_text(answers: Mapping[str, str]) -> str:
    """The combined report: one `Title: answer` line a question, in the order Q1 to Q8."""
    return "\n".join(f"{question.title}: {answers.get(question.id, '')}" for question in QUESTIONS.values())
