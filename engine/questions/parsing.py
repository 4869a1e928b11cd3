"""What an answer to Q7 says: normal, abnormal, unclear, or nothing that can be read.

The verdict is found anywhere in the text. Decisions, each held by a table of cases in the tests:

- An abnormal finding that is asserted wins over `normal` beside it: "Normal heart, but abnormal VSD" is abnormal,
  because a report that names a finding is acted upon. Hedged findings ("possible VSD") count as findings.
- The structured form wins over everything behind it: one class word as the first sentence, followed by a reason or
  written in capitals ("NORMAL. Reason: ...").
- A doubt ("cannot be determined") hides the class words that it speaks of, and counts when nothing else is said.
- A bare "yes" or "no" is unparseable: it answers the simple wording one way and the detailed wording the other. After
  an echoed question or heading it is read ("Abnormality: none").
- Error texts of a server are unparseable, whatever words they hold.

Every step looks at a bounded window of words, so the time grows with the length of the text and no faster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

from engine.questions import evidence
from engine.questions.evidence import Term
from engine.questions.lexicon import BREAKERS, GONE, HEADING_FILLERS, HEADINGS, REASONS, UNCLEAR
from engine.types import Verdict

_TOKEN = re.compile(r"w/o\b|r/o\b|[a-z]+(?:['’][a-z]+)?|\d+(?:\.\d+)?|[.;:!?\n,/()]|\s[-–—]+\s|—", re.IGNORECASE)
_ERROR = re.compile(
    r"\W{0,20}(?:(?:api|http|server|internal|request|connection|network|timeout|model|inference)\W{1,3}){0,3}"
    r"(?:\w{0,40}error|\w{0,40}exception|traceback|failed|failure|timed out|timeout)\b",
    re.IGNORECASE,
)
_SHORTHAND = {"w/o": ("without",), "r/o": ("rule", "out")}


@dataclass(slots=True)
class _Clause:
    """Words up to a mark that ends a thought; commas and slashes stay among the words."""

    words: list[str]
    end: str
    raw_first: str
    """First word as written, to tell NORMAL from Normal."""


def parse_normality(text: str) -> Verdict:
    """The verdict that `text` states about an image; see the module for what wins over what."""
    if _ERROR.match(text):
        return Verdict.UNPARSEABLE
    clauses = _clauses(text)
    spoken, found = _without_headings(clauses)
    if not found:
        stated = _stated_class(spoken, text)
        if stated:
            return stated
    for clause in spoken:
        for segment in _segments(clause.words):
            found |= evidence.of_segment(segment)
    for verdict in (Verdict.ABNORMAL, Verdict.NORMAL, Verdict.UNCLEAR):
        if verdict in found:
            return verdict
    return Verdict.UNPARSEABLE


def _clauses(text: str) -> list[_Clause]:
    clauses = []
    words: list[str] = []
    raw_first = ""
    for match in _TOKEN.finditer(text):
        raw = match.group()
        token = raw.strip().lower().replace("’", "'")
        if not token[:1].isalnum() and token not in {",", "/"}:
            if words:
                clauses.append(_Clause(words, token or "\n", raw_first))
            words = []
        else:
            raw_first = raw_first if words else raw
            if words[-1:] == ["ab"]:  # `ab-normal`
                words[-1] += token
            else:
                words.extend(_SHORTHAND.get(token, (token,)))
    if words:
        clauses.append(_Clause(words, "", raw_first))
    return clauses


def _without_headings(clauses: list[_Clause]) -> tuple[list[_Clause], set[Verdict]]:
    """The clauses that are no echo of the question, and what a yes, no or none after such an echo says."""
    spoken = []
    found: set[Verdict] = set()
    asked: Verdict | None = None
    for clause, following in zip_longest(clauses, clauses[1:]):
        if clause.end == "?" or _is_heading(clause, following):
            asked = _asked(clause.words)
            continue
        reply = _reply(clause.words)
        if asked and reply is not None:
            opposite = Verdict.NORMAL if asked is Verdict.ABNORMAL else Verdict.ABNORMAL
            found.add(asked if reply else opposite)
        spoken.append(clause)
        asked = None
    return spoken, found


def _is_heading(clause: _Clause, following: _Clause | None) -> bool:
    """`Normality assessment:`, `Final answer -`; a single class word where a yes or no follows (`Abnormal: no`)."""
    if clause.end != ":" and (clause.end not in {"-", "–", "—", "\n"} or following is None):
        return False
    plain = [word for word in clause.words if word not in {",", "/"} and not word.isdigit()]
    if len(plain) == 1 and evidence.kind_of(plain[0]) and following and _reply(following.words) is not None:
        return True
    return any(word in HEADINGS for word in plain) and all(
        word in HEADINGS or word in HEADING_FILLERS or word[:1] == "q" for word in plain
    )


def _asked(words: list[str]) -> Verdict | None:
    """Which class a question or heading names; None where it names both or none."""
    normal = any(evidence.kind_of(word) is Term.NORMAL or word == "normality" for word in words)
    abnormal = any(evidence.kind_of(word) in {Term.QUALIFIER, Term.NOUN} for word in words)
    if normal is abnormal:
        return None
    return Verdict.NORMAL if normal else Verdict.ABNORMAL


def _reply(words: list[str]) -> bool | None:
    """True for a yes, False for a no or none that stands by itself, None for any other clause."""
    alone = len(words) == 1 or words[1] == ","
    if words[0] in {"yes", "present", "detected"} and alone:
        return True
    if alone and (words[0] == "no" or words[0] in GONE):
        return False
    if words[0] == "not" and len(words) <= 3 and words[-1] in {"seen", "detected", "identified", "present", "found"}:
        return False
    return False if words[0] == "none" else None


def _stated_class(clauses: list[_Clause], text: str) -> Verdict | None:
    """The class of the structured form, where the first sentence is one class word."""
    if not clauses:
        return None
    first = clauses[0]
    comma = first.words.index(",") if "," in first.words else len(first.words)
    if comma != 1:
        return None
    word = first.words[0]
    if word in UNCLEAR:
        return Verdict.UNCLEAR
    kind = evidence.kind_of(word)
    if kind is Term.QUALIFIER:
        return Verdict.ABNORMAL
    following = first.words[2:] or (clauses[1].words if len(clauses) > 1 else [])
    reasoned = bool(following) and following[0] in REASONS
    if kind is Term.NORMAL and (reasoned or (first.raw_first.isupper() and not text.isupper())):
        return Verdict.NORMAL
    return None


def _segments(words: list[str]) -> list[list[str]]:
    """A clause cut at `but`, `however`, `other than`: words over which no negation reaches."""
    segments: list[list[str]] = [[]]
    for position, word in enumerate(words):
        if word in BREAKERS or (word == "other" and words[position + 1 : position + 2] == ["than"]):
            segments.append([])
        else:
            segments[-1].append(word)
    return [segment for segment in segments if segment]
