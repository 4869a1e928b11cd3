"""Answers as people and models write them, against what a reader would say: the table lies in tests/engine/answers/."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.questions.answers import agree, normalise, read_answer
from engine.questions.reading import Status
from engine.types import QUESTION_IDS

TABLE = Path(__file__).parent / "answers"


def rows(question: str) -> list[tuple[str, str]]:
    lines = (TABLE / f"{question}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("|") for line in lines if line and not line.startswith("#"))
    return [(expected.strip(), text.removeprefix(" ").replace("\\n", "\n")) for expected, _, text in pairs]


CASES = [(question, *row) for question in QUESTION_IDS for row in rows(question)]


def expected_reading(expected: str) -> tuple[Status, str]:
    if expected.startswith("("):
        status = Status(expected.strip("()"))
        return status, status.value
    return Status.READ, expected


@pytest.mark.parametrize(("question", "expected", "text"), CASES)
def test_answers_are_read_as_a_person_reads_them(question: str, expected: str, text: str) -> None:
    reading = read_answer(question, text)
    found = (reading.status, reading.value)
    assert found == expected_reading(expected), f"{question} {text!r} was read as {found}, a person reads {expected!r}"


@pytest.mark.parametrize(("question", "expected", "text"), CASES)
def test_an_answer_agrees_with_its_canonical_form(question: str, expected: str, text: str) -> None:
    reading = read_answer(question, text)
    canonical = normalise(question, text)
    assert normalise(question, canonical) == canonical, f"{question} {text!r}: normalising twice changed {canonical!r}"
    if reading.status is Status.READ:
        again = read_answer(question, canonical)
        assert agree(question, reading, again), f"{question} {text!r}: {canonical!r} was read as {again}"


@pytest.mark.parametrize("question", QUESTION_IDS)
def test_different_expectations_do_not_agree(question: str) -> None:
    readings = {expected: read_answer(question, text) for expected, text in rows(question)}
    for one, said in readings.items():
        for other, meant in readings.items():
            same = one == other and said.status is not Status.UNPARSEABLE
            assert agree(question, said, meant) is same, f"{question}: {one!r} and {other!r}"


def test_the_table_is_large_and_spread_over_all_questions() -> None:
    assert len(CASES) >= 300
    assert len({(question, text) for question, _, text in CASES}) == len(CASES), "a row stands twice"
    for question in QUESTION_IDS:
        assert len(rows(question)) >= 30, question
