"""The table of what became what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions.normalise.layers import ALL_LAYERS, LONGEST_READ, Layer
from engine.questions.tracing import Change, trace
from engine.types import QUESTION_IDS

TABLE = Path(__file__).parent / "answers"


def only(question: str, raw: str) -> Change:
    (change,) = trace(question, [raw])
    return change


def test_a_row_tells_what_became_of_an_answer_and_by_which_layers() -> None:
    raw = "Stomache,  IVC."
    assert only("Q1", raw) == Change(raw, 1, "inferior vena cava, stomach", tuple(Layer), False, "")
    assert only("Q6", "good") == Change("good", 1, "good", (), False, "")
    assert only("Q6", "Good").layers == (Layer.TEXT,)
    assert only("Q5", "20-25 weeks").layers == (Layer.MEANING,)


@pytest.mark.parametrize(
    ("question", "raw", "reason"),
    [
        ("Q5", "2024-08-13 00:00:00", "a date where weeks belong"),
        ("Q5", "13-Aug", "a date where weeks belong"),
        ("Q5", "18-200 weeks", "18-200 weeks: impossible"),
        ("Q5", "18-22 weeks", "18-22 weeks: lies across several bins"),
        ("Q5", "6 weeks", "6 weeks: before the first bin"),
        ("Q5", "second trimester", "a trimester is too coarse for a bin"),
        ("Q5", "FL 35 mm", "a number in another unit than weeks"),
        ("Q5", "Good", "no weeks found"),
        ("Q5", "15-20 or 20-25 weeks", "15-20 weeks, among other ages; 20-25 weeks, among other ages"),
        ("Q1", "zork blarg", "unknown words: zork, blarg"),
        ("Q1", "a b c d e f zork", "unknown words: b, c, d, e, f and 1 more"),
        ("Q6", "follow up", "no answer to this question found"),
        ("Q3", "sagittal or coronal", "says that it cannot be told, or names several answers"),
        ("Q2", " ", "empty"),
        ("Q8", "ERROR: API error 500", "an error of a server"),
        ("Q1", "liver " * LONGEST_READ, "longer than 8,000 characters"),
        ("report", "liver", "no section titles found"),
    ],
)
def test_what_is_left_for_a_person_says_why(question: str, raw: str, reason: str) -> None:
    change = only(question, raw)
    assert (change.left_alone, change.reason, change.raw) == (True, reason, raw)


def test_an_unknown_element_of_a_list_is_named_though_the_rest_was_understood() -> None:
    change = only("Q1", "liver, unobtanium gland")
    assert (change.canonical, change.left_alone, change.reason) == (
        "liver, unobtanium gland",
        False,
        "unknown words: unobtanium gland",
    )


def test_rows_are_counted_and_those_left_alone_come_first() -> None:
    changes = trace("Q6", ["Good", "good.", "Good", "zork", "Low"])
    assert [(change.raw, change.count) for change in changes] == [("zork", 1), ("Good", 2), ("Low", 1), ("good.", 1)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(QUESTION_IDS),
    st.lists(st.text(max_size=20) | st.sampled_from(["Good", "liver", "20-25"]), max_size=12),
)
def test_raw_strings_and_counts_are_kept_whatever_the_order(question: str, answers: list[str]) -> None:
    changes = trace(question, answers)
    assert sorted(raw for change in changes for raw in [change.raw] * change.count) == sorted(answers)
    assert changes == trace(question, answers[::-1])


def test_each_distinct_answer_is_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.questions import tracing

    worked: list[str] = []
    original = tracing.normalise
    monkeypatch.setattr(tracing, "normalise", lambda *given: worked.append(given[1]) or original(*given))
    trace("Q6", ["Good", "Low"] * 10_000)
    assert sorted(worked) == ["Good", "Low"]


def test_without_the_meaning_nothing_but_empty_text_is_left_alone() -> None:
    changes = trace("Q5", ["18-200 weeks", ""], ALL_LAYERS - {Layer.MEANING})
    assert [(change.raw, change.left_alone) for change in changes] == [("", True), ("18-200 weeks", False)]
