"""Q1: the set of structures that an answer lists."""

from __future__ import annotations

import re

from engine.questions.parsers.denial import denied
from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.reading import Reading, Status, unread
from engine.questions.terms.structures import STRUCTURES
from engine.questions.words import Phrases, stems, word_set

_PHRASES = Phrases(STRUCTURES)
_BETWEEN = re.compile(r"\s*(?:[,;\n|/]|\band\b|&|\.(?=\s|$))\s*")
_LONGEST_ELEMENT = 4
_NO_NAME = word_set(
    """
    is are was were be shows show showing seen visible visualized visualised identified the this that image view
    plane in of on with as it there fetal ultrasound structure structures anatomical list no not none and or normal
    abnormal clear clearly other others also including include includes following both well can may good medium low
    quality week weeks etc presentation section transverse sagittal axial coronal
    """
)


def read_structures(text: str) -> Reading:
    """The structures that `text` asserts, as a set; those that it denies (`stomach not seen`) are left out.

    An element of a comma list that is no known structure is kept under its own words, so that it can be scored as one
    too many. Where only denied structures are named, the answer is the empty set, `none`."""
    answer = answer_part("Q1", text)
    if answer.strip(" .").lower() in {"none", "no structures", "no structures visible"}:
        return Reading(Status.READ, "none")
    body, refused = split_refusals(answer)
    said, gone = asserted(_PHRASES, body, whole=answer)
    if not said:
        return empty_set(denied_some=gone, refused=refused)
    said |= unknown_elements(body)
    if "four heart chambers" in said:
        said.discard("heart")  # `heart (four chambers)` is one structure, seen well
    items = tuple(sorted(said))
    return Reading(Status.READ, ", ".join(items), items)


def asserted(phrases: Phrases, body: str, *, whole: str) -> tuple[set[str], bool]:
    """Names that `body` asserts, and whether `whole`, with the clauses of doubt, denies any."""
    words = stems(body)
    hits = phrases.find(words)
    gone = denied(words, hits)
    said = {hit.name for index, hit in enumerate(hits) if index not in gone}
    if said or gone or body == whole:
        return said, bool(gone)
    words = stems(whole)
    return said, bool(denied(words, phrases.find(words)))


def empty_set(*, denied_some: bool, refused: bool) -> Reading:
    """The reading of an answer that asserts nothing: the empty set where it denies something, else none at all."""
    if denied_some:
        return Reading(Status.READ, "none")
    return unread(Status.UNCLEAR if refused else Status.UNPARSEABLE)


def unknown_elements(body: str) -> set[str]:
    """Elements of a plain list that name no known structure; nothing where the text is prose."""
    elements = [element for element in _BETWEEN.split(body.strip(" .")) if element]
    split = [stems(element) for element in elements]
    if len(elements) < 2 or any(len(words) > _LONGEST_ELEMENT + 2 for words in split):
        return set()
    unknown = set()
    for words in split:
        names = [word for word in words if word[0].isalpha()]
        if names and len(names) <= _LONGEST_ELEMENT and not _NO_NAME & set(names) and not _PHRASES.find(words):
            unknown.add(" ".join(names))
    return unknown
