from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.apportion import apportion


def test_largest_remainder_gives_the_rest_to_the_largest_fraction():
    assert apportion([50, 30, 20], 7) == [4, 2, 1]
    assert apportion([2, 1, 1], 5) == [3, 1, 1]


def test_ties_go_to_the_earlier_place():
    assert apportion([1, 1, 1], 4) == [2, 1, 1]


def test_caps_hand_their_surplus_to_the_others():
    assert apportion([10, 1, 1], 8, caps=[2, 10, 10]) == [2, 3, 3]


def test_a_minimum_reaches_the_smallest_place():
    assert apportion([97, 2, 1], 10, minimum=1) == [8, 1, 1]


def test_a_weight_of_zero_gets_nothing_even_with_a_minimum():
    assert apportion([3, 0], 5, minimum=1) == [5, 0]


@pytest.mark.parametrize("total", [1, 2])
def test_a_total_below_the_minimum_is_still_given_out_once(total):
    given_out = apportion([1, 1, 1], total, minimum=1)
    assert sum(given_out) == total
    assert max(given_out) == 1


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(0, 400))
def test_shares_sum_to_the_total_and_stay_within_one_of_the_quota(weights, total):
    shares = apportion(weights, total)
    assert sum(shares) == total
    whole = sum(weights)
    assert all(abs(share - total * weight / whole) < 1 for share, weight in zip(shares, weights, strict=True))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=8), st.integers(0, 200))
def test_caps_are_never_exceeded_and_what_fits_is_given(places, total):
    weights, caps = [weight for weight, _ in places], [cap for _, cap in places]
    shares = apportion(weights, total, caps=caps, minimum=1)
    room = sum(cap for weight, cap in places if weight)
    assert all(share <= cap for share, cap in zip(shares, caps, strict=True))
    assert sum(shares) == min(total, room)
