"""Whether the answers to one image fit each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.data.phantoms.labels import VIEWS, VOCABULARY, PhantomLabels, answers
from engine.questions.answers import normalise, read_answer
from engine.questions.coherence import RULES, applied_rules, broken_rules
from engine.questions.reading import Reading, Status
from engine.questions.regions import region_of_view
from engine.types import QUESTION_IDS

ORIENTATIONS = {
    "Trans-ventricular": ("Axial head, occiput to {}",),
    "Abdomen": ("Axial upper abdomen, vertebral column to {}",),
    "Femur": ("Femur horizontal", "Femur tilted down to {}"),
    "NT-View": ("Sagittal, fetal head to {}",),
    "Thorax": ("Axial chest, vertebral column to {}",),
    "Cervix": ("Cephalic presentation, external os to {}",),
}
PHANTOMS = [
    PhantomLabels(0, view, bool(finding), finding, orientation.format(side), weeks, quality)
    for view in VIEWS
    for finding in ("", *VOCABULARY[view].findings)
    for orientation in ORIENTATIONS[view]
    for side in ("left", "right")
    for weeks, quality in ((12.9, "Good"), (14.0, "Low")) if view == "NT-View" or weeks > 15
] + [
    PhantomLabels(0, view, bool(finding), finding, orientation.format(side), weeks, quality)
    for view in VIEWS
    if view != "NT-View"
    for finding in ("", *VOCABULARY[view].findings)
    for orientation in ORIENTATIONS[view]
    for side in ("left", "right")
    for weeks, quality in ((18.0, "Good"), (24.0, "Medium"), (33.9, "Low"))
]  # fmt: skip


def read(texts: Mapping[str, str]) -> dict[str, Reading]:
    return {question: read_answer(question, text) for question, text in texts.items()}


@pytest.mark.parametrize(
    "labels", PHANTOMS, ids=lambda each: f"{each.view}-{each.finding}-{each.orientation}-{each.weeks}"
)
def test_the_answers_of_every_phantom_are_read_round_trip_and_are_coherent(labels: PhantomLabels) -> None:
    texts = answers(labels)
    readings = read(texts)
    assert {question: reading.status for question, reading in readings.items()} == dict.fromkeys(
        QUESTION_IDS, Status.READ
    )
    for question, text in texts.items():
        assert read_answer(question, normalise(question, text)) == readings[question]
    assert broken_rules(labels.view, readings) == []
    assert len(applied_rules(labels.view, readings)) >= 4


GOOD = {
    "Q1": "liver, stomach, aorta",
    "Q2": "Axial upper abdomen, vertebral column to left",
    "Q3": "Transverse trans-abdominal plane",
    "Q4": "AC",
    "Q5": "20-25 weeks",
    "Q6": "Good",
    "Q7": "Normal for gestational age",
    "Q8": "Prenatal routine monitoring",
}


@pytest.mark.parametrize(
    ("view", "changes", "broken"),
    [
        ("Abdomen", {}, []),
        ("Abdomen", {"Q7": "Abnormal absent stomach"}, ["abnormal-needs-more"]),
        ("Abdomen", {"Q7": "Abnormal absent stomach", "Q8": "Follow up"}, []),
        ("Abdomen", {"Q7": "Abnormal absent stomach", "Q8": "Routine monitoring and follow up"}, []),
        ("Abdomen", {"Q8": "Immediate evaluation"}, ["normal-is-not-urgent"]),
        ("Abdomen", {"Q8": "Follow up"}, []),
        ("Abdomen", {"Q3": "Trans-thalamic view"}, ["plane-fits-view", "plane-shows-its-structures",
        "no-foreign-structures",
                                                     "measurements-fit-plane"]),
        ("Abdomen", {"Q1": "aorta"}, ["plane-shows-its-structures"]),
        ("Abdomen", {"Q1": "liver, thalami"}, ["no-foreign-structures"]),
        ("Abdomen", {"Q4": "AC, BPD"}, ["measurements-fit-plane"]),
        ("Abdomen", {"Q4": "AC, EFW"}, []),
        ("Abdomen", {"Q4": "None"}, []),
        ("Abdomen", {"Q5": "8-13 weeks"}, ["standard-view-not-too-early"]),
        ("Abdomen", {"Q2": "Sagittal, head to left"}, ["section-fits-plane"]),
        ("NT-View", {"Q1": "NT, nasal bone", "Q2": "Fetal head to left", "Q3": "Mid-sagittal", "Q4": "NT, CRL"},
        ["early-view-early-weeks"]),
        ("Standard_NT", {"Q1": "NT", "Q2": "Fetal head to left", "Q3": "Mid-sagittal", "Q4": "NT",
        "Q5": "13-15 weeks"}, []),
        ("Public_Symphysis_fetal_head", {"Q1": "pubic symphysis, fetal head", "Q2": "cephalic", "Q3": "Mid-sagittal",
        "Q4": "AOP"},
         ["symphysis-late-weeks"]),
        ("Public_Symphysis_fetal_head", {"Q1": "pubic symphysis, fetal head", "Q2": "cephalic", "Q3": "Mid-sagittal",
        "Q4": "AOP",
                                         "Q5": "38+ weeks"}, []),
        ("Femur", {"Q1": "femur", "Q2": "Femur horizontal", "Q3": "Femur plane", "Q4": "HC"},
        ["measurements-fit-plane"]),
        ("Trans-thalamic", {"Q1": "skull, falx", "Q2": "Axial head", "Q3": "Trans-thalamic view", "Q4": "BPD, HC"},
         ["plane-shows-its-structures"]),
    ],
)  # fmt: skip
def test_the_rule_that_broke_is_named(view: str, changes: dict[str, str], broken: list[str]) -> None:
    readings = read({**GOOD, **changes})
    found = broken_rules(view, readings)
    assert [each.rule for each in found] == broken
    assert set(broken) <= set(applied_rules(view, readings))
    for each in found:
        assert each.sentence == {rule.id: rule.sentence for rule in RULES}[each.rule]
        assert all(readings[question].value == value for question, value in each.said)


def test_every_rule_can_break_and_can_hold() -> None:
    table = next(mark for mark in test_the_rule_that_broke_is_named.pytestmark if mark.name == "parametrize").args[1]
    assert {rule for _, _, broken in table for rule in broken} == {rule.id for rule in RULES}
    held = {
        rule
        for view, changes, broken in table
        for rule in set(applied_rules(view, read({**GOOD, **changes}))) - set(broken)
    }
    assert held == {rule.id for rule in RULES}


def test_answers_that_were_not_read_or_not_given_break_nothing() -> None:
    assert broken_rules("Abdomen", {}) == []
    assert broken_rules("Abdomen", read(dict.fromkeys(QUESTION_IDS, "?"))) == []
    assert "abnormal-needs-more" not in applied_rules("Abdomen", read({"Q7": "Abnormal", "Q8": ""}))


def test_a_view_that_is_not_known_is_judged_by_its_plane_alone() -> None:
    assert broken_rules("Something else", read(GOOD)) == []
    assert "plane-fits-view" not in applied_rules("Something else", read(GOOD))


def test_all_fourteen_views_are_known() -> None:
    views = {
        "Abdomen": "abdomen", "Aorta": "aorta", "CRL-View": "crl", "Cervical": "cervix", "Cervix": "cervix",
        "Femur": "femur",
        "NT-View": "nt", "Non_standard_NT": "nt", "Public_Symphysis_fetal_head": "symphysis", "Standard_NT": "nt",
        "Thorax": "thorax", "Trans-cerebellum": "transcerebellar", "Trans-thalamic": "transthalamic",
        "Trans-ventricular": "transventricular",
    }  # fmt: skip
    assert {view: region_of_view(view) for view in views} == views
    assert region_of_view("trans thalamic") == "transthalamic"
    assert region_of_view("Antenatal") is None
