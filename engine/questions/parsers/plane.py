"""Q3: the imaging plane, by its name, and by the direction of the cut where the name does not say it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.questions.parsers.denial import denied
from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.reading import Reading, Status, read_as, unread
from engine.questions.terms.planes import APPROACHES, DIRECTIONS, IMPLIED, NOUNS, PLANES
from engine.questions.words import Hit, Phrases, stems, word_set

_PHRASES = Phrases({**DIRECTIONS, **PLANES})
_NOUNS = frozenset(NOUNS)
_WEAK = word_set(
    """
    head brain abdomen cerebellum thorax chest femur aorta cervix lip spine kidney symphysis thigh nt ac bpd hc fl
    crl tcd aop nuchal cervical abdominal
    """
)
"""Words that are as often a structure or a measurement: they name a plane only beside its noun or a direction."""
_BODY = frozenset(
    {
        "fetal head",
        "lateral ventricle",
        "vertebral column",
        "cervical canal",
        "upper abdomen",
        "pubic symphysis",
        "femur length",
    }
)
_LEADS = frozenset({"of", "the", "through", "at", "across", "fetal", "level", "for", "in", "to", "("})


def read_plane(text: str) -> Reading:
    """The plane that `text` names, such as `transthalamic plane`.

    A direction that the name already says is left out: a four-chamber plane is transverse. Two named planes are a
    choice that was not made: unclear.
    """
    body, refused = split_refusals(answer_part("Q3", text))
    words = stems(body)
    hits = _PHRASES.find(words)
    gone = denied(words, hits)
    kept = [hit for index, hit in enumerate(hits) if index not in gone and not _refused(words, hit)]
    directions = list(dict.fromkeys(hit.name for hit in kept if hit.name in DIRECTIONS))
    named = _named(words, kept, alone=len(words) <= 4 or not directions)
    if len(named) > 1 or (not named and _alternatives(words, directions)):
        return unread(Status.UNCLEAR)
    if not named and not directions:
        return unread(Status.UNCLEAR if refused else Status.UNPARSEABLE)
    implied = IMPLIED.get(named[0], frozenset()) if named else frozenset[str]()
    parts = [*(name for name in directions if name not in implied), *named]
    return read_as(" ".join([*parts, "plane"]))


def _refused(words: Sequence[str], hit: Hit) -> bool:
    """`not trans-ventricular`, `rather than the sagittal`; `trans-abdominal ultrasound` names the way of scanning."""
    before = [word for word in words[max(0, hit.start - 3) : hit.start] if word not in {"a", "the"}]
    if before[-1:] in (["not"], ["than"], ["non"]):
        return True
    return hit.name == "transabdominal" and tuple(words[hit.end : hit.end + 1]) in {(each,) for each in APPROACHES}


def _named(words: Sequence[str], hits: Sequence[Hit], *, alone: bool) -> list[str]:
    """Names of planes; those of structures that are only said to be in view count where nothing better is said."""
    strong: list[str] = []
    weak: list[str] = []
    for hit in hits:
        if hit.name in PLANES:
            (strong if _is_strong(words, hit) else weak).append(hit.name)
    distinct = list(dict.fromkeys(strong))
    if len(distinct) > 1:
        distinct = [name for name in distinct if name not in {"transabdominal", "thoracic", "head"}] or distinct
    if distinct:
        return distinct
    return list(dict.fromkeys(weak))[:1] if alone else []


def _is_strong(words: Sequence[str], hit: Hit) -> bool:
    phrase = " ".join(words[hit.start : hit.end])
    if phrase not in _WEAK and phrase not in _BODY:
        return True
    if set(words[hit.end : hit.end + 2]) & _NOUNS:
        return True
    before = words[max(0, hit.start - 4) : hit.start]
    while before and before[-1] in _LEADS:
        before = before[:-1]
    return bool(before) and (before[-1] in _NOUNS or before[-1] in DIRECTIONS)


def _alternatives(words: Sequence[str], directions: Sequence[str]) -> bool:
    """`sagittal or coronal`."""
    return len(directions) > 1 and bool({"or", "/", "versus", "vs"} & set(words))
