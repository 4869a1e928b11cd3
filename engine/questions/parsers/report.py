"""The combined report: its sections by title, in any order and with the usual slips, and what each of them says."""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from functools import lru_cache

from engine.questions.normalise.layers import LONGEST_READ
from engine.questions.normalise.spelling import corrected
from engine.questions.parsers.framing import LABELS
from engine.questions.prompts import QUESTIONS

_LONGEST_TITLE = 60
_NEAR = 0.86
"""Similarity (difflib ratio) from which a misspelt title is taken for a title."""

_LEAD = (
    r"[ \t>#*_`\-+•·(]{0,12}(?:(?:section|part|question|q)\s?(?P<number>[1-8])\s?[.:)\-–—]*\s{0,3}"
    r"|\(?(?P<item>\d{1,2})[.)]\s{0,3}"
    r"|(?P<bare>[1-8])\s[-–—:]\s)?[*_`\"' ]{0,6}"
)
_LINE_TITLE = re.compile(
    rf"^{_LEAD}(?P<title>[A-Za-z][A-Za-z /&'-]{{1,{_LONGEST_TITLE}}}?)(?:\s\([^()\n]{{1,20}}\))?[*_`\"' ]{{0,6}}"
    r"(?:[:=]|\s[-–—]+\s|$)[*_`\"' ]{0,6}",
    re.MULTILINE | re.IGNORECASE,
)
_NUMBER_ONLY = re.compile(
    r"^[ \t#*_`\-]{0,8}(?:question\s?|q)(?P<number>[1-8])\s?[.:)\-–—]+[*_` ]{0,6}", re.MULTILINE | re.IGNORECASE
)
_AROUND = " \t\r\n*_`#>-–—:;|\"'"


def parse_report(text: str) -> dict[str, str]:
    """Sections of a combined report: text by question id, in the order Q1 to Q8; sections without text are absent.

    Titles are found at the start of a line (numbered, bold, bulleted or misspelt) and, in full, anywhere before a
    colon. A JSON object with titles or ids as keys is read as well. Of a section that comes twice, the first one
    counts."""
    text = text[:LONGEST_READ]
    sections = _from_json(text) or _from_text(text)
    return {question: sections[question] for question in QUESTIONS if sections.get(question)}


def _from_json(text: str) -> dict[str, str]:
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return {}
    try:
        content = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return {}  # not JSON after all: it is read as text
    found: dict[str, str] = {}
    for key, value in content.items():
        question = _question_of(key) or (key.strip().upper() if key.strip().upper() in QUESTIONS else None)
        if question:
            words = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
            found.setdefault(question, words.strip())
    return found


def _from_text(text: str) -> dict[str, str]:
    marks = _titles(text)
    found: dict[str, str] = {}
    ends = [start for _, start, _ in marks[1:]] + [len(text)]
    for (question, _, start), end in zip(marks, ends, strict=False):
        section = text[start:end].strip(_AROUND)
        section = re.sub(r"[\s*#]+(?:section\s*\d?|\d{1,2}[.)])?\s*\Z", "", section, flags=re.IGNORECASE).strip(_AROUND)
        if section:
            found.setdefault(question, section)
    return found


def _titles(text: str) -> list[tuple[str, int, int]]:
    """Question id, where its title starts and where its text starts; in order, without overlaps."""
    marks = [
        (question, match.start(), match.end())
        for match in _LINE_TITLE.finditer(text)
        if (question := _question_of(match["title"]))
    ]
    marks += [(f"Q{match['number']}", match.start(), match.end()) for match in _NUMBER_ONLY.finditer(text)]
    marks += [
        (question, match.start(), match.end()) for question, pattern in _inline() for match in pattern.finditer(text)
    ]
    ordered: list[tuple[str, int, int]] = []
    for mark in sorted(marks, key=lambda each: (each[1], -each[2])):
        if ordered and mark[1] < ordered[-1][2]:
            continue
        if ordered and mark[0] == ordered[-1][0] and not text[ordered[-1][2] : mark[1]].strip(_AROUND):
            ordered[-1] = (mark[0], ordered[-1][1], mark[2])
        else:
            ordered.append(mark)
    return ordered


@lru_cache(maxsize=1)
def _inline() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Full titles anywhere before a colon: `... stomach. Fetal Orientation: head to right`."""
    return tuple(
        (
            question.id,
            re.compile(rf"\b{question.title.replace(' ', r'[ _]')}[*_`\"]{{0,4}}\s?:[*_`\" ]{{0,6}}", re.IGNORECASE),
        )
        for question in QUESTIONS.values()
    )


@lru_cache(maxsize=4_096)
def _question_of(title: str) -> str | None:
    """The question that a title names, misspelt or not; None for other words."""
    words = " ".join(re.findall(r"[a-z]+", corrected(title[: _LONGEST_TITLE + 1].lower())))
    if not words:
        return None
    exact = _known_titles().get(words) or _known_titles().get(words.removeprefix("the ").removeprefix("fetal "))
    if exact:
        return exact
    best = max(_full_titles(), key=lambda pair: SequenceMatcher(None, words, pair[1]).ratio())
    near = abs(len(words) - len(best[1])) <= 4 and SequenceMatcher(None, words, best[1]).ratio() >= _NEAR
    return best[0] if near else None


@lru_cache(maxsize=1)
def _known_titles() -> dict[str, str]:
    return {" ".join(re.findall(r"[a-z]+", label)): question for question, labels in LABELS.items() for label in labels}


@lru_cache(maxsize=1)
def _full_titles() -> tuple[tuple[str, str], ...]:
    return tuple((question.id, question.title.lower()) for question in QUESTIONS.values())
