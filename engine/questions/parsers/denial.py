"""Which of the phrases found in a text are denied there: `no stomach seen`, `stomach not visualised`, `absent
kidneys`.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.questions.words import Hit, word_set

_CLAUSE_ENDS = frozenset({".", ";", "\n", "!", "?", ":"})
_FORWARD = frozenset({"no", "without", "absent", "absence", "non", "nor", "neither", "missing", "lack", "empty",
    "nonvisualization",
                      "nonvisualisation", "excluding", "except"})  # fmt: skip
_NEGATORS = frozenset({"not", "cannot", "can't", "isn't", "aren't", "wasn't", "weren't", "never", "couldn't", "can"})
_SEEN = word_set(
    """
    seen visible visualized visualised identified identifiable detected found noted observed demonstrated present
    appreciated evident shown recognized recognised delineated measured measurable assessed obtained displayed
    discernible included evaluated depicted possible available applicable see visualize visualise identify measure
    assess detect show
    """
)
_GONE = frozenset({"absent", "missing", "invisible", "nonvisualized", "nonvisualised", "unmeasurable", "immeasurable"})
_LINKS = word_set(
    """
    is are was were be been being has have clearly well fully adequately appear appears to the a an yet currently
    here in this image view plane bubble area both could optimally not cannot
    """
)
_REACH = 6
"""Words over which a denial reaches back to the phrase that it speaks of, or forward to the next one."""


def denied(words: Sequence[str], hits: Sequence[Hit]) -> set[int]:
    """Indices of the hits that the text denies; `words` are the stems in which the hits were found."""
    found: set[int] = set()
    start = 0
    index = 0
    header = False
    for end in [*(position for position, word in enumerate(words) if word in _CLAUSE_ENDS), len(words)]:
        inside = []
        while index < len(hits) and hits[index].start < end:
            inside.append(index)
            index += 1
        if inside and (header or list(words[end : end + 2]) in ([":", "no"], [":", "absent"], [":", "none"])):
            found |= set(inside)
        elif inside:
            found |= _in_clause(words, start, end, hits, inside)
        header = not inside and words[end : end + 1] == [":"] and _is_denying_header(words[start:end])
        start = end + 1
    return found


def _is_denying_header(clause: Sequence[str]) -> bool:
    """`Not visible:`, `Not measurable:` before a list."""
    return 2 <= len(clause) <= 4 and clause[-1] in _SEEN and bool((_NEGATORS | {"no"}) & set(clause))


def _in_clause(words: Sequence[str], start: int, end: int, hits: Sequence[Hit], inside: Sequence[int]) -> set[int]:
    found = _forward(words, start, end, hits, inside)
    at = {hits[index].end: order for order, index in enumerate(inside)}
    for hit_end, order in at.items():
        verdict = _behind(words, hit_end, end)
        if verdict is None:
            continue
        found.add(inside[order])
        found |= _list_before(words, start, hits, inside, order, plural=verdict)
    return found


def _forward(words: Sequence[str], start: int, end: int, hits: Sequence[Hit], inside: Sequence[int]) -> set[int]:
    """Hits after `no`, `without`, `absent` and the like, over commas only in a list that ends in `or`."""
    starts = {hits[index].start: index for index in inside}
    ends_in_or = any(word in {"or", "nor"} for word in words[start:end])
    found: set[int] = set()
    left = 0
    covered = -1
    for position in range(start, end):
        word = words[position]
        if position in starts:
            index = starts[position]
            covered = hits[index].end
            if left > 0:
                found.add(index)
                left = _REACH
        elif position < covered:
            continue
        elif word == "except" and left > 0:
            left = 0  # `nothing except the stomach`
        elif word in _FORWARD or (
            word == "not" and (position + 1 in starts or _opens_a_list(words[position + 1 : position + 3]))
        ):
            left = _REACH
        elif (
            word in _SEEN
            or word == "with"
            or (word == "," and not ends_in_or)
            or (word == "and" and not ends_in_or and not found)
        ):
            left = 0
        else:
            left -= 1
    return found


def _opens_a_list(following: Sequence[str]) -> bool:
    """`not the stomach`, `not visible: stomach`."""
    return bool(following) and following[0] in {"visible", "seen", "the", "a", "any"}


def _behind(words: Sequence[str], position: int, end: int) -> bool | None:
    """Whether the words from `position` on deny what stands before; True if in the plural (`are not seen`)."""
    plural = False
    negated = False
    for word in words[position : min(end, position + _REACH)]:
        if word in _NEGATORS and word != "can":
            negated = True
        elif word in _GONE:
            return plural
        elif word in _SEEN:
            return plural if negated else None
        elif word not in _LINKS:
            return None
        plural = plural or word in {"are", "were", "aren't", "weren't", "have", "cannot"}
    return plural if words[position:end] in (["cannot"], ["can't"], ["not"]) else None


def _list_before(
    words: Sequence[str], start: int, hits: Sequence[Hit], inside: Sequence[int], order: int, *, plural: bool
) -> set[int]:
    """Hits that a denial behind a list speaks of as well: `stomach and bladder not seen`, `A, B and C are not seen`."""
    found: set[int] = set()
    linked_by_and = False
    for later in range(order, 0, -1):
        index, before = inside[later], inside[later - 1]
        between = list(words[hits[before].end : hits[index].start])
        if any(word in _SEEN for word in between):
            break
        linked_by_and = linked_by_and or bool({"and", "or", "nor"} & set(between))
        if not between or not set(between) <= {"and", "or", "nor", ",", "the", "/", "both", "fetal"}:
            break
        if "," in between and not (plural and linked_by_and):
            break
        found.add(before)
    return found
