from __future__ import annotations

import pytest

from engine.data.importers.recognise import recognise_question
from engine.questions.prompts import QUESTIONS, REPORT_PROMPT


@pytest.mark.parametrize(
    ("label", "question"),
    [
        ("Anatomical Structures Identification", "Q1"),
        ("Anatomical Structures", "Q1"),
        ("Fetal Orientation", "Q2"),
        ("Plane Evaluation", "Q3"),
        ("Imaging Plane", "Q3"),
        ("Biometric Measurements", "Q4"),
        ("Gestational Age", "Q5"),
        ("Image Quality", "Q6"),
        ("Normality / Abnormality", "Q7"),
        ("Normality Assessment", "Q7"),
        ("Clinical Recommendations", "Q8"),
    ],
)
def test_a_label_is_recognised_whatever_its_form(label, question):
    for text in (
        f"{label}: say what you see.",
        f"<image>\n{label.upper()} : say what you see.",
        f"  {label.lower()}  -  say",
        f"{question}: {label}: say",
        label,
        f"{label.replace(' / ', '/')}: say",
        f"{label[:-1]}: say",
        f"{label[:3]}{label[4:]}: a letter is missing",
    ):
        assert recognise_question(text) == question, text


def test_every_wording_is_recognised_by_its_full_text():
    for question in QUESTIONS.values():
        for wording in question.prompts.values():
            assert recognise_question(wording) == question.id
            assert recognise_question(f"<image>{wording}\n") == question.id


@pytest.mark.parametrize(
    "text",
    ["", "   ", "<image>", "Describe the image.", "Fetal weight: estimate it.", REPORT_PROMPT, "Q9: x", "\x1b[2J"],
)
def test_what_is_none_of_the_eight_is_unknown(text):
    assert recognise_question(text) is None
