"""Words, their stems, and a matcher that finds the longest known phrase at every place of a text.

Shared by the spelling layer and the parsers. Hyphens inside words are spaces, and plurals are singulars, in phrases
and in texts alike: `trans-thalamic views` holds the phrase `trans thalamic view`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST_WORD = 32
"""Letters; what is longer is no word of the domain and is kept as it is."""

MARKS = frozenset(",.;:\n()/?!-[]{}|")
"""Tokens that are no words. A hyphen is one only between spaces."""

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?\d*|\d+(?:\.\d+)?[^\W\d_]*|\n|(?<=\s)-+(?=\s)|[,.;:()/?!\[\]{}|]")
_IRREGULAR = {
    "thalami": "thalamus", "thalamuses": "thalamus", "vertebrae": "vertebra", "vertebras": "vertebra",
    "femora": "femur",
    "feet": "foot", "fetuses": "fetus", "foetuses": "foetus", "cerebella": "cerebellum", "septa": "septum",
    "lenses": "lens", "diagnoses": "diagnosis", "nuclei": "nucleus", "crura": "crus", "maxillae": "maxilla",
    "pelves": "pelvis", "biopsies": "biopsy", "condyles": "condyle", "towards": "toward", "ups": "up",
    "radii": "radius",
    "atria": "atrium", "ossa": "os", "uteri": "uterus", "cervices": "cervix",
}  # fmt: skip


def word_set(text: str) -> frozenset[str]:
    """The words of a block of text, for tables that are easier to read as prose."""
    return frozenset(text.split())


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers (with what is glued to them) and marks of `text`, in order."""
    return [match.group() if match.group()[0] != "-" else "-" for match in _TOKEN.finditer(text.lower())]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The singular of a word, by rules that are right for the words of the domain; other words stay."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or len(word) > LONGEST_WORD or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def stems(text: str) -> list[str]:
    """The stems of the tokens of `text`; marks stay among them."""
    return [stem(token) for token in tokens(text)]


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found in a list of tokens."""

    start: int
    end: int
    """Position after its last token."""
    name: str
    """Canonical name of the phrase."""


class Phrases:
    """Finds the longest phrase at each position; the time is proportional to the number of tokens.

    Args:
        table: synonyms by canonical name; the name itself counts as a synonym unless `names` is False.
    """

    def __init__(self, table: Mapping[str, Iterable[str]], *, names: bool = True) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._lengths: dict[str, list[int]] = {}
        for name, synonyms in table.items():
            for phrase in (*((name,) if names else ()), *synonyms):
                key = tuple(stems(phrase))
                self._names.setdefault(key, name)
        for key in self._names:
            lengths = self._lengths.setdefault(key[0], [])
            if len(key) not in lengths:
                lengths.append(len(key))
                lengths.sort(reverse=True)

    def find(self, words: Sequence[str]) -> list[Hit]:
        """Hits from left to right that do not overlap; `words` are stems."""
        hits = []
        position = 0
        while position < len(words):
            hit = self._at(words, position)
            if hit is not None:
                hits.append(hit)
            position = hit.end if hit is not None else position + 1
        return hits

    def _at(self, words: Sequence[str], position: int) -> Hit | None:
        for length in self._lengths.get(words[position], ()):
            name = self._names.get(tuple(words[position : position + length]))
            if name is not None:
                return Hit(position, position + length, name)
        return None


def vocabulary(*tables: Mapping[str, Iterable[str]]) -> set[str]:
    """All words (not stems) of the given tables, lower case."""
    return {
        word
        for table in tables
        for name, synonyms in table.items()
        for phrase in (name, *synonyms)
        for word in tokens(phrase)
    }
