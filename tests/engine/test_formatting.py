"""Figures as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.formatting import duration, figure, number, short_duration, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.50"),
        (1.0, "1.00"),
        (-1.0, "-1.00"),
        (0.994, "0.99"),
        (0.996, "0.996"),
        (0.99999, "0.999"),
        (-0.997, "-0.997"),
        (0, "0.00"),
        (1 - 1e-12, "1.00"),
    ],
)
def test_a_figure_never_promises_a_perfection_that_is_not_there(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(0, 1))
def test_only_a_perfect_figure_reads_as_one(value: float) -> None:
    assert (figure(value) == "1.00") == (value >= 1 - 1e-9)


@pytest.mark.parametrize(
    ("seconds", "text", "short"),
    [
        (None, "–", "–"),
        (math.nan, "–", "–"),
        (math.inf, "–", "–"),
        (0, "0 s", "0s"),
        (12.4, "12 s", "12s"),
        (59.6, "1 min 00 s", "1m00s"),
        (200, "3 min 20 s", "3m20s"),
        (3599.7, "1 h 00 min", "1h00m"),
        (3900, "1 h 05 min", "1h05m"),
        (187_200, "52 h 00 min", "2d04h"),
        (86400 * 120, "2880 h 00 min", "120d"),
    ],
)
def test_durations(seconds: float | None, text: str, short: str) -> None:
    assert (duration(seconds), short_duration(seconds)) == (text, short)


@given(st.floats(-1e6, 1e12))
def test_a_short_duration_fits_its_column(seconds: float) -> None:
    assert 1 <= len(short_duration(seconds)) <= 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "–"),
        (1024, "0 MiB"),
        (2**20, "1 MiB"),
        (1023 * 2**20, "1023 MiB"),
        (2**30 - 1, "1.0 GiB"),
        (2**30, "1.0 GiB"),
        (80 * 2**30, "80.0 GiB"),
    ],
)
def test_sizes(value: float | None, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (0.0, "0"),
        (0.35291, "0.3529"),
        (2.0, "2"),
        (-1.5, "-1.5"),
        (2e-4, "2.00e-4"),
        (1e-3, "0.001"),
        (9999.4, "9999"),
        (9999.7, "10000"),
        (12345.6, "12346"),
        (99999.7, "1.00e5"),
        (1.5e12, "1.50e12"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e99, 1e99).filter(lambda value: abs(value) > 1e-99))
def test_a_number_fits_its_column_and_is_nearly_the_value(value: float) -> None:
    text = number(value)
    assert len(text) <= 9
    assert math.isclose(float(text), value, rel_tol=6e-3)
