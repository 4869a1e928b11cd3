"""Values that mean harm, for the fuzz targets: made of what the real formats hold and of text that breaks terminals,
databases, spreadsheets, file systems and parsers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

PIECES = (
    # terminals: cursor, colours, title, links, answers to the keyboard, 8-bit controls, backspaces
    "\x1b[2J", "\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1b[6n", "\x1b[?1049h", "\x9b31m", "\x9d0;x\x9c",
    "\x08\x08", "\x7f", "\x00", "\x07", "\r", "\n", "\r\n", "\t", "\v", "\f", "\x85", "\x1c", "\u2028", "\u2029",
    # directions, invisible ones, joiners, half pairs, private and unassigned ones
    "\u202e", "\u202d\u2066", "\u2069", "\u200b", "\u200d", "\u00ad", "\ufeff", "\ufe0f", "\u20e3", "\u115f", "\u3164",
    "\ud800", "\udfff", "\ue000", "\U000e0041", "\U0010ffff", "\ufffe", "\u0378",
    # wide, combined, stacked
    "世界", "🙂", "👩\u200d👩\u200d👧", "🇩🇪", "e\u0301", "\u0301" * 40, "한", "ﷺ", "שלום", "ｆｕｌｌ", "ß", "İ", "ı", "ſ",
    # markup, formats, formulas, statements
    "[bold]", "[/]", "[/bold]", "[link=http://x]", "[@click=app.quit]", "\\[", "\\", "[", "]", "`", "**", "| |", "<b>", "&amp;",
    "%s%n", "{0.__class__}", "{}", "${HOME}", "$(id)", "'; DROP TABLE runs; --", '" OR 1=1', "=cmd|'/c calc'!A0", "@SUM(1)", "-1",
    # paths
    "..", ".", "../", "..\\", "/", "//", "./", "/etc/passwd", "/dev/zero", "/proc/self/environ", "C:\\x", "\\\\host\\share",
    "~", "a/./b", "name.", "name ", "con", "․․/", "％2e％2e", "．．", "∕", ".png", ".PNG", ".jpg.png", "a" * 260,
    # numbers
    "NaN", "Infinity", "-Infinity", "1e999", "-0", "0x10", "9" * 30, "9" * 5000, "1_000", "٣", "²", "½", "0" * 60 + "1",
    # words of the domain
    "normal", "abnormal", "not", "no", "weeks", "20-25", "18-200 weeks", "Trans-thalamic", "aorta, liver", "NT", ": ", ", ", ". ",
    " ", "-", "(", ")", "Q7", "null", "true", "\"", "'", "#", "=", ";",
)  # fmt: skip

PIECE = st.sampled_from(PIECES)


def joined(pieces: Strategy = PIECE, most: int = 6) -> Strategy:
    """Up to `most` pieces in a row."""
    return st.lists(pieces, max_size=most).map("".join)


TEXT: Strategy = st.one_of(joined(), joined(), st.text(max_size=20), st.text(st.characters(codec=None), max_size=8))
"""Short text; half surrogate pairs and NUL included."""


def long_text(characters: int = 10_000) -> Strategy:
    """Text of about `characters`: a few pieces again and again."""
    return st.tuples(joined(most=3), joined(most=2)).map(
        lambda parts: (parts[0] * (characters // max(1, len(parts[0])) + 1))[:characters] + parts[1]
    )


SCALARS: Strategy = st.one_of(
    TEXT,
    st.sampled_from(
        (None, True, False, 0, -1, 2**63, -(2**63), 10**400, 1e308, float("nan"), float("inf"), -0.0, 0.5, [], {}, "")
    ),
    st.integers(-(2**70), 2**70),
    st.floats(),
)
VALUES: Strategy = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(TEXT, SCALARS, max_size=3),
    st.integers(2, 30).map(lambda depth: json.loads("[" * depth + "]" * depth)),
    st.integers(2, 30).map(lambda depth: json.loads('{"a":' * depth + "1" + "}" * depth)),
)
"""Anything that JSON can say."""


def usually(right: Strategy, wrong: Strategy = VALUES, of: int = 6) -> Strategy:
    """`right`, and once in `of` times something wrong: most of a document must be in order for the rest to be read."""
    return st.integers(1, of).flatmap(lambda number: wrong if number == of else right)


def json_bytes(values: Strategy) -> Strategy:
    """Values as JSON, sometimes damaged: bytes cut off, put in, or repeated; nested a hundred thousand deep."""
    plain = st.tuples(values, st.booleans()).map(lambda pair: _dumped(*pair))
    return st.one_of(plain, plain, plain, plain, st.builds(damaged, plain, st.integers(0, 400), DAMAGE))


DAMAGE: Strategy = st.sampled_from(
    (b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"\n", b"NaN",
     b"1e999", b'"', b"\\ud800", b"}", b"]", b"\x1b[2J")
)  # fmt: skip


def damaged(data: bytes, at: int, put_in: bytes) -> bytes:
    """`data` with bytes put in at a place, or cut off there where there is nothing to put in."""
    at = min(at, len(data))
    return data[:at] + put_in + data[at:] if put_in else data[:at]


def _dumped(value: Any, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
