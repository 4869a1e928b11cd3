"""Text in cells: exact widths, no control characters, whatever is thrown at it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tui_helpers import HOSTILE

from engine.text import one_line
from tui.text import bar, cut, fit, single_cells, width_of, wrap

ANYTHING = st.one_of(
    st.text(max_size=80),
    st.text("ab \t\n世界🙂e\u0301\u200d\u202e\x1b[31m שלום\ufe0f", max_size=120),
    st.just(HOSTILE),
)


def controls(text: str) -> list[str]:
    return [each for each in text if unicodedata.category(each).startswith("C")]


@given(ANYTHING, st.integers(-2, 60), st.sampled_from(("left", "right", "center")))
def test_fitted_text_takes_exactly_its_cells(text: str, width: int, align: str) -> None:
    fitted = fit(text, width, align)
    assert width_of(fitted) == max(0, width)
    assert not controls(fitted)


@given(ANYTHING, st.integers(0, 60))
def test_cut_text_says_that_it_was_cut_and_only_then(text: str, width: int) -> None:
    short = cut(text, width)
    whole = one_line(text)
    assert width_of(short) <= width
    assert not controls(short)
    if cell_len(whole) <= width:
        assert whole.endswith(short), "at most characters of no width at its beginning are gone"
    elif width:
        assert short.endswith("…")


def test_accents_of_their_own_take_no_room() -> None:
    """File names of macOS have them; counted as characters they would be cut."""
    name = "cafe\u0301 ".strip() * 6
    assert len(name) == 30
    assert cut(name, 24) == name
    assert fit(name, 26) == name + "  "
    assert cut(name, 23).endswith("…")


def test_a_character_of_no_width_never_joins_what_stands_before_the_text() -> None:
    assert cut("\u0301abc", 10) == "abc"
    assert fit("\u0301\u0301", 3) == "   "


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab d", 3, "ab…"),
        ("abc def", 5, "abc…"),
        ("世界", 4, "世界"),
        ("世界", 3, "世…"),
        ("世界", 2, "…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("a\nb\tc", 9, "a b c"),
        ("\x1b[31mx", 9, "\ufffd[31mx"),
        (None, 9, "None"),
    ],
)
def test_where_text_is_cut(text: object, width: int, short: str) -> None:
    assert cut(text, width) == short


def test_text_is_set_to_either_side_or_the_middle() -> None:
    assert (fit("ab", 5), fit("ab", 5, "right"), fit("ab", 5, "center")) == ("ab   ", "   ab", " ab  ")


@given(ANYTHING, st.integers(2, 50))
def test_wrapped_text_is_whole_and_within_its_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert not any(controls(line) for line in lines)
    wanted = "".join(one_line(part) for part in text.replace("\r\n", "\n").replace("\t", "").split("\n")).replace(
        " ", ""
    )
    got = "".join(lines).replace(" ", "")
    assert got == wanted


@given(ANYTHING)
def test_wrapping_ends_even_where_nothing_fits(text: str) -> None:
    assert len(wrap(text, 0)) <= 4 * len(text) + 1
    assert all(len(line) == 1 or width_of(line) <= 1 for line in wrap(text, 1))


def test_words_stay_whole_and_line_ends_stay() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("one\n\n two", 8) == ["one", "", " two"]
    assert wrap("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]
    assert wrap("世界世界", 5) == ["世界", "世界"]
    assert wrap("", 5) == [""]


@given(st.text("a世 \u0301─⣿", max_size=9))
def test_single_cells_are_told_from_others(text: str) -> None:
    assert single_cells(text) == all(cell_len(each) == 1 for each in text)


@given(st.floats(allow_nan=False), st.integers(0, 40))
def test_a_bar_fills_its_width_whatever_the_share(share: float, width: int) -> None:
    assert len(bar(share, width)) == width


def test_a_bar_is_drawn_to_an_eighth_of_a_cell() -> None:
    assert bar(0, 4) == "    "
    assert bar(1, 4) == bar(7.5, 4) == "████"
    assert bar(0.5, 4) == "██  "
    assert bar(0.53125, 4) == "██▏ "
    assert bar(-1, 3) == "   "
