"""What the true answers become when left and right of an image are exchanged, and which of them forbid it.

An answer is rewritten only where its side is understood as a side of the image. `Left lateral decubitus` is how the
mother lies, `left occiput anterior` how the fetus lies in her, `left ventricle` anatomy: mirroring the image does not
make them right in any simple way. Where an answer names such a side, or one that cannot be read, there is no true
answer to the mirror image, and the image must not be mirrored. The same holds of an answer that is not understood, or
in which a word may be meant as a side: kept as it is, it would be a false label.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from engine.questions.answers import read_answer
from engine.questions.parsers.report import parse_report
from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Status
from engine.questions.terms.orientation import TILTS

ORIENTATION = "Q2"

_OTHER = {"left": "right", "right": "left", "lt": "rt", "rt": "lt"}
_SIDE = re.compile(r"\b(left|right|lt|rt)(?=(?:wards?)?\b)", re.IGNORECASE)
_WHOLE_SIDE = re.compile(r"\b(?:left|right|lt|rt)(?:wards?)?\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = frozenset({"l", "r"})
"""Sides in short: `head to L`."""
_ALIKE = 0.75
"""From this similarity on (`difflib`: 1 is the same) a word may be a misspelt side: `lft`, `letf`, `rihgt`. Words such
as `light` are as near; that costs no more than a mirror image."""
_AROUND = r"(?:image|screen|picture|frame|view|scan|display|sector|field)"
_IMAGE_SIDE = re.compile(
    # What may follow a side of the image: nothing, `side`, `of the image`, a mark, or the next thing that is said.
    rf"(?:left|right|lt|rt)(?:wards?)?\.?(?:[ \t-]*(?:hand|sided?)\b)*"
    rf"(?=\s*(?:\Z|[.,;:!?()\[\]{{}}\"'|/*_\n]|-\s|(?:of|in|on)\s(?:the\s|this\s)?{_AROUND}\b"
    r"|(?:and|but|while|whereas|with|not|is|are|vertebral|spine)\b))",
    re.IGNORECASE,
)
_SOMEBODYS = re.compile(
    r"\b(?:maternal|mother\w*|patient\w*|decubitus|lateral|occipito\w*|sacr\w*|ment(?:um|o)\w*|situs|o'?\s?clock"
    r"|midline|(?:fetal|fetus'?s?|baby'?s|its|her|his|own)\s(?:left|right|lt|rt)"
    r"|(?:left|right|lt|rt)\s(?:sided?\s)?(?:up|down|occiput)"
    r"|(?:lying|lies|rests|resting|turned|rolled)\son\s(?:\w+\s)?(?:left|right|lt|rt))\b",
    re.IGNORECASE,
)
"""A side of the mother or of the fetus, of something else than the image, or told by a clock."""
_SITUS = re.compile(
    r"\b(?:situs|(?:dextro|levo|laevo|meso)(?:cardia|position|version)\w*|heterotax\w*|isomerism)\b", re.IGNORECASE
)
"""Findings that consist in which side an organ is on."""
_ANATOMICAL = re.compile(
    r"\b(?:left|right)(?:\s?(?:and|or|&|/)\s?(?:left|right))?\s(?:lateral\s(?=ventric)|cerebral\s)?(?:atri\w*|ventric\w*|kidneys?|renal|lungs?|pulmonary|lobes?|"
    r"hepatic|portal|adrenal\w*|ovar\w*|uterine|umbilical|iliac|carotid|subclavian|hemisphere\w*|hemidiaphragm\w*|"
    r"femur\w*|femoral|humer\w*|tibia\w*|fibula\w*|radi(?:us|al)|ulna\w*|hands?|foot|feet|arms?|legs?|eyes?|ears?|orbits?|"
    r"heart|outflow|bundle|coronary)\b",
    re.IGNORECASE,
)
"""Names of organs, which a mirror does not change: `left ventricle`. Any other side may be a place in the image."""
_ANY_SIDE = re.compile(r"left|right", re.IGNORECASE)


def mirrored_answer(question: str, text: str) -> str | None:
    """The true answer to the mirror image, left and right exchanged, where `text` is the true one to the image.

    Args:
        question: id, Q1 to Q8 or `report`.
        text: raw answer; untrusted.

    Returns:
        For Q2 the same words with the sides exchanged; for the report the same with its section Q2 rewritten; other
        answers as they are. None where no answer is known to be true: the image must then not be mirrored.
        Mirroring twice gives `text` again.
    """
    if question == REPORT_ID:
        return _mirrored_report(text)
    if _SITUS.search(text):
        return None
    if question == ORIENTATION:
        return _mirrored_orientation(text)
    return None if _ANY_SIDE.search(_ANATOMICAL.sub(" ", text)) else text


def depends_on_tilt(question: str, text: str) -> bool:
    """Whether a turn of a few degrees can make the answer wrong: `Femur horizontal`, `Femur tilted down to left`."""
    if question == REPORT_ID:
        return depends_on_tilt(ORIENTATION, parse_report(text).get(ORIENTATION, ""))
    if question != ORIENTATION:
        return False
    facts = read_answer(ORIENTATION, text).value.split(", ")
    return any(word in TILTS for fact in facts for word in fact.split())


def _mirrored_orientation(text: str) -> str | None:
    if not text.strip():
        return text
    reading = read_answer(ORIENTATION, text)
    # What is not understood may name a side in words that are not known here; what a clock tells cannot be read at all.
    if reading.status is not Status.READ or _SOMEBODYS.search(text) or _may_hold_another_side(text):
        return None
    sides = list(_SIDE.finditer(text))
    if not sides:  # a side was read all the same: a misspelt one, which cannot be exchanged
        return None if _facts_with_sides(reading.value) else text
    understood = {match.start() for match in _IMAGE_SIDE.finditer(text)}
    if not all(match.start() in understood and _keeps_case(match[1]) for match in sides):
        return None
    mirrored = _SIDE.sub(_exchanged, text)
    expected = {_other_side(fact) for fact in reading.value.split(", ")}
    return mirrored if set(read_answer(ORIENTATION, mirrored).value.split(", ")) == expected else None


def _may_hold_another_side(text: str) -> bool:
    """Whether a word beside the sides that are known may be meant as one: `leftt`, `toright`, `R`."""
    for word in _WORD.findall(_WHOLE_SIDE.sub(" ", text).lower()):
        if word in _LETTERS or any(side in word for side in ("left", "right")):
            return True
        if get_close_matches(word, ("left", "right"), cutoff=_ALIKE):
            return True
    return False


def _facts_with_sides(value: str) -> list[str]:
    return [fact for fact in value.split(", ") if _other_side(fact) != fact]


def _other_side(fact: str) -> str:
    """`head to left` for `head to right`."""
    stem, _, side = fact.rpartition(" ")
    return f"{stem} {_OTHER[side]}" if stem and side in _OTHER else fact


def _keeps_case(word: str) -> bool:
    return word in (word.lower(), word.upper(), word.capitalize())


def _exchanged(match: re.Match[str]) -> str:
    word = match[1]
    other = _OTHER[word.lower()]
    if word == word.lower():
        return other
    return other.upper() if word == word.upper() else other.capitalize()


def _mirrored_report(text: str) -> str | None:
    sections = parse_report(text)
    if not sections:
        return mirrored_answer(ORIENTATION, text)
    mirrored = {question: mirrored_answer(question, section) for question, section in sections.items()}
    if any(section is None for section in mirrored.values()):
        return None
    around = text
    for section in sections.values():
        around = around.replace(section, " ", 1) if section else around
    if _ANY_SIDE.search(around):
        return None  # a side is told outside of the sections
    old, new = sections.get(ORIENTATION, ""), mirrored.get(ORIENTATION) or ""
    if old == new:
        return text
    start = text.find(old)
    while start >= 0:
        candidate = text[:start] + new + text[start + len(old) :]
        if parse_report(candidate) == mirrored:
            return candidate
        start = text.find(old, start + 1)
    return None  # a section that is not in the text as it was read, such as one inside of JSON with escapes
