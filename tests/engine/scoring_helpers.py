"""Answered cases for the tests of scoring, without any parser."""

from __future__ import annotations

from collections.abc import Sequence

from engine.questions.reading import Reading, Status
from engine.scoring.cases import ALL, AnsweredCase
from engine.scoring.measures import Readers
from engine.types import Outcome, Score

BINS = ("8-13", "13-15", "15-20", "20-25", "25-30", "30-35", "35-38", "38+")
READERS = Readers(keywords=lambda question, text: frozenset(text.split()), bin_index=BINS.index)
FEW = 60
"""Resamples where the interval does not matter."""


def reading(value: str | Sequence[str]) -> Reading:
    """A reading of one value, or of a set."""
    if isinstance(value, str):
        status = Status(value) if value in {"unclear", "unparseable"} else Status.READ
        return Reading(status, value, (value,))
    items = tuple(sorted(value))
    return Reading(Status.READ, ", ".join(items), items)


def answered(
    said: str | Sequence[str],
    target: str | Sequence[str],
    *,
    path: str = "Femur/1.png",
    view: str = "Femur",
    outcome: Outcome | None = None,
    p: float | None = None,
) -> AnsweredCase:
    """One case; right where both readings are equal, unless the outcome says otherwise."""
    left, right = reading(said), reading(target)
    if outcome is None:
        outcome = Outcome.RIGHT if left == right else Outcome.WRONG
        outcome = Outcome.UNPARSEABLE if left.status is Status.UNPARSEABLE else outcome
    return AnsweredCase(path, view, left, right, left.value, right.value, outcome, p)


def many(
    pairs: Sequence[tuple[str | Sequence[str], str | Sequence[str]]], views: int = 1, outcome: Outcome | None = None
) -> list[AnsweredCase]:
    """Cases from (said, target), with paths in order, dealt over the views in turn."""
    return [
        answered(said, target, path=f"{number:06d}.png", view=f"V{number % views}", outcome=outcome)
        for number, (said, target) in enumerate(pairs)
    ]


def normality(
    targets: Sequence[bool], p: Sequence[float | None] | None = None, called: Sequence[bool] | None = None
) -> list[AnsweredCase]:
    """Cases of Q7: which are abnormal, P(abnormal), and what the text says (as P >= 0.5 where it is not given)."""
    cases = []
    for number, abnormal in enumerate(targets):
        chance = p[number] if p is not None else None
        text = called[number] if called is not None else (chance or 0.0) >= 0.5
        words = {True: "abnormal", False: "normal"}
        cases.append(answered(words[text], words[abnormal], path=f"{number:06d}.png", p=chance))
    return cases


def by_name(scores: Sequence[Score], scope: str = ALL) -> dict[str, Score]:
    """Scores of one scope by name, each name once."""
    found = [score for score in scores if score.scope == scope]
    named = {score.name: score for score in found}
    assert len(named) == len(found)
    return named
