"""Which answers a question has: spellings brought together, and the candidates among which label scoring chooses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from engine.questions.parsing import parse_normality
from engine.types import Verdict

MOST_CANDIDATES = 24
"""Candidates from the training split; each costs a forward pass over its tokens for every image."""
RESERVED = 8
"""Places that rare verdicts keep among the candidates of Q7, if that many different answers were seen."""
LONGEST_CANDIDATE = 200
"""Characters; longer answers are reports or broken cells, and no choice among labels."""

NORMALITY = "Q7"
CANONICAL = {Verdict.NORMAL: "Normal for gestational age", Verdict.ABNORMAL: "Abnormal"}
"""Answers to Q7 that stand in where the training split has none of a verdict."""


def normalise_answer(text: str) -> str:
    """`text` in the form by which two answers count as the same: one space between words, no case, no marks at the end.

    Meant for comparing, never for showing: spellings are kept as they are, only case, spacing and the marks go.
    """
    return " ".join(text.split()).casefold().rstrip(" .,;:!")


def candidate_answers(question: str, seen: Iterable[str]) -> list[str]:
    """Answers among which label scoring chooses: those of the training split, most frequent first, at most 24.

    Answers that differ in case, spacing or trailing marks alone are one candidate, shown in its most frequent spelling.
    For Q7 there is always a normal and an abnormal candidate, and the rarer of both keeps up to eight of the places:
    where 98 % of the images are normal, the spellings of `normal` would fill them all.

    Args:
        question: id, Q1 to Q8.
        seen: raw answers of the training split to this question, one an image.

    Returns:
        Distinct candidates; ties in frequency in alphabetical order, so that the list depends on the answers alone.
        Empty for other questions than Q7 where nothing was seen.
    """
    spellings: dict[str, Counter[str]] = {}
    for answer in seen:
        key = normalise_answer(answer)
        if key and len(answer) <= LONGEST_CANDIDATE:
            spellings.setdefault(key, Counter())[answer.strip()] += 1
    ranked = sorted(spellings, key=lambda key: (-spellings[key].total(), key))
    if question == NORMALITY:
        ranked = _with_both_verdicts(ranked)
    candidates = [_most_frequent(spellings[key]) for key in ranked[:MOST_CANDIDATES]]
    return _completed(candidates) if question == NORMALITY else candidates


def _with_both_verdicts(ranked: Sequence[str]) -> list[str]:
    """The ranked answers that make up the candidates of Q7, still in order of frequency."""
    kept = {
        key
        for verdict in (Verdict.NORMAL, Verdict.ABNORMAL)
        for key in [key for key in ranked if parse_normality(key) is verdict][:RESERVED]
    }
    for key in ranked:
        if len(kept) >= MOST_CANDIDATES:
            break
        kept.add(key)
    return [key for key in ranked if key in kept]


def _most_frequent(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda spelling: (-spellings[spelling], spelling))


def _completed(candidates: list[str]) -> list[str]:
    verdicts = {parse_normality(candidate) for candidate in candidates}
    return candidates + [answer for verdict, answer in CANONICAL.items() if verdict not in verdicts]
