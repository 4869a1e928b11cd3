from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from engine.scoring import intervals
from engine.scoring.intervals import percentile_interval, resampled_counts, wilson


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_that_of_scipy(sample: tuple[int, int]) -> None:
    successes, n = sample
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_a_known_case() -> None:
    # 41 of 50, the figure that was once reported without an interval
    assert wilson(41, 50) == pytest.approx((0.6920, 0.9023), abs=1e-3)


def test_no_cases_have_no_interval() -> None:
    assert wilson(0, 0) == (None, None)


def test_resamples_keep_the_size_of_each_class_and_invent_no_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CHUNK_CELLS", 40)
    positives, negatives = np.array([0, 2, 3, 0]), np.array([5, 0, 1, 4])
    chunks = list(resampled_counts(positives, negatives, 25, np.random.default_rng(0)))
    assert [len(drawn) for drawn, _ in chunks] == [10, 10, 5]
    for drawn_positives, drawn_negatives in chunks:
        assert (drawn_positives.sum(axis=1) == 5).all()
        assert (drawn_negatives.sum(axis=1) == 10).all()
        assert not drawn_positives[:, [0, 3]].any()
        assert not drawn_negatives[:, 1].any()


def test_the_percentile_interval_leaves_out_the_outer_twentieth() -> None:
    assert percentile_interval(np.arange(0.0, 1001.0)) == pytest.approx((25.0, 975.0))
