from __future__ import annotations

import random
from collections import Counter

import pytest
from data_helpers import case
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.labels import case_label
from engine.data.sample import stratified_sample


def sorted_by_view(sizes: dict[str, tuple[int, int]]) -> list:
    """Cases as a file sorted by view has them: (normal, abnormal) a view."""
    return [
        case(f"{view}/{number:04d}.png", q7="Normal" if number >= sick else "Abnormal VSD")
        for view, (healthy, sick) in sizes.items()
        for number in range(healthy + sick)
    ]


def test_a_file_sorted_by_view_still_yields_every_view_in_proportion():
    # The user's run took the first 10,000 lines of such a file and trained on a single view.
    cases = sorted_by_view({"Abdomen": (2300, 100), "Femur": (1150, 50), "Thorax": (580, 20)})
    first_rows = cases[:420]
    assert {each.view for each in first_rows} == {"Abdomen"}, "the trap is set: the first rows are one view"
    counts = Counter(each.view for each in stratified_sample(cases, 420, seed=1))
    assert counts == {"Abdomen": 240, "Femur": 120, "Thorax": 60}


def test_a_label_of_three_percent_keeps_its_share_although_no_view_alone_would_round_to_one():
    cases = sorted_by_view({f"View{number:02d}": (97, 3) for number in range(14)})
    drawn = stratified_sample(cases, 140, seed=0)
    assert Counter(case_label(each.answers) for each in drawn) == {"normal": 136, "abnormal": 4}
    assert set(Counter(each.view for each in drawn).values()) == {10}


def test_rare_views_and_labels_stay_in_a_small_sample():
    cases = sorted_by_view({"Abdomen": (990, 5), "Rare": (4, 1)})
    drawn = stratified_sample(cases, 10, seed=0)
    assert {each.view for each in drawn} == {"Abdomen", "Rare"}
    assert {case_label(each.answers) for each in drawn} == {"normal", "abnormal"}


@pytest.mark.parametrize("limit", [0, -1, 30, 31])
def test_no_limit_means_all_in_their_own_order(limit):
    cases = sorted_by_view({"Femur": (20, 10)})
    assert stratified_sample(cases, limit, seed=3) == cases


def test_the_sample_is_shuffled_by_seed_and_independent_of_input_order():
    cases = sorted_by_view({"Abdomen": (60, 10), "Femur": (60, 10)})
    drawn = stratified_sample(cases, 50, seed=7)
    shuffled = random.Random(0).sample(cases, len(cases))
    assert stratified_sample(shuffled, 50, seed=7) == drawn
    assert stratified_sample(cases, 50, seed=8) != drawn
    assert [each.view for each in drawn] != sorted(each.view for each in drawn)


def test_a_view_of_one_label_only_takes_its_cases_from_that_label():
    # Taking the abnormal case from view A would leave nothing but a second abnormal one for view B.
    drawn = stratified_sample(sorted_by_view({"A": (2, 1), "B": (0, 1)}), 2, seed=0)
    assert sorted((each.view, case_label(each.answers)) for each in drawn) == [("A", "normal"), ("B", "abnormal")]


def test_cases_without_a_q7_answer_are_a_stratum_of_their_own():
    cases = [case(f"A/{n}.png", q7=None if n % 2 else "Normal") for n in range(40)]
    drawn = stratified_sample(cases, 10, seed=0)
    assert Counter(case_label(each.answers) for each in drawn) == {"normal": 5, "unanswered": 5}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("ABCDE"), st.tuples(st.integers(0, 40), st.integers(0, 10)).filter(any), min_size=1
    ),
    st.integers(1, 120),
)
def test_the_limit_is_met_exactly_without_repeats(sizes, limit):
    cases = sorted_by_view(sizes)
    drawn = stratified_sample(cases, limit, seed=2)
    assert len(drawn) == min(limit, len(cases))
    assert len({each.path for each in drawn}) == len(drawn)
    if limit >= len(sizes):
        assert {each.view for each in drawn} == set(sizes)
