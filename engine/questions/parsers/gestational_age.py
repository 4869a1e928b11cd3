"""Q5: the bin of weeks, from whatever way a text states an age."""

from __future__ import annotations

import re

from engine.questions.parsers.week_mentions import DATE, OTHER_UNIT, Mention, week_mentions
from engine.questions.reading import Reading, Status, read_as, unread

BINS = ("8-13", "13-15", "15-20", "20-25", "25-30", "30-35", "35-38", "38+")
"""Bins of the annotation sheet in weeks; a boundary belongs to the bin above it."""

_EDGES = (8, 13, 15, 20, 25, 30, 35, 38)
LATEST = 45
"""Weeks; no pregnancy is older."""


def bin_index(value: str) -> int:
    """Position of a bin, 0 for `8-13` to 7 for `38+`; neighbours differ by one.

    Raises:
        ValueError: for a text that is no value of a Q5 reading.
    """
    return BINS.index(value)


def read_gestational_age(text: str) -> Reading:
    """The bin that holds every age that `text` states; unclear where it states ages of several bins.

    A range that lies across two bins, an impossible age, a trimester and a date are unparseable.
    """
    mentions, refused = week_mentions(text)
    if not mentions:
        return unread(Status.UNCLEAR if refused else Status.UNPARSEABLE)
    found = {_bin(mention) for mention in mentions}
    if len(found) == 1:
        only = found.pop()
        return read_as(only) if only else unread(Status.UNPARSEABLE)
    return unread(Status.UNCLEAR)


def why_unread(text: str) -> str:
    """Why no bin was found, in words for the person who looks at the answer."""
    mentions, refused = week_mentions(text)
    if mentions:
        return "; ".join(dict.fromkeys(_complaint(mention) for mention in mentions))
    if refused:
        return "says that it cannot be told"
    if DATE.search(text):
        return "a date where weeks belong"
    if re.search("trimester", text, re.IGNORECASE):
        return "a trimester is too coarse for a bin"
    if OTHER_UNIT.search(text):
        return "a number in another unit than weeks"
    return "no weeks found"


def _bin(mention: Mention) -> str:
    """The bin that holds the whole mention; empty where none does."""
    low, high = mention.low, mention.high
    if high == float("inf"):
        return BINS[-1] if _EDGES[-1] <= low <= LATEST else ""
    if low == 0.0 < high:  # `less than 13 weeks`
        return BINS[0] if _EDGES[0] < high <= _EDGES[1] else ""
    if low < _EDGES[0] or high > LATEST:
        return ""
    index = max(position for position, edge in enumerate(_EDGES) if edge <= low)
    fits = index == len(BINS) - 1 or high < _EDGES[index + 1] or (high == _EDGES[index + 1] and low < high)
    return BINS[index] if fits else ""


def _complaint(mention: Mention) -> str:
    low, high = mention.low, mention.high
    said = _in_words(low, high)
    if low > LATEST or LATEST < high < float("inf"):
        return f"{said}: impossible"
    if _bin(mention):
        return f"{said}, among other ages"
    if high < _EDGES[0]:
        return f"{said}: before the first bin"
    return f"{said}: lies across several bins"


def _in_words(low: float, high: float) -> str:
    if low == high:
        return f"{low:g} weeks"
    if high == float("inf"):
        return f"over {low:g} weeks"
    return f"under {high:g} weeks" if low == 0.0 else f"{low:g}-{high:g} weeks"
