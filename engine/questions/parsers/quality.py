"""Q6: the tier of image quality."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.reading import Reading, Status, read_as, unread
from engine.questions.words import Hit, Phrases, stems, word_set

TIERS: Mapping[str, tuple[str, ...]] = {
    "good": ("excellent", "high", "very good", "great", "optimal", "clear", "sharp", "superior", "fine",
                "diagnostic quality",
             "best", "crisp", "high quality", "perfect"),
    "medium": ("moderate", "fair", "average", "acceptable", "adequate", "satisfactory", "intermediate", "mediocre",
                "fairly good",
               "moderately good", "reasonably good", "sufficient", "reasonable", "so so", "okay", "ok", "mid",
               "medium good",
               "good enough", "not bad", "decent"),
    "low": ("poor", "bad", "suboptimal", "sub optimal", "inadequate", "blurry", "blurred", "degraded", "non diagnostic",
            "nondiagnostic", "unsatisfactory", "limited", "less than optimal", "insufficient", "very low",
            "unacceptable",
            "inferior", "noisy", "grainy", "low quality", "hazy", "pixelated", "weak", "subpar"),
}  # fmt: skip
_PHRASES = Phrases(TIERS)
_OPPOSITE = {"good": "low", "medium": "low", "low": "medium"}
_NEGATORS = frozenset({"not", "isn't", "never", "no", "hardly", "cannot", "wasn't", "without"})
_BETWEEN_NEGATION = frozenset(
    {"of", "very", "a", "the", "really", "particularly", "quite", "entirely", "so", "that", "in", "too", "be"}
)
_TO_QUALITY = frozenset({"image", "technical", "overall", "diagnostic", "scan", "ultrasound", "in", "picture"})
_FROM_QUALITY = word_set(
    """
    is of the appear seem overall rated as : - = was be considered image scan tier rating very quite generally
    judged to assessed ( " level ultrasound this technical would
    """
)
_JOINS = frozenset({"or", "to", "/", "-", "and", "even"})
_UNCLEAR_IMAGE = re.compile(
    r"\b(?:image|picture|scan|quality)\b[^.;,\n]{0,30}\bunclear\b|\bunclear (?:image|picture|scan)\b"
)


def read_quality(text: str) -> Reading:
    """`good`, `medium` or `low`. Words beside `quality` count before words elsewhere; two tiers at once are unclear.

    `not good` is low and `not bad` is medium: what is not good was put below it, and a scale of three has no finer
    word."""
    body = answer_part("Q6", text).lower()
    if len(body) < len(text):
        body = f"quality: {body}"  # a heading went, beside which the tier stood
    body = _UNCLEAR_IMAGE.sub("low quality", body)
    body, refused = split_refusals(body)
    words = stems(body)
    hits = _PHRASES.find(words)
    beside = _beside(words, hits)
    said = {_tier(words, hit) for hit in beside or hits}
    if len(said) == 1:
        return read_as(said.pop())
    return unread(Status.UNCLEAR if said or refused else Status.UNPARSEABLE)


def _tier(words: Sequence[str], hit: Hit) -> str:
    for word in reversed(words[max(0, hit.start - 3) : hit.start]):
        if word in _NEGATORS:
            return _OPPOSITE[hit.name]
        if word not in _BETWEEN_NEGATION:
            break
    return hit.name


def _beside(words: Sequence[str], hits: Sequence[Hit]) -> list[Hit]:
    """Hits beside `quality`, and those that `or` and `to` join to one: `medium or low quality`."""
    found: list[Hit] = []
    for hit in reversed(hits):
        joined = bool(found) and 0 < found[-1].start - hit.end <= 2 and set(words[hit.end : found[-1].start]) <= _JOINS
        if joined or _beside_quality(words, hit):
            found.append(hit)
    return found


def _beside_quality(words: Sequence[str], hit: Hit) -> bool:
    """`good image quality`, `quality is good`, `quality: good`."""
    if "quality" in words[hit.start : hit.end]:
        return True
    for word in words[hit.end : hit.end + 3]:
        if word == "quality":
            return True
        if word not in _TO_QUALITY:
            break
    for word in reversed(words[max(0, hit.start - 5) : hit.start]):
        if word == "quality":
            return True
        if word not in _FROM_QUALITY and word not in _NEGATORS:
            break
    return False
