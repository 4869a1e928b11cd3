"""The blocks of a page. All text in them is plain and untrusted; whoever renders a block escapes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strong:
    """Words that must be seen."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A fingerprint, a command, an option."""

    text: str


Words = Sequence[str | Strong | Code]
"""A line of text."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is that of the page."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    words: Words


@dataclass(frozen=True, slots=True)
class Callout:
    """What must be read before the figures."""

    words: Words
    severe: bool = False
    """A reason not to believe a figure, not only to be careful with it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    items: Sequence[Words]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    cells: Sequence[str]
    """The first one names the row."""
    reference: bool = False
    """It is no tuned run."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the caption that tells what it shows."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]
    words: Sequence[int] = ()
    """Columns that hold text, by place; all others hold figures."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, by the name of its file."""

    name: str
    caption: str
    alternative: str
    """The same in words and numbers, for those who don't see it."""


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text exactly as it is, such as a prompt."""

    text: str


Block = Heading | Paragraph | Callout | Listing | Table | Plot | Verbatim
