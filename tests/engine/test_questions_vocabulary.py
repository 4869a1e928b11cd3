from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions.parsing import parse_normality
from engine.questions.vocabulary import MOST_CANDIDATES, candidate_answers, normalise_answer
from engine.types import Verdict


def test_spellings_of_one_answer_are_one_candidate_in_its_most_frequent_form() -> None:
    seen = ["Good", "good.", "Good", " GOOD  .", "Low  quality", "low quality.", "low quality."]
    assert candidate_answers("Q6", seen) == ["Good", "low quality."]


def test_candidates_come_by_frequency_and_then_by_alphabet() -> None:
    seen = ["b", "a", "c", "c"]
    assert candidate_answers("Q3", seen) == ["c", "a", "b"]
    assert candidate_answers("Q3", seen[::-1]) == ["c", "a", "b"]


def test_there_are_at_most_24_candidates() -> None:
    assert len(candidate_answers("Q1", [f"structure {number}" for number in range(100)])) == MOST_CANDIDATES == 24


def test_empty_and_overlong_answers_are_no_candidates() -> None:
    assert candidate_answers("Q3", ["", "  ", ".", "x" * 10_000]) == []


def test_q7_without_answers_has_a_normal_and_an_abnormal_candidate() -> None:
    assert candidate_answers("Q7", []) == ["Normal for gestational age", "Abnormal"]


def test_q7_adds_the_verdict_that_was_never_seen() -> None:
    assert candidate_answers("Q7", ["Within normal limits"]) == ["Within normal limits", "Abnormal"]
    assert candidate_answers("Q7", ["Abnormal VSD"]) == ["Abnormal VSD", "Normal for gestational age"]


def test_rare_abnormal_answers_keep_a_place_among_many_normal_ones() -> None:
    normal = [f"Normal view {number}" for number in range(40) for _ in range(5)]
    abnormal = ["Abnormal VSD", "Increased NT"]
    candidates = candidate_answers("Q7", normal + abnormal)
    assert len(candidates) == 24
    assert candidates[-2:] == ["Abnormal VSD", "Increased NT"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["Normal", "normal.", "Abnormal VSD", "VSD", "unclear", "", "?"]) | st.text(max_size=20))
)
def test_q7_always_offers_both_verdicts_and_no_answer_twice(seen: list[str]) -> None:
    candidates = candidate_answers("Q7", seen)
    assert {Verdict.NORMAL, Verdict.ABNORMAL} <= {parse_normality(candidate) for candidate in candidates}
    assert len({normalise_answer(candidate) for candidate in candidates}) == len(candidates)


def test_normalised_answers_ignore_case_spacing_and_marks_at_the_end() -> None:
    assert normalise_answer("  Trans-Thalamic   view ..") == normalise_answer("trans-thalamic view")
    assert normalise_answer("BPD and HC") != normalise_answer("BPD, HC")
