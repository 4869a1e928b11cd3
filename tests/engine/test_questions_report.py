"""The combined report: sections by title."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions.answers import agree, read_answer
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import QUESTIONS, report_text
from engine.questions.reading import Status
from engine.types import QUESTION_IDS

ANSWERS = {
    "Q1": "aorta, liver, stomach",
    "Q2": "Axial upper abdomen, vertebral column to left",
    "Q3": "Transverse trans-abdominal plane",
    "Q4": "AC",
    "Q5": "20-25 weeks",
    "Q6": "Good image quality",
    "Q7": "Normal for gestational age",
    "Q8": "Prenatal routine monitoring",
}
TITLES = {question.id: question.title for question in QUESTIONS.values()}


def written(form: str, glue: str = "\n") -> str:
    return glue.join(
        form.format(n=number, title=TITLES[each], answer=ANSWERS[each]) for number, each in enumerate(QUESTION_IDS, 1)
    )


@pytest.mark.parametrize(
    "text",
    [
        report_text(ANSWERS),
        written("{title}: {answer}.", " "),
        written("**{title}:** {answer}"),
        written("**{title}**: {answer}"),
        written("{n}. {title}: {answer}"),
        written("{n}) **{title}** - {answer}"),
        written("## {title}\n{answer}", "\n\n"),
        written("### {n}. {title}\n\n- {answer}", "\n\n"),
        written("Section {n} - {title}\n{answer}"),
        written("Section {n}: {title}: {answer}"),
        written("Q{n}: {title}: {answer}"),
        written("Q{n}: {answer}"),
        written("- {title} – {answer}"),
        written("{title}\n{answer}", "\n\n"),
        "Ultrasound report\n\n" + written("{title}: {answer}"),
        "\n".join(reversed(report_text(ANSWERS).split("\n"))),
        json.dumps({TITLES[each]: ANSWERS[each] for each in QUESTION_IDS}),
        "```json\n" + json.dumps(ANSWERS, indent=2) + "\n```",
        written("{title}: {answer}").upper(),
    ],
)
def test_sections_are_found_however_they_are_written(text: str) -> None:
    sections = {question: section.rstrip(".").lower() for question, section in parse_report(text).items()}
    assert sections == {question: answer.lower() for question, answer in ANSWERS.items()}


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("Anatomical Strucutres: liver", "Q1"),
        ("Anatomicl Structures: liver", "Q1"),
        ("Fetal Orientaton: head left", "Q2"),
        ("Imagng Plane: sagittal", "Q3"),
        ("Biometric Measurments: AC", "Q4"),
        ("Gestatinal Age: 22 weeks", "Q5"),
        ("Estimated Gestational Age: 22 weeks", "Q5"),
        ("GA: 22 weeks", "Q5"),
        ("Image Qualty: Good", "Q6"),
        ("Normality Assesment: normal", "Q7"),
        ("Clinical Recomendations: Follow up", "Q8"),
        ("Recommendation: Follow up", "Q8"),
        ("Section 3 - Imaging plane\nsagittal", "Q3"),
        ("Gestational Age (weeks): 22", "Q5"),
        ("Structures: liver", "Q1"),
    ],
)
def test_titles_may_be_misspelt_or_short(line: str, question: str) -> None:
    assert list(parse_report(line)) == [question]


@pytest.mark.parametrize(
    "text", ["", "liver, stomach", "Impression: all fine", "Note: see above", "{", "[1, 2]", '{"a": 1}']
)
def test_text_without_titles_has_no_sections(text: str) -> None:
    assert parse_report(text) == {}
    assert read_answer("report", text).status is Status.UNPARSEABLE


def test_a_section_without_text_is_missing() -> None:
    text = report_text({**ANSWERS, "Q3": "", "Q5": " "})
    assert list(parse_report(text)) == [each for each in QUESTION_IDS if each not in {"Q3", "Q5"}]


def test_of_a_section_that_comes_twice_the_first_counts() -> None:
    assert parse_report("Image Quality: Good\nImage Quality: Low") == {"Q6": "Good"}


def test_the_words_of_a_title_inside_a_section_do_not_split_it() -> None:
    text = (
        "Normality Assessment: Normal for gestational age\nClinical Recommendations: repeat with better image quality"
    )
    assert parse_report(text) == {"Q7": "Normal for gestational age", "Q8": "repeat with better image quality"}


def test_a_report_that_was_cut_off_keeps_its_first_sections() -> None:
    assert list(parse_report(report_text(ANSWERS)[:130])) == ["Q1", "Q2", "Q3"]


def test_reports_agree_when_their_sections_mean_the_same() -> None:
    meant = read_answer("report", report_text(ANSWERS))
    said = read_answer("report", report_text({**ANSWERS, "Q1": "Stomach bubble, Liver, aorta.", "Q5": "22 weeks"}))
    assert meant.items == QUESTION_IDS
    assert agree("report", said, meant)
    assert not agree("report", read_answer("report", report_text({**ANSWERS, "Q6": "Low"})), meant)
    assert not agree("report", read_answer("report", report_text(ANSWERS).rsplit("\n", 1)[0]), meant)


def test_the_error_of_a_server_is_no_report() -> None:
    assert read_answer("report", "ERROR: API error 500\nImage Quality: Good").status is Status.UNPARSEABLE


@settings(max_examples=150, deadline=None)
@given(
    st.permutations(QUESTION_IDS),
    st.sets(st.sampled_from(QUESTION_IDS)),
    st.sampled_from(["{}: {}", "**{}**\n{}", "- {} - {}"]),
)
def test_any_order_and_any_missing_sections(order: list[str], missing: set[str], form: str) -> None:
    kept = [each for each in order if each not in missing]
    text = "\n".join(form.format(TITLES[each], ANSWERS[each]) for each in kept)
    assert parse_report(text) == {each: ANSWERS[each] for each in QUESTION_IDS if each in kept}


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*TITLES.values(), ":", "\n", "**", "1.", "{", "}", '"']), max_size=20).map(" ".join)
)
def test_no_text_raises_and_sections_are_pieces_of_it(text: str) -> None:
    sections = parse_report(text)
    assert set(sections) <= set(QUESTION_IDS)
    assert all(section and section in text for section in sections.values()) or "{" in text
