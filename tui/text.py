"""Text in cells: cut, padded and aligned by the width that a terminal gives it. Input may be untrusted."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size, set_cell_size

from engine.api import one_line

ELLIPSIS = "…"
LONG = 256
"""Characters of a text that is not kept in mind."""


def width_of(text: str) -> int:
    """Width of `text` on a terminal, in cells."""
    return len(text) if text.isascii() else cell_len(text)


def single_cells(text: str) -> bool:
    """Whether every character takes one cell."""
    return text.isascii() or set(map(get_character_cell_size, text)) == {1}


def cut(text: object, width: int) -> str:
    """`text` on one line, made safe, at most `width` cells wide; an ellipsis says that something was cut."""
    safe = one_line(text)
    if not safe.isascii():
        safe = _without_joiners(safe)
    # A very long text is cut roughly first, because measuring cells looks at every character; in some scripts several
    # of them share a cell.
    short = safe[: 4 * max(width, 0)]
    if len(short) == len(safe) and width_of(safe) <= width:
        return safe
    if width <= 1:
        return ELLIPSIS[: max(width, 0)]
    return set_cell_size(short, width - 1).rstrip() + ELLIPSIS


@lru_cache(4096)
def _short(text: str, width: int) -> str:
    """As `cut`; the same bars and marks stand in many rows."""
    return cut(text, width)


def _without_joiners(text: str) -> str:
    """Without characters of no width at the beginning: they would join what stands beside the text."""
    start = next((place for place, character in enumerate(text) if get_character_cell_size(character)), len(text))
    return text[start:]


def fit(text: object, width: int, align: str = "left") -> str:
    """`text` on one line in exactly `width` cells; `align` is left, right or center."""
    string = text if isinstance(text, str) else str(text)
    if len(string) <= width and string.isascii() and string.isprintable():  # almost all cells of all tables
        short = string
    else:
        short = _short(string, width) if len(string) < LONG else cut(string, width)
    room = width - width_of(short)
    if align == "right":
        return " " * room + short
    if align == "center":
        return " " * (room // 2) + short + " " * (room - room // 2)
    return short + " " * room


def counted(number: int, noun: str, none: str = "0") -> str:
    """`1 run`, `3 runs`; `none` stands for nought."""
    return f"{number or none} {noun}{'' if number == 1 else 's'}"


def wrap(text: object, width: int) -> list[str]:
    """Lines of at most `width` cells; words are kept whole where they fit; line ends and indents are kept."""
    lines: list[str] = []
    for paragraph in str(text).replace("\r\n", "\n").replace("\t", "    ").split("\n"):
        lines += _wrap_paragraph(one_line(paragraph), max(width, 1))
    return lines


def _wrap_paragraph(paragraph: str, width: int) -> list[str]:
    if len(paragraph) <= width and width_of(paragraph) <= width:  # most lines of a log
        return [paragraph]
    first, *words = paragraph.split(" ")
    lines, current = _broken(first, width)
    for word in words:
        if width_of(current) + 1 + width_of(word) <= width:
            current = f"{current} {word}"
            continue
        if current.strip():
            lines.append(current)
        pieces, current = _broken(word, width)
        lines += pieces
    return [*lines, current] if current.strip() or not lines else lines


def _broken(word: str, width: int) -> tuple[list[str], str]:
    """A word that is wider than a line in pieces that fill lines, and what is left of it.

    No look goes over all that is left: in a word of 10,000 characters that would take seconds.
    """
    pieces, at = [], 0
    while len(word) - at > 1 and _is_wider(word, at, width):
        pieces.append(_head(word[at : at + width], width))
        at += len(pieces[-1])
    return pieces, word[at:]


def _is_wider(word: str, at: int, width: int) -> bool:
    """Whether what stands from `at` on takes more than `width` cells."""
    cells, step = 0, max(width, LONG)
    while at < len(word) and cells <= width:
        cells += width_of(word[at : at + step])
        at += step
    return cells > width


def _head(word: str, width: int) -> str:
    """The first characters of a word that fill at most `width` cells; at least one of them."""
    count = min(len(word), width)
    while count > 1 and width_of(word[:count]) > width:
        count -= 1
    return word[:count]


EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(fraction: float, width: int) -> str:
    """A horizontal bar of `width` cells, filled to an eighth of a cell; values outside 0..1 are clipped."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)
