"""Q4: the set of biometric parameters that can be measured, by abbreviation."""

from __future__ import annotations

import re

from engine.questions.parsers.framing import answer_part, split_refusals
from engine.questions.parsers.structures import asserted, empty_set, unknown_elements
from engine.questions.reading import Reading, Status
from engine.questions.terms.measurements import PARAMETERS
from engine.questions.words import Phrases

_PHRASES = Phrases(PARAMETERS)
_NONE = re.compile(
    r"\A\W*(?:none|nil|no (?:standard |specific |routine |fetal )?(?:biometr\w+|measur\w+|parameters?)"
    r"(?: (?:parameters?|measurements?))?|not measurable|nothing)\b(?![^,;]{0,60}\b(?:except|other than"
    r"|apart|besides|but)\b)[^,;]{0,60}\W*\Z",
    re.IGNORECASE,
)


def read_measurements(text: str) -> Reading:
    """The parameters that `text` names; those that it denies (`HC cannot be measured`) are left out.

    `None` and `no measurable parameters` are the empty set, `none`. Abbreviations come in alphabetical order.
    """
    answer = answer_part("Q4", text)
    if _NONE.match(answer):
        return Reading(Status.READ, "none")
    body, refused = split_refusals(answer)
    said, gone = asserted(_PHRASES, body, whole=answer)
    if not said:
        return empty_set(denied_some=gone, refused=refused)
    items = tuple(sorted(said | _own_elements(body)))
    return Reading(Status.READ, ", ".join(items), items)


def _own_elements(body: str) -> set[str]:
    """Elements of a list that name no known parameter; synonyms in brackets are no elements."""
    without_brackets = re.sub(r"\([^()]*\)", " ", body)
    return {
        element
        for element in unknown_elements(without_brackets)
        if not _PHRASES.find(element.split())
        and not {"parameter", "measurement", "measurable", "measured"} & set(element.split())
    }
