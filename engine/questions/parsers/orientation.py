"""Q2: presentation, section, region, and which side each named part is on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.questions.parsers.denial import denied
from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.reading import Reading, Status, read_as, unread
from engine.questions.terms.orientation import EXCLUSIVE, OPPOSITES, PARTS, PRESENTATIONS, SECTIONS, SIDES, TILTS
from engine.questions.words import Hit, Phrases, stems, word_set

_KINDS = {"section": SECTIONS, "presentation": PRESENTATIONS, "part": PARTS, "side": SIDES, "tilt": TILTS}
_ORDER = ("presentation", "section", "tilt", "part", "side")
_KIND_OF = {name: kind for kind in ("side", "part", "tilt", "section", "presentation") for name in _KINDS[kind]}
_PHRASES = Phrases({name: synonyms for kind in reversed(_ORDER) for name, synonyms in _KINDS[kind].items()})
_STOPS = frozenset({".", ";", "\n", ","})
_GLUE = word_set(
    """
    to on at in of the a is are be toward facing face pointing point directed lie lying located seen visible
    positioned position oriented orientation placed situated appear - fetal fetus's image screen picture side
    towards with down
    """
)


def read_orientation(text: str) -> Reading:
    """The orientation that `text` states, such as `axial upper abdomen, vertebral column to left`.

    The facts come in a fixed order: presentation, section with its region, tilt, sides by part. A part that is said
    to be on both of two opposite sides, or two presentations at once, is a choice that was not made: unclear."""
    body, refused = split_refusals(answer_part("Q2", text))
    words = stems(body)
    hits = _PHRASES.find(words)
    gone = denied(words, hits)
    hits = [hit for index, hit in enumerate(hits) if index not in gone and not _is_negated(words, hit)]
    facts = _facts(words, hits)
    if _contradicts(facts):
        return unread(Status.UNCLEAR)
    value = ", ".join(_said(facts))
    if not value:
        return unread(Status.UNCLEAR if refused else Status.UNPARSEABLE)
    return read_as(value)


def _is_negated(words: Sequence[str], hit: Hit) -> bool:
    return hit.start > 0 and words[hit.start - 1] in {"not", "non"}


def _facts(words: Sequence[str], hits: Sequence[Hit]) -> dict[str, list[str]]:
    """Names by kind in order of appearance; a side carries its part: `head to right`."""
    facts: dict[str, list[str]] = {kind: [] for kind in _ORDER}
    taken: set[int] = set()
    for index, hit in enumerate(hits):
        kind = _KIND_OF[hit.name]
        name = hit.name
        if kind == "side":
            owner = _owner(words, hits, index)
            if owner is None and hit.name in {"superior", "inferior"}:
                continue  # `upside down`, `cut down`: no part, no orientation
            if owner is not None:
                taken.add(owner)
            name = f"{hits[owner].name} to {hit.name}" if owner is not None else f"to {hit.name}"
        if kind != "part" and name not in facts[kind]:
            facts[kind].append(name)
    free = [hit.name for index, hit in enumerate(hits) if _KIND_OF[hit.name] == "part" and index not in taken]
    facts["part"] = [name for name in dict.fromkeys(free) if name != "fetus"]
    return facts


def _owner(words: Sequence[str], hits: Sequence[Hit], side: int) -> int | None:
    """Index of the part that a side is said of: the nearest before it in the phrase, else the next one after it."""
    for index in range(side - 1, -1, -1):
        kind = _KIND_OF[hits[index].name]
        between = words[hits[index].end : hits[index + 1].start]
        if _STOPS & set(between):
            break
        if kind == "part":
            return index
        if kind == "section":
            break
    if side + 1 < len(hits) and _KIND_OF[hits[side + 1].name] == "part":
        between = words[hits[side].end : hits[side + 1].start]
        if set(between) <= _GLUE:
            return side + 1
    return None


def _contradicts(facts: dict[str, list[str]]) -> bool:
    if any(len(group.intersection(facts["presentation"])) > 1 for group in EXCLUSIVE):
        return True
    sides: dict[str, set[str]] = {}
    for fact in facts["side"]:
        part, _, side = fact.rpartition("to ")
        sides.setdefault(part, set()).add(side)
    return any(pair <= said for said in sides.values() for pair in OPPOSITES)


def _said(facts: dict[str, list[str]]) -> Iterator[str]:
    yield from facts["presentation"]
    region = [name for name in facts["part"] if facts["section"] or facts["tilt"]]
    direction = " ".join([*facts["section"], *region[:1], *facts["tilt"]])
    if direction:
        yield direction
    yield from sorted(facts["side"])
