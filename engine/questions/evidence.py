"""What one stretch of words says about normality: its terms, which of them are denied, and which a doubt hides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from engine.questions.lexicon import (
    ABNORMAL_NOUN,
    ABNORMAL_QUALIFIER,
    ABSENCE,
    ANATOMY,
    CERTAIN,
    DECIDE,
    EXCLUDE,
    FINDING_NOUNS,
    FINDINGS,
    GONE,
    LINKS,
    NEGATOR_PAIRS,
    NEGATORS,
    NO_NEGATION_BEFORE,
    NORMAL,
    OUTSIDE,
    RANGE_WORDS,
    SEEN,
    STRONG_MODIFIERS,
    UNABLE,
    UNCLEAR,
    WEAK_MODIFIERS,
)
from engine.types import Verdict

LONGEST_WORD = 24
REACH = 8
"""Words over which a negation reaches, counted anew from each finding that it denies."""


class Term(Enum):
    """Kinds of words that carry a verdict."""

    NORMAL = auto()
    QUALIFIER = auto()
    """`abnormal` and its like, said of something."""
    NOUN = auto()
    """`abnormality` and its like."""
    FINDING = auto()
    """A finding by name, or a change of a structure."""


@dataclass(slots=True)
class _Found:
    position: int
    term: Term
    denied: bool = False
    hidden: bool = False


def of_segment(words: list[str]) -> set[Verdict]:
    """The verdicts that a stretch of words without `but`, full stop or the like gives evidence for."""
    verdicts: set[Verdict] = set()
    options = _option_list(words)
    if options and "neither" in words:
        verdicts.add(Verdict.UNCLEAR)
    found = [item for item in _denied_before(words) if item.position not in options]
    _deny_behind(words, found)
    if _hide(words, found, options):
        verdicts.add(Verdict.UNCLEAR)
    for item in found:
        if not item.hidden:
            says_normal = (item.term is Term.NORMAL) is not item.denied
            verdicts.add(Verdict.NORMAL if says_normal else Verdict.ABNORMAL)
    return verdicts


def kind_of(word: str) -> Term | None:
    """The kind of a word that carries a verdict by itself; None for every other word."""
    if len(word) > LONGEST_WORD:
        return None
    if NORMAL.fullmatch(word):
        return Term.NORMAL
    if ABNORMAL_QUALIFIER.fullmatch(word):
        return Term.QUALIFIER
    if ABNORMAL_NOUN.fullmatch(word):
        return Term.NOUN
    return Term.FINDING if word in FINDINGS or word in STRONG_MODIFIERS else None


def _ahead(words: list[str], position: int, count: int) -> list[str]:
    """Up to `count` words after `position`, not beyond a comma."""
    window = words[position + 1 : position + 1 + count]
    return window[: window.index(",")] if "," in window else window


def _behind(words: list[str], position: int, count: int) -> list[str]:
    """Up to `count` words before `position`, nearest first, not beyond a comma."""
    window = words[max(0, position - count) : position][::-1]
    return window[: window.index(",")] if "," in window else window


def _term(words: list[str], position: int) -> Term | None:
    """The kind of the word at `position`, where a weak change counts only beside a structure."""
    word = words[position]
    kind = kind_of(word)
    if kind or word not in WEAK_MODIFIERS:
        return kind
    ahead = _ahead(words, position, 4)
    if word in ABSENCE and any(kind_of(other) for other in ahead):
        return None  # `absence of abnormal findings` denies
    if ahead[:1] != ["axis"] and any(other in ANATOMY for other in ahead[:3]):
        return Term.FINDING
    for other in _behind(words, position, REACH):
        if other in ANATOMY:
            return Term.FINDING
        if other not in LINKS and other not in NEGATORS and not other[0].isdigit():
            return None
    return None


def _negates(words: list[str], position: int) -> bool:
    word = words[position]
    following = words[position + 1 : position + 3]
    if word in NEGATORS:
        return not NO_NEGATION_BEFORE.get(word, set()).intersection(
            following[:1] if word != "without" else following  # `without a doubt`
        )
    if word in NEGATOR_PAIRS:
        return bool(following) and following[0] in NEGATOR_PAIRS[word]
    return word in ABSENCE


def _denied_before(words: list[str]) -> list[_Found]:
    """Terms in order; each is denied where an odd number of negations before it reaches it.

    A negation that met `normal` ends there. One that met a finding goes on to further findings (`no cyst or mass`),
    over commas only inside a list that ends in `or`.
    """
    found = []
    last_or = max((position for position, word in enumerate(words) if word in {"or", "nor"}), default=-1)
    negations, left = 0, 0
    met_finding = False
    for position, word in enumerate(words):
        term = _term(words, position)
        if term is not None:
            reaches = negations > 0 and left > 0 and not (term is Term.NORMAL and met_finding)
            denied = (reaches and negations % 2 == 1) != (term is Term.NORMAL and _outside(words, position))
            found.append(_Found(position, term, denied))
            met_finding = reaches and term is not Term.NORMAL
            negations, left = (negations, REACH) if met_finding else (0, 0)
        elif _negates(words, position):
            negations = 1 if met_finding else negations + 1
            left, met_finding = REACH, False
        elif (word == "," and not (met_finding and position < last_or)) or (word == "and" and not met_finding):
            negations, met_finding = 0, False
        else:
            left -= 1
    return found


def _outside(words: list[str], position: int) -> bool:
    """`outside the upper limit of normal`, `larger than normal`."""
    for word in _behind(words, position, 6):
        if word not in RANGE_WORDS:
            return word in OUTSIDE
    return False


def _deny_behind(words: list[str], found: list[_Found]) -> None:
    """Denies what is `not seen` or `ruled out` behind its name; `abnormal stomach not seen` stays a finding."""
    at = {item.position: item for item in found}
    for item in reversed(found):
        ahead = _ahead(words, item.position, 7)
        follower = at.get(item.position + 1)
        if item.term in {Term.QUALIFIER, Term.NORMAL} and not (ahead and ahead[0] in FINDING_NOUNS):
            if follower and follower.term is not Term.NORMAL and item.term is Term.QUALIFIER and not item.denied:
                item.denied = follower.denied
            continue
        if not item.denied and _denial_in(ahead):
            item.denied = True


def _denial_in(ahead: list[str]) -> bool:
    for position, word in enumerate(ahead):
        following = ahead[position + 1 : position + 5]
        if word == "and" or kind_of(word):
            return False
        if word in NEGATORS and any(other in SEEN for other in following):
            return True
        if word in GONE and not any(other in ANATOMY for other in following[:3]):
            return True
        if word == "ruled" and following[:1] == ["out"]:
            return True
    return False


def _hide(words: list[str], found: list[_Found], options: set[int]) -> bool:
    """Hides the terms that a doubt or a `whether` speaks of; True where a doubt was stated.

    A doubt covers what follows up to the comma. Backwards it covers nouns ("abnormality is unclear"), `normal` before
    a verb ("normal anatomy cannot be confirmed"), and everything before `cannot be excluded`.
    """
    stated = False
    covered_until_comma = False
    start = 0
    index = 0
    for position, word in enumerate(words):
        if word == ",":
            covered_until_comma = False
            start = index
        while index < len(found) and found[index].position <= position:
            found[index].hidden |= covered_until_comma and found[index].position == position
            index += 1
        doubt = None if position in options else _doubt(words, position)
        if doubt is not None:
            stated = True
            covered_until_comma = True
            for item in found[max(start, index - REACH) : index]:
                item.hidden |= _covers(doubt, words, item)
        elif word in {"whether", "if"} or (word in EXCLUDE and _behind(words, position, 1) != ["be"]):
            covered_until_comma = covered_until_comma or not _denies_what_stands_before(words, position)
    return stated


def _doubt(words: list[str], position: int) -> str | None:
    """The word that makes a doubt at `position`: one of UNCLEAR, `not clear`, or the verb of `cannot be determined`."""
    word = words[position]
    if word in UNABLE:
        for other in _ahead(words, position, 5):
            if kind_of(other):
                break
            if other in DECIDE:
                return other
    if word == "not" and set(_ahead(words, position, 1)) & CERTAIN:
        return "unclear"
    return word if word in UNCLEAR else None


def _covers(doubt: str, words: list[str], item: _Found) -> bool:
    if doubt in EXCLUDE:
        return True
    if doubt in DECIDE and item.term is Term.NORMAL:
        return True
    names_findings = item.term is Term.QUALIFIER and set(_ahead(words, item.position, 1)) & FINDING_NOUNS
    return item.term is Term.NOUN or bool(names_findings)


def _denies_what_stands_before(words: list[str], position: int) -> bool:
    """`abnormality excluded`, `VSD ruled out`: said of what stands before, and no doubt about what follows."""
    return words[position] in {"excluded", "ruled"} and position > 0


def _option_list(words: list[str]) -> set[int]:
    """Positions of class words that only list the options: `normal or abnormal`, `NORMAL, ABNORMAL, UNCLEAR`."""
    options: set[int] = set()
    chain: list[int] = []
    strong = False
    for position, word in enumerate([*words, "."]):
        kind = _option_kind(word)
        if kind:
            chain.append(position)
        elif chain and word in {"or", "nor", "/", "versus", "vs"}:
            strong = True
        elif not (chain and word == ","):
            distinct = {_option_kind(words[member]) for member in chain}
            if len(distinct) >= 2 and (strong or len(distinct) >= 3):
                options.update(chain)
            chain, strong = [], False
    return options


def _option_kind(word: str) -> str | None:
    if word in UNCLEAR:
        return "unclear"
    kind = kind_of(word)
    if kind is Term.NORMAL or word == "normality":
        return "normal"
    return "abnormal" if kind in {Term.QUALIFIER, Term.NOUN} else None
