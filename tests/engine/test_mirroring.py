from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.phantoms import answers, render
from engine.questions.answers import read_answer
from engine.questions.mirroring import depends_on_tilt, mirrored_answer
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import report_text
from engine.types import QUESTION_IDS

LISTED = [
    line.split("|", 1)[1].strip()
    for line in (Path(__file__).parent / "answers" / "Q2.txt").read_text(encoding="utf-8").splitlines()
    if "|" in line
]
OTHER = {"left": "right", "right": "left"}


def other_side(value: str) -> set[str]:
    """Facts of a reading with left and right exchanged."""
    return {" ".join(OTHER.get(word, word) for word in fact.split()) for fact in value.split(", ")}


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("Axial upper abdomen, vertebral column to left", "Axial upper abdomen, vertebral column to right"),
        ("Fetal head to right", "Fetal head to left"),
        ("AXIAL UPPER ABDOMEN, VERTEBRAL COLUMN TO RIGHT.", "AXIAL UPPER ABDOMEN, VERTEBRAL COLUMN TO LEFT."),
        ("axial  upper abdomen , vertebral colum to left.", "axial  upper abdomen , vertebral colum to right."),
        ("The spine is on the left side and the head is to the right",
         "The spine is on the right side and the head is to the left"),
        ("Head is located on the left side of the image", "Head is located on the right side of the image"),
        ("Left-sided vertebral column", "Right-sided vertebral column"),
        ("Cephalic presentation, external os to left", "Cephalic presentation, external os to right"),
        ("Femur tilted down to left", "Femur tilted down to right"),
        ("spine rt, head lt.", "spine lt, head rt."),
        ("Spine leftward", "Spine rightward"),
        ("the fetal head to left not right", "the fetal head to right not left"),
        ('{"orientation": "head to right"}', '{"orientation": "head to left"}'),
    ],
)  # fmt: skip
def test_sides_of_the_image_are_exchanged_and_all_other_words_kept(text: str, mirrored: str) -> None:
    assert mirrored_answer("Q2", text) == mirrored
    assert mirrored_answer("Q2", mirrored) == text


@pytest.mark.parametrize(
    "text",
    [
        "Cephalic presentation",
        "Longitudinal",
        "Sagittal",
        "Femur horizontal",
        "Spine posterior",
        "Transverse lie",
        "",
        " ",
    ],
)
def test_answers_without_a_side_stay(text: str) -> None:
    assert mirrored_answer("Q2", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "left lateral decubitus",
        "Left occiput anterior",
        "Right occipitotransverse position, head to left",
        "Fetus lying on left side",
        "Right side down",
        "Head to left or right",
        "head left to right",
        "Fetal haed to rigth",  # exchanging it would need a guess at what was meant
        "Fetal head to rigth, spine to left",
        "Spine to the left of the mother",
        "Spine on the maternal right",
        "fetal left side",
        "Left ventricle to left",
        "Left kidney, spine to left",
        "spine at 9 o'clock",
        "head at left lower corner",
        "Situs solitus, spine to left",
        "Left of midline",
        "Heterotaxy, stomach to right",
        "head to lEFt",
    ],
)
def test_a_side_that_is_not_understood_as_one_of_the_image_forbids_the_mirror(text: str) -> None:
    assert mirrored_answer("Q2", text) is None


MISSPELT = [
    "Vertebral column to leftt", "to rigt", "to lft", "Fetal head to L", "Head: L", "head to R", "Fetal head toright",
    "head rightside", "head to the rihgt", "head letf", "vertebral column to the l", "Fetal head L.",
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        *MISSPELT,
        "Cephalic presentation, head to L",  # the presentation is understood, the side is not
        "Longitudinal lie, spine to rigt",
        "head to left, spine to rigt",  # one side exchanged and the other kept would be false
        "spine to right, head R",
        "N/A",
        "The orientation cannot be determined",
        "blah blah",
        "-",
    ],
)
def test_an_answer_that_is_not_understood_forbids_the_mirror(text: str) -> None:
    assert mirrored_answer("Q2", text) is None


@pytest.mark.parametrize("text", MISSPELT)
def test_so_it_does_as_a_section_of_a_report(text: str) -> None:
    assert mirrored_answer("report", report_text({"Q2": text, "Q7": "Normal"})) is None


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Q1", "aorta, left ventricle, right kidney"),
        ("Q3", "Left ventricular outflow tract plane"),
        ("Q7", "Abnormal dilated left lateral ventricle"),
        ("Q7", "Normal for gestational age"),
        ("Q8", "Follow up right renal pelvis"),
    ],
)
def test_anatomy_is_no_side_of_the_image(question: str, text: str) -> None:
    assert mirrored_answer(question, text) == text


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Q7", "Abnormal dextrocardia"),
        ("Q7", "Situs inversus"),
        ("Q1", "vertebral column to left, liver"),
        ("Q7", "Stomach on the right side"),
    ],
)
def test_a_finding_that_consists_in_its_side_forbids_the_mirror(question: str, text: str) -> None:
    assert mirrored_answer(question, text) is None


# ----- properties

PARTS = ("Fetal head", "head", "spine", "Vertebral column", "rump", "external os", "occiput", "stomach bubble")
LINKS = (" to {}", " to the {}", " on the {} side", " {}", " towards {}", " is to the {} of the image", ": {}")
LEADS = ("", "Axial upper abdomen, ", "Sagittal, ", "Cephalic presentation,  ", "AXIAL CHEST , ", "Q2: ")
CASES = (str, str.upper, str.lower, str.capitalize)


@st.composite
def orientations(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique_by=str.casefold))
    sides = [draw(st.sampled_from(("left", "right"))) for _ in parts]
    said = [part + draw(st.sampled_from(LINKS)).format(side) for part, side in zip(parts, sides, strict=True)]
    text = draw(st.sampled_from(LEADS)) + draw(st.sampled_from((", ", " and ", ". "))).join(said)
    return draw(st.sampled_from(CASES))(text + draw(st.sampled_from(("", ".", " "))))


@given(orientations())
def test_mirroring_twice_gives_the_original_and_the_reading_is_the_mirrored_one(text: str) -> None:
    mirrored = mirrored_answer("Q2", text)
    if mirrored is None:
        return  # counted below: most of them must be understood
    assert mirrored != text
    assert mirrored_answer("Q2", mirrored) == text
    assert set(read_answer("Q2", mirrored).value.split(", ")) == other_side(read_answer("Q2", text).value)


def test_of_the_ways_in_which_sides_are_said_nearly_all_are_understood() -> None:
    texts = [f"{lead}{part}{link.format('left')}" for lead in LEADS for part in PARTS for link in LINKS]
    refused = [text for text in texts if mirrored_answer("Q2", text) is None]
    assert len(refused) < 0.05 * len(texts), refused


@given(st.one_of(st.text(max_size=80), st.sampled_from(LISTED)))
def test_whatever_stands_there_mirroring_twice_gives_it_back(text: str) -> None:
    for question in (*QUESTION_IDS, "report"):
        mirrored = mirrored_answer(question, text)
        assert mirrored is None or mirrored_answer(question, mirrored) == text


@given(
    st.lists(st.sampled_from(["left", "right", "head", "spine", "to", "on", "side", ",", "axial", "not", "or", "lt"]))
)
def test_words_in_any_order_are_mirrored_to_the_mirrored_reading_or_not_at_all(words: list[str]) -> None:
    text = " ".join(words)
    mirrored = mirrored_answer("Q2", text)
    if mirrored is not None:
        assert mirrored_answer("Q2", mirrored) == text
        assert set(read_answer("Q2", mirrored).value.split(", ")) == other_side(read_answer("Q2", text).value)
        assert (mirrored == text) == (not {"left", "right", "lt"} & set(words))


# ----- the report


def test_of_a_report_the_section_of_q2_is_rewritten_and_nothing_else() -> None:
    said = {
        "Q1": "liver, left lobe", "Q2": "Axial upper abdomen, vertebral column to left", "Q3": "Trans-abdominal plane",
        "Q7": "Normal for gestational age",
    }  # fmt: skip
    text = report_text(said)
    mirrored = mirrored_answer("report", text)
    assert mirrored == report_text({**said, "Q2": "Axial upper abdomen, vertebral column to right"})
    assert mirrored_answer("report", mirrored or "") == text


def test_an_answer_that_stands_in_two_sections_is_rewritten_in_that_of_q2() -> None:
    text = report_text({"Q1": "spine left ventricle", "Q2": "spine left", "Q8": "look again at: spine left ventricle"})
    mirrored = mirrored_answer("report", text)
    assert mirrored is not None
    assert parse_report(mirrored) == {**parse_report(text), "Q2": "spine right"}


@pytest.mark.parametrize("section", ["Q2", "Q7"])
def test_a_report_with_a_section_that_forbids_it_is_not_mirrored(section: str) -> None:
    said = {"Q2": "Fetal head to right", "Q7": "Normal", section: "Situs inversus, head to left"}
    assert mirrored_answer("report", report_text(said)) is None


def test_a_report_without_a_side_stays() -> None:
    text = report_text({"Q2": "Cephalic presentation", "Q7": "Normal"})
    assert mirrored_answer("report", text) == text


def test_every_phantom_has_a_true_mirror_image() -> None:
    for seed in range(24):
        said = answers(render(seed, size=32)[1])
        for question, text in said.items():
            assert mirrored_answer(question, text) is not None, text
        assert mirrored_answer("report", report_text(said)) is not None


# ----- tilt


@pytest.mark.parametrize(
    ("text", "depends"),
    [("Femur horizontal", True), ("Femur tilted down to left", True), ("Slanted femur", True), ("Head to left", False),
     ("Cephalic presentation", False), ("", False)],
)  # fmt: skip
def test_an_answer_that_tells_the_tilt_forbids_a_turn(text: str, depends: bool) -> None:
    assert depends_on_tilt("Q2", text) is depends
    assert depends_on_tilt("report", report_text({"Q2": text, "Q7": "Normal"})) is depends
    assert not depends_on_tilt("Q7", text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Q8", "The head lies left, spine right."),
        ("Q8", "Head at image left."),
        ("Q8", "The femur points leftward"),
        ("Q7", "Abnormal: heart shifted rightwards"),
        ("Q3", "stomach bubble seen left of the midline"),
        ("report", "Head to left.\nAnatomical Structures: head\nFetal Orientation: Spine up"),
    ],
)
def test_a_place_in_the_image_forbids_the_mirror_whatever_the_question(question: str, text: str) -> None:
    assert mirrored_answer(question, text) is None


@pytest.mark.parametrize("text", ["left ventricle, right atrium", "Left and right kidneys", "LEFT FEMUR, liver"])
def test_an_organ_is_called_the_same_in_the_mirror(text: str) -> None:
    assert mirrored_answer("Q1", text) == text
