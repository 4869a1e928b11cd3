"""Finds the ages in weeks that a text mentions: `22w3d`, `between 20 and 25`, `38+`, `twenty-two weeks`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.questions.parsers.framing import answer_part, split_refusals

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40}
_NUMBER_WORD = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[\s-]?({'|'.join(_SMALL[1:10])}))?|({'|'.join(_SMALL)}))\b", re.IGNORECASE
)
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}"
DATE = re.compile(
    r"\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[t ]\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?)?"
    r"|\b\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?[- ]?{_MONTH}\b(?:[- ,]{{0,2}}\d{{2,4}}\b)?"
    rf"|\b{_MONTH}[- ]?\d{{1,4}}\b(?:,? ?\d{{4}})?",
    re.IGNORECASE,
)
OTHER_UNIT = re.compile(
    r"\b\d+(?:\.\d+)?(?:\s?(?:x|-|to|±|\+/-)\s?\d+(?:\.\d+)?)?\s?"
    r"(?:mm|cm|ml|m/s|bpm|hz|mhz|khz|db|g|gms?|grams?|kg|%|percent|px|pixels?"
    r"|degrees?|deg|°|years?|yrs?|months?|/10|out of \d+|images?|fetus(?:es)?)(?![a-z])",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b\d{1,2}(?:st|nd|rd|th)\b(?!\s*weeks?)|\bq\d\b|\b\d[- ]?(?:chambers?|vessels?|ch|cv)\b|\b\d+ percentile\b",
    re.IGNORECASE,
)
_WEEKS = r"(?:weeks?|wks?|w(?![a-z]))"
_NUMBER = r"\d{1,4}(?:\.\d+)?"
_AGE = re.compile(
    r"(?P<more>(?:>=?|\b(?:over|above|beyond|after|more than|greater than|older than|at least|from|past"
    r"|exceed(?:s|ing)?))\s*)?"
    r"(?P<less>(?:<=?|\b(?:under|below|before|less than|younger than|up to|at most))\s*)?"
    rf"(?<![\d.])(?P<low>{_NUMBER})(?:"
    r"\s?(?:weeks?|wks?|w)?\s?(?P<plus>\+(?![\d\s]*\d)|\bplus\b(?!\s*\d))"
    r"|\s?(?:weeks?|wks?|w)\s?(?:and\s|\+|,\s)?\s?(?P<days>[0-6])\s?(?:days?|d)\b"
    r"|\s?\+\s?(?P<more_days>[0-6])(?!\d)"
    r"|(?P<of_forty>/40)\b"
    rf"|\s?(?:weeks?|wks?|w)?\s?(?:-|/|to|and|through|until|till|~)\s?(?P<high>{_NUMBER})(?P<high_plus>\+)?(?!\d)"
    rf")?(?:\s?(?:st|nd|rd|th)\b)?(?P<unit>\s?(?:completed |gestational )?{_WEEKS})?"
    r"(?P<onward>\s?(?:\+(?!\d)|or (?:more|later|above|older|greater)|and (?:above|more|over|older|later|beyond)"
    r"|onwards?))?",
    re.IGNORECASE,
)
_LEADS_TO_AGE = re.compile(
    r"(?:\bga\b|\bgestation\w*|\bage\b|\bbetween\b|\bapprox\w*|\babout\b|\baround\b|\brange\b)[^.;,\d]{0,40}\Z"
    r"|\bweeks?\W{0,3}\Z",
    re.IGNORECASE,
)
_DAYS = re.compile(r"\s?(?:days?|months?|years?)\b", re.IGNORECASE)
_OR_ANOTHER = re.compile(r"\s*(?:or|versus|vs)\b[^.;,\d]{0,12}\d", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:not|rather than|instead of|isn't)\s(?:in\s)?(?:the\s)?(?:range\s)?\Z", re.IGNORECASE)
_PLAIN_LENGTH = 40
"""Characters up to which a number without `weeks` beside it is taken for weeks."""


@dataclass(frozen=True, slots=True)
class Mention:
    """An age or a range of ages, in weeks."""

    low: float
    """Zero where the text gives an upper bound alone."""
    high: float
    """Infinite where the text gives a lower bound alone."""
    in_weeks: bool
    """Whether the text says that it is an age; a bare number counts only where nothing else does."""


def week_mentions(text: str) -> tuple[list[Mention], bool]:
    """The ages that `text` mentions, and whether it says of anything that it cannot be told.

    Dates, ordinals, numbers in other units and denied ages (`not 15-20`) are no mentions. Where one number stands
    beside `weeks`, those without do not count (`FL 35, 22 weeks`).
    """
    body, refused = split_refusals(answer_part("Q5", text))
    body = _NUMBER_WORD.sub(_digits, body)
    for foreign in (DATE, _ORDINAL, OTHER_UNIT):
        body = foreign.sub(" | ", body)
    found = []
    for match in _AGE.finditer(body):
        before = body[max(0, match.start() - 60) : match.start()]
        behind = body[match.end() : match.end() + 20]
        if not _NEGATED.search(before) and not _DAYS.match(behind):
            found.append(_mention(match, before, behind))
    marked = [mention for mention in found if mention.in_weeks]
    if marked:
        return marked, refused
    return (found if len(body.strip()) <= _PLAIN_LENGTH else []), refused


def _digits(match: re.Match[str]) -> str:
    tens, one, small = (part.lower() if part else "" for part in match.groups())
    return str(_SMALL.index(small) if small else _TENS[tens] + (_SMALL.index(one) if one else 0))


def _mention(match: re.Match[str], before: str, behind: str) -> Mention:
    low = float(match["low"])
    in_weeks = _is_marked(match, before, behind)
    if match["high"]:
        low, high = sorted((low, float(match["high"])))
        return Mention(low, float("inf") if match["onward"] or match["high_plus"] else high, in_weeks)
    if match["more"] or match["plus"] or match["onward"]:
        return Mention(low, float("inf"), in_weeks)
    if match["less"]:
        return Mention(0.0, low, in_weeks)
    days = match["days"] or match["more_days"]
    age = low + (int(days) / 7 if days else 0)
    return Mention(age, age, in_weeks)


def _is_marked(match: re.Match[str], before: str, behind: str) -> bool:
    """Whether the text says that the number is an age: by its unit, the words before it, or an `or` behind it."""
    if match["unit"] or match["days"] or match["of_forty"] or re.search(_WEEKS, match.group(), re.IGNORECASE):
        return True
    return bool(_OR_ANOTHER.match(behind) or _LEADS_TO_AGE.search(before) or (match["plus"] and match["low"] == "38"))
