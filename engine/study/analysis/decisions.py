"""The declared questions of a study, answered by the rule that was written down with each.

`better` and `each` are one family: their p values are adjusted by Holm over all such tests of the study, those that are
still to come among them. Such an answer holds only where the interval of the difference excludes 0 **and** the adjusted
p is below 0.05; it does not hold where the same is true of a loss; otherwise the two are not distinguishable, which is
no proof that they are equal, so nothing is decided. `non_inferior` and `at_least` look where the 95 % interval lies,
each by itself: they are not adjusted for their number.

An arm whose answers have collapsed is never better than anything, and reaches nothing; that it falls short is told
of it as of any other. Nothing is decided

- about a margin or a line with fewer than 10 cases of a class, or against one that has collapsed or is blind;
- by a sensitivity at a specificity where the one ahead is shown to reach a lower specificity than the other.
"""

from __future__ import annotations

from dataclasses import replace

from engine.scoring.non_inferiority import Standing, non_inferiority, reaches
from engine.scoring.over_seeds import SeedDifference, SeedEstimate, difference
from engine.scoring.paired import holm
from engine.scoring.verdicts import SIGNIFICANT
from engine.study.analysis import sentences
from engine.study.analysis.asking import Asked, all_asked
from engine.study.analysis.evidence import Evidence, gather
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import difference_estimate, estimate_of
from engine.study.results import Answer
from engine.study.rules import QUESTION

TESTED = ("better", "each")
"""Kinds of decisions that belong to the family of tests."""


def answers(material: Material) -> list[Answer]:
    """An answer to every declared question, in the order of the file; those of arms that are not done yet wait.

    Raises:
        UsageError: a decision names a figure that its question does not have.
    """
    asked = all_asked(material)
    evidence = [gather(material, each) for each in asked]
    tested = [place for place, each in enumerate(asked) if each.decision.kind in TESTED]
    # A test that is still to come counts as one that will show nothing: adjusted p values only fall from here on.
    pending = [found.difference.p if (found := evidence[place]).difference else 1.0 for place in tested]
    adjusted = dict(zip(tested, holm(pending), strict=True))
    return [
        _answer(each, found, adjusted.get(place), len(tested))
        for place, (each, found) in enumerate(zip(asked, evidence, strict=True))
    ]


def _answer(asked: Asked, found: Evidence, p_adjusted: float | None, family: int) -> Answer:
    kind = asked.decision.kind
    answer = Answer(
        ask=asked.decision.ask.replace(QUESTION, asked.question),
        kind=kind,
        question=asked.question,
        figure=asked.figure,
        arm=asked.arm,
        than="" if asked.alone else asked.than,
        sentence="",
        holds=None,
        family=family if kind in TESTED else 1,
        bound={"non_inferior": -asked.decision.margin, "at_least": asked.decision.threshold}.get(kind),
        waiting=bool(found.waiting),
    )
    if found.waiting or found.left_out:
        return replace(answer, sentence=sentences.waiting(found))
    if asked.alone:
        return _at_least(answer, asked, found, found.own)
    if found.difference is None:
        return replace(answer, sentence=sentences.undefined(asked.figure, found))
    answer = replace(answer, difference=difference_estimate(found.difference))
    if kind == "non_inferior":
        return _non_inferior(answer, asked, found, found.difference)
    return _better(answer, found, found.difference, 1.0 if p_adjusted is None else p_adjusted)


def _better(answer: Answer, found: Evidence, gain: SeedDifference, p_adjusted: float) -> Answer:
    ahead = gain.value > 0
    apart = p_adjusted < SIGNIFICANT and not gain.low <= 0 <= gain.high
    reason = found.other_specificity(ahead=ahead) if apart else ""
    holds: bool | None = ahead if apart and not reason else None
    if found.collapsed and (ahead or not apart):
        reason, holds = "its answers have collapsed" if apart else "", False
    sentence = sentences.better(answer, found, gain, apart, reason, p_adjusted)
    return replace(answer, sentence=sentence, holds=holds, p=gain.p, p_adjusted=p_adjusted)


def _non_inferior(answer: Answer, asked: Asked, found: Evidence, gain: SeedDifference) -> Answer:
    margin = asked.decision.margin
    standing = non_inferiority(gain.low, gain.high, margin)
    reason = found.groundless()
    if standing is not Standing.ACROSS:
        reason = reason or found.other_specificity(ahead=standing is Standing.ABOVE)
    holds = False if found.disqualified(standing) else None if reason else _HOLDS[standing]
    return replace(answer, sentence=sentences.non_inferior(answer, found, gain, standing, reason, margin), holds=holds)


def _at_least(answer: Answer, asked: Asked, found: Evidence, own: SeedEstimate | None) -> Answer:
    if own is None:
        return replace(answer, sentence=sentences.undefined(asked.figure, found))
    threshold = asked.decision.threshold
    standing = reaches(own.low, own.high, threshold)
    reason = found.groundless() or (found.missed_specificity() if standing is Standing.ABOVE else "")
    holds = False if found.disqualified(standing) else None if reason else _HOLDS[standing]
    sentence = sentences.at_least(answer, found, own, standing, reason, threshold)
    return replace(answer, sentence=sentence, holds=holds, difference=estimate_of(own))


_HOLDS = {Standing.ABOVE: True, Standing.BELOW: False, Standing.ACROSS: None}


def compared_subjects(material: Material, first: Subject, second: Subject, figure: str) -> SeedDifference | None:
    """The difference of two subjects in one figure, second minus first; None where it is undefined."""
    sides = [material.values(each, figure) for each in (first, second)]
    if sides[0] is None or sides[1] is None:
        return None
    return difference(sides[0], sides[1], material.resampling)
