"""Text that comes from data, models and people, made safe for a terminal. Standard library only.

Names, answers and error texts are untrusted: a run's name must not be able to move the cursor, to turn the direction of
writing, or to hide what stands beside it.
"""

from __future__ import annotations

import unicodedata

KEPT_CONTROLS = "\n\t"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LINE_ENDS = {ord(each): " " for each in "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
_WIDTH_CHANGERS = {0xFE0E: None, 0xFE0F: None, 0x20E3: None}
"""Variation selectors and the keycap: terminals disagree on how wide the character before them is then."""


def plain(text: object) -> str:
    """`text` without control, format and direction characters; line breaks and tabs stay."""
    string = str(text)
    if string.isprintable():  # almost all text, in one call
        return string
    return "".join(
        character if character in KEPT_CONTROLS or not unicodedata.category(character).startswith("C") else REPLACEMENT
        for character in string
    )


def without_controls(text: str) -> str:
    """What `plain` would replace is left out, to be stored; every kind of line end becomes one line feed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        character
        for character in lines
        if character in KEPT_CONTROLS or not unicodedata.category(character).startswith("C")
    )


def one_line(text: object) -> str:
    """`plain` text on one line, for a cell of a table: line ends and tabs become spaces."""
    string = str(text)
    if string.isascii() and string.isprintable():
        return string
    return plain(string.translate(_LINE_ENDS).translate(_WIDTH_CHANGERS))
