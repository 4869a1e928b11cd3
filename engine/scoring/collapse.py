"""Collapse: a model that says the same of every image, whatever the image shows.

It once went unnoticed in a table of averages that a model gave one and the same answer for all 1,894 test images of all
14 views. But a good model of Q7 also says "normal" of 98 images in 100, because 98 are. So answers are never judged by
themselves, only against the targets.

**The rule.** Answers have collapsed when they are far less varied than the targets, in one of two ways, and chance does
not explain it:

1. *One answer*: the share of answers other than the most common one is at most a tenth of the share of targets other
   than the most common one. With 98 % normal targets (2 % others) that is at most 0.2 % other answers. A model that
   finds a fifth of the abnormal cases is far from it; one that finds none has 0.
2. *A few answers for many*: where the targets are many (an effective number of at least 5), the effective number of
   answers is at most 3, and above one at most 15 % of that of the targets: two answers for 40 targets. A model that
   gives each of 14 views an answer of its own for 120 targets is coarse, but it looks. The effective number is the
   inverse Simpson index, 1 / sum(share squared) (Hill 1973, order 2): the number of equally frequent answers that would
   be as varied. Rare slips hardly move it, as they would a count of distinct answers.
3. *No chance*: if answers came in the proportions of the targets, the most common answers (as many as the effective
   number says) would have covered so much of the sample with a probability below 1 % (binomial). This keeps 16 answers
   to Q7, or 60 with one abnormal target among them, from being marked, and marks 16 equal answers about 14 views.

All of it depends on counts alone, so it holds for a running sample in training as well as for a whole evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binom

from engine.questions.reading import Reading, Status
from engine.scoring.cases import AnsweredCase, scored
from engine.types import Outcome

ONE_ANSWER = 0.1
"""Other answers as a share of other targets, at most, of clause 1."""
FEW_ANSWERS = 0.15
"""Effective answers above one as a share of effective targets above one, at most, of clause 2."""
A_FEW = 3.0
"""Effective number of answers up to which clause 2 holds."""
MANY_TARGETS = 5.0
"""Effective number of targets from which clause 2 holds."""
CHANCE = 0.01
"""Probability below which chance does not explain it."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """How varied the answers to one question are, against their targets."""

    n: int
    distinct_answers: int
    distinct_targets: int
    most_common: str
    """The most common answer; untrusted, and empty without answers."""
    most_common_share: float
    target_share: float
    """Share of the most common target."""
    views: int
    """Views in which the most common answer was given."""
    collapsed: bool
    sentence: str
    """What was found, without any of the answers' words."""


def collapse_check(answers: Sequence[str], targets: Sequence[str], views: Sequence[str]) -> Collapse:
    """Whether the answers to one question have collapsed; the rule stands at the head of the module.

    Args:
        answers: normalised, one an image: what counts as the same must be the same string.
        targets: of the same images, normalised in the same way.
        views: of the same images.

    Raises:
        ValueError: the three differ in length.
    """
    n = len(answers)
    if not len(targets) == len(views) == n:
        raise ValueError(f"{n} answers, {len(targets)} targets and {len(views)} views")
    if not n:
        return Collapse(0, 0, 0, "", 0.0, 0.0, 0, collapsed=False, sentence="no answers")
    said, meant = Counter(answers), Counter(targets)
    most_common = min(said, key=lambda answer: (-said[answer], answer))
    where = len({view for answer, view in zip(answers, views, strict=True) if answer == most_common})
    collapsed = _collapsed(said, meant, n)
    return Collapse(
        n=n,
        distinct_answers=len(said),
        distinct_targets=len(meant),
        most_common=most_common,
        most_common_share=said[most_common] / n,
        target_share=max(meant.values()) / n,
        views=where,
        collapsed=collapsed,
        sentence=_sentence(said, meant, n, len(set(views)), where, collapsed=collapsed),
    )


def collapse_of(cases: Sequence[AnsweredCase]) -> Collapse:
    """The check on answered cases; serving errors are no answers, and targets that cannot be read are left out."""
    kept = [case for case in scored(cases) if case.outcome is not Outcome.ERROR]
    return collapse_check(
        [_as_said(case.said, case.said_text) for case in kept],
        [_as_said(case.target, case.target_text) for case in kept],
        [case.view for case in kept],
    )


def _as_said(reading: Reading, text: str) -> str:
    """Canonical form; where there is none, the text: a thousand different unreadable texts are no one answer."""
    return reading.value if reading.status is Status.READ else " ".join(text.split()).casefold()


def _collapsed(said: Counter[str], meant: Counter[str], n: int) -> bool:
    answers, targets = _effective_number(said, n), _effective_number(meant, n)
    others, other_targets = n - max(said.values()), n - max(meant.values())
    one = others <= ONE_ANSWER * other_targets
    few = targets >= MANY_TARGETS and answers <= A_FEW and answers - 1 <= FEW_ANSWERS * (targets - 1)
    return other_targets > 0 and (one or few) and _by_chance(said, meant, n, max(1, round(answers))) < CHANCE


def _effective_number(counts: Counter[str], n: int) -> float:
    return n * n / sum(count * count for count in counts.values())


def _by_chance(said: Counter[str], meant: Counter[str], n: int, leading: int) -> float:
    """Probability that the `leading` most common answers cover as much, if answers came as the targets do."""
    covered = sum(count for _, count in said.most_common(leading))
    share = sum(count for _, count in meant.most_common(leading)) / n
    return float(binom.sf(covered - 1, n, share))


def _sentence(said: Counter[str], meant: Counter[str], n: int, views: int, where: int, *, collapsed: bool) -> str:
    places = f" of {views} views" if views > 1 else ""
    targets = f"{len(meant):,} different target{'s' if len(meant) != 1 else ''}"
    if not collapsed:
        answers = f"{len(said):,} different answer{'s' if len(said) != 1 else ''}"
        return f"{answers} for {n:,} images{places} with {targets}"
    if len(said) == 1:
        return f"collapsed: one and the same answer for all {n:,} images{places} with {targets}"
    top = max(said.values())
    if n - top <= ONE_ANSWER * (n - max(meant.values())):
        spread = f" in {where} of {views} views" if views > 1 else ""
        return f"collapsed: one answer for {top:,} of {n:,} images{spread} with {targets}"
    return f"collapsed: {len(said):,} different answers for {n:,} images{places} with {targets}"
