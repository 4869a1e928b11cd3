"""Answers in plain words. What must be known before the figures comes first: collapse, blindness, leaks."""

from __future__ import annotations

from engine.formatting import figure as figure_text
from engine.scoring.non_inferiority import Standing
from engine.scoring.over_seeds import SeedDifference, SeedEstimate
from engine.study.analysis.evidence import Evidence
from engine.study.analysis.words import (
    difference_estimate,
    difference_words,
    estimate_of,
    estimate_words,
    few_cases,
    named,
    p_words,
    seeds_words,
)
from engine.study.results import Answer
from engine.text import one_line
from engine.types import Mark

FIRST = (Mark.COLLAPSED, Mark.BLIND, Mark.LEAK)
"""Marks that stand before the figures of a sentence."""


def waiting(found: Evidence) -> str:
    """Who is not measured yet, and who was measured but is left out."""
    parts = [f"waiting for {' and '.join(map(one_line, found.waiting))}"] if found.waiting else []
    return "; ".join([*parts, *(left_out(name) for name in found.left_out)])


def left_out(name: str) -> str:
    """That a subject says nothing beside the others."""
    return f"{one_line(name)} was measured on other images and is left out"


def undefined(figure: str, found: Evidence) -> str:
    """Why there is no figure."""
    lacking = ""
    if found.abnormal is not None and found.abnormal in (0, found.n):
        lacking = f": none of {found.n:,} cases is {'normal' if found.abnormal else 'abnormal'}"
    return f"{_first(found)}cannot be decided: {named(figure)} is undefined on these cases{lacking}"


def better(answer: Answer, found: Evidence, gain: SeedDifference, apart: bool, reason: str, p_adjusted: float) -> str:
    """Which is better by how much, that the two cannot be told apart, or why the difference says nothing.

    Args:
        answer: its arms and the number of tests.
        found: what it stands on.
        gain: arm minus the other.
        apart: whether the two are distinguishable.
        reason: why none may be called better all the same; "" where there is nothing against it.
        p_adjusted: by Holm.
    """
    ahead = gain.value > 0
    words = "is not distinguishable from"
    if reason:
        words = f"cannot be called {'better' if ahead else 'worse'} than"
    elif apart:
        words = "is better than" if ahead else "is worse than"
    elif found.collapsed:
        words = "cannot be called better than"
    p = p_words(p_adjusted, answer.family)
    verdict = f"{one_line(answer.arm)} {words} {one_line(answer.than)}{_because(reason)}"
    return f"{_first(found)}{verdict}: {_gain(found, gain)}, {p}.{_last(found)}"


def non_inferior(
    answer: Answer, found: Evidence, gain: SeedDifference, standing: Standing, reason: str, margin: float
) -> str:
    """Whether the arm is worse by less than the margin, by more, or neither is shown; `reason` as for `better`."""
    arm, than = one_line(answer.arm), one_line(answer.than)
    verdict = {
        Standing.ABOVE: f"{arm} is non-inferior to {than} (margin {margin:g})",
        Standing.BELOW: f"{arm} is inferior to {than} by more than the margin of {margin:g}",
        Standing.ACROSS: _undecided(arm, than, margin, "the interval holds the margin"),
    }[standing]
    if found.disqualified(standing):
        verdict = f"{arm} cannot be called non-inferior to {than} (margin {margin:g})"
    elif reason:
        verdict = _undecided(arm, than, margin, reason)
    return f"{_first(found)}{verdict}: {_gain(found, gain)}.{_last(found)}"


def at_least(
    answer: Answer, found: Evidence, own: SeedEstimate, standing: Standing, reason: str, threshold: float
) -> str:
    """Whether the whole interval lies above the threshold, below it, or neither; `reason` as for `better`."""
    name, line = one_line(answer.arm), f"{threshold:g}"
    verdict = {
        Standing.ABOVE: f"{name} reaches {line} with its whole interval",
        Standing.BELOW: f"{name} does not reach {line}",
        Standing.ACROSS: f"it cannot be decided whether {name} reaches {line}: its interval holds it",
    }[standing]
    if found.disqualified(standing):
        verdict = f"{name} cannot be said to reach {line}"
    elif reason:
        verdict = f"it cannot be decided whether {name} reaches {line}: {reason}"
    value = f"{named(answer.figure)} {estimate_words(estimate_of(own))}, {_cases(found, own.n)}{_reached(found)}"
    return f"{_first(found)}{verdict}: {value}.{_last(found)}"


def _undecided(arm: str, than: str, margin: float, reason: str) -> str:
    return f"it cannot be decided whether {arm} is worse than {than} by less than {margin:g}: {reason}"


def _because(reason: str) -> str:
    return f", for {reason}" if reason else ""


def _gain(found: Evidence, gain: SeedDifference) -> str:
    values = f"{figure_text(gain.second)} against {figure_text(gain.first)}"
    difference = difference_words(difference_estimate(gain))
    return f"{named(gain.name)} {difference}, {values}, {_cases(found, gain.n)}{_reached(found)}"


def _reached(found: Evidence) -> str:
    """The specificity that a sensitivity was had at, of each subject."""
    if found.reached is None:
        return ""
    values = " against ".join(map(estimate_words, found.reached.each))
    return f", specificity reached on {found.reached.split} {values} ({found.reached.wanted:g} was wanted)"


def _cases(found: Evidence, n: int) -> str:
    if found.abnormal == n:
        return f"n = {n:,} abnormal"
    if n != found.n or found.abnormal is None:
        return f"n = {n:,}"
    return f"n = {n:,} ({found.abnormal:,} abnormal)"


def _first(found: Evidence) -> str:
    """What must be read before the figures, for each subject."""
    parts = []
    for name, marks in found.marks:
        kinds = dict.fromkeys(mark.kind for mark in marks if mark.kind in FIRST)  # one a kind, whichever seed has it
        if kinds:
            parts.append(f"{one_line(name)}: {', '.join(map(str, kinds))}")
    return f"Read this first ({'; '.join(parts)}): " if parts else ""


def _last(found: Evidence) -> str:
    return seeds_words(found.subjects) + few_cases(found.few)
