"""The spelling layer: misspelt words of the domain, by a table of known slips and by a cautious guess.

A guess needs a word of six letters or more that is neither a word of the domain nor an ordinary one, with exactly one
domain word nearest to it that begins with the same letter, at one edit (two from ten letters on; an edit is a letter
too many, too few, another one, or two exchanged: optimal string alignment). Words whose opposite is near are never
guessed, nor are prefixes such as `hypo` and `hyper` touched. So `abnormal` never comes from `normal`, nor `left` from
anything."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.questions.lexicon import ANATOMY, FINDINGS, STRONG_MODIFIERS, WEAK_MODIFIERS
from engine.questions.normalise.misspellings import BESIDE, MISSPELLINGS
from engine.questions.normalise.ordinary_words import NEVER_TARGETS, OPPOSING_PREFIXES, ORDINARY
from engine.questions.terms.measurements import PARAMETERS
from engine.questions.terms.orientation import PARTS, PRESENTATIONS, SECTIONS, SIDES, TILTS
from engine.questions.terms.planes import DIRECTIONS, NOUNS, PLANES
from engine.questions.terms.recommendations import RECOMMENDATIONS
from engine.questions.terms.structures import PREFIXES, STRUCTURES
from engine.questions.words import LONGEST_WORD, stem, vocabulary, word_set

SHORTEST_GUESS = 6
TWO_EDITS_FROM = 10

_WORD = re.compile(r"(?<![^\W\d_])[a-zA-Z]+(?![^\W\d_]|[\u0300-\u036f])")
"""A letter that carries a combining mark is no ASCII letter, and ends no word that could be set right."""


def _domain_words() -> frozenset[str]:
    tables = (STRUCTURES, PLANES, DIRECTIONS, PARAMETERS, SECTIONS, PRESENTATIONS, PARTS, SIDES, TILTS, RECOMMENDATIONS)
    words = vocabulary(*tables) | set(NOUNS) | set(" ".join(PREFIXES).split())
    words |= ANATOMY | FINDINGS | STRONG_MODIFIERS | WEAK_MODIFIERS | set(MISSPELLINGS.values()) | _MORE
    return frozenset(word for word in words if word.isalpha() and word not in MISSPELLINGS)


_MORE = word_set(
    """
    anatomical ultrasound gestational gestation pregnancy orientation biometric biometry parameter parameters
    normality vertebral column nuchal thickening approximately presentation recommendation recommendations
    recommended approximate trimester structure structures suboptimal moderate excellent satisfactory thirty twenty
    eighteen nineteen seventeen sixteen fifteen fourteen thirteen twelve eleven visualized visualised measurement
    measurements
    """
)


def corrected(text: str) -> str:
    """`text` with misspelt domain words set right; everything else stays as it is, case included."""
    words = list(_WORD.finditer(text))
    lower = [word.group().lower() for word in words]
    pieces = []
    end = 0
    for position, word in enumerate(words):
        right = right_spelling(lower[position])
        if right == lower[position] or not _gives_away(lower, position):
            continue
        pieces += [text[end : word.start()], right]
        end = word.end()
    return "".join([*pieces, text[end:]])


def _gives_away(words: list[str], position: int) -> bool:
    """Whether a slip that is an ordinary word stands beside a word that shows what was meant; True for other slips."""
    beside = BESIDE.get(words[position])
    if beside is None:
        return True
    around = words[max(0, position - 2) : position] + words[position + 1 : position + 3]
    return any(right_spelling(word) in beside for word in around)


@lru_cache(maxsize=50_000)
def right_spelling(word: str) -> str:
    """The word meant by one lower-case word; the word itself where that is not certain."""
    if word in MISSPELLINGS:
        return MISSPELLINGS[word]
    if not SHORTEST_GUESS <= len(word) <= LONGEST_WORD or is_known_word(word):
        return word
    bound = 2 if len(word) >= TWO_EDITS_FROM else 1
    best, nearest = bound + 1, []
    for candidate in _by_first_letter().get(word[0], ()):
        if abs(len(candidate) - len(word)) > bound or not _may_be(word, candidate):
            continue
        distance = _edits(word, candidate, best)
        if distance < best:
            best, nearest = distance, [candidate]
        elif distance == best <= bound:
            nearest.append(candidate)
    return nearest[0] if len(nearest) == 1 else word


def is_known_word(word: str) -> bool:
    """Whether a lower-case word is one of the domain or an ordinary one, as it stands or with a common ending."""
    domain = _known()
    if word in domain or stem(word) in domain:
        return True
    return any(
        word.endswith(end) and word[: -len(end)] in domain for end in ("ly", "ed", "d", "ing", "al", "er", "ness")
    )


def _may_be(word: str, candidate: str) -> bool:
    """Whether `candidate` may be meant: every opposing prefix of the one is a prefix of the other."""
    return all(word.startswith(prefix) == candidate.startswith(prefix) for prefix in OPPOSING_PREFIXES)


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    domain = _domain_words()
    return domain | {stem(word) for word in domain} | ORDINARY | NEVER_TARGETS


@lru_cache(maxsize=1)
def _by_first_letter() -> dict[str, tuple[str, ...]]:
    letters: dict[str, list[str]] = {}
    for word in sorted(_domain_words() - NEVER_TARGETS):
        if len(word) >= SHORTEST_GUESS - 1:
            letters.setdefault(word[0], []).append(word)
    return {letter: tuple(words) for letter, words in letters.items()}


def _edits(first: str, second: str, bound: int) -> int:
    """Optimal string alignment distance; any number from `bound` on where it is at least that."""
    older: list[int] = []
    previous = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, older[column - 2] + 1)
            current.append(cost)
        if min(current) > bound:
            return bound + 1
        older, previous = previous, current
    return previous[-1]
