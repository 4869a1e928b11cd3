"""Q8: the recommendations; a text that fits none of the known ones is a recommendation of its own."""

from __future__ import annotations

from collections.abc import Sequence

from engine.questions.normalise.text_forms import clean
from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.reading import Reading, Status, read_as, unread
from engine.questions.terms.recommendations import RECOMMENDATIONS
from engine.questions.words import Hit, Phrases, stems

_PHRASES = Phrases(RECOMMENDATIONS)
_NEGATORS = frozenset({"no", "not", "without", "nor", "neither", "isn't", "aren't", "don't", "doesn't", "never"})
_ENDS = frozenset({".", ";", "\n", ",", ":"})
_REACH = 5


def read_recommendation(text: str) -> Reading:
    """Canonical recommendations in alphabetical order, such as `fetal echocardiography, follow up`.

    A denied one (`no follow up needed`) does not count; where nothing else is said, the text itself is the value.
    """
    own = answer_part("Q8", text)
    body, refused = split_refusals(own)
    words = stems(body)
    said = sorted({hit.name for hit in _PHRASES.find(words) if not _is_denied(words, hit)})
    if said:
        return Reading(Status.READ, ", ".join(said), tuple(said))
    value = clean(own)
    if refused or not any(each.isalpha() for each in value):
        return unread(Status.UNCLEAR if refused else Status.UNPARSEABLE)
    return read_as(value)


def _is_denied(words: Sequence[str], hit: Hit) -> bool:
    for word in reversed(words[max(0, hit.start - _REACH) : hit.start]):
        if word in _ENDS:
            break
        if word in _NEGATORS:
            return True
    behind = list(words[hit.end : hit.end + _REACH])
    for mark in _ENDS & set(behind):
        behind = behind[: behind.index(mark)] if mark in behind else behind
    return bool(_NEGATORS & set(behind)) and bool(
        {"needed", "required", "indicated", "necessary", "recommended", "need"} & set(behind)
    )
