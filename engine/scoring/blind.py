"""Blank-image control: the same questions on a grey image. Does a subject look at the image at all?

**The rule.** A subject is marked when its answers on grey images are as good as with the images, as far as the cases
can tell: the 95 % paired bootstrap interval of the difference (image minus grey) includes 0 or lies below it. For Q7
both AUROC and balanced accuracy must be so: a subject whose threshold is off may still rank cases by what it sees. For
the other questions it is the primary measure. Not finding a difference proves nothing where there are few cases, so
nothing is said below 20 cases (Q7: 10 abnormal and 10 normal ones), or where the interval still allows that the image
is worth 0.2 or more.

Where the threshold was chosen on these very cases, with their images, AUROC alone decides: balanced accuracy with the
images is then the best that any threshold gives, and noise looks as if it saw something.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from engine.questions.vocabulary import NORMALITY
from engine.scoring.bootstrap import RESAMPLES
from engine.scoring.cases import AnsweredCase
from engine.scoring.comparing import Comparison, Side, compare
from engine.scoring.measures import Readers
from engine.scoring.paired import Difference
from engine.scoring.reports import ReportCase, ReportSide, compare_reports
from engine.scoring.verdicts import difference_text
from engine.types import Verdict

FEWEST_CASES = 20
FEWEST_OF_A_CLASS = 10
WORTH_SEEING = 0.2
"""A gain by the image that must be ruled out before a subject is called blind."""


@dataclass(frozen=True, slots=True)
class Blind:
    """What the control found."""

    blind: bool | None
    """True: does not look at the image. False: does. None: the cases cannot tell."""
    sentence: str
    differences: tuple[Difference, ...]
    """With the image (second) minus grey (first), of the measures that decide; empty where they are undefined."""
    n: int


def looks_at_image(
    question: str,
    with_image: Sequence[AnsweredCase],
    grey: Sequence[AnsweredCase],
    *,
    threshold: float | None = None,
    own_threshold: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
    readers: Readers | None = None,
) -> Blind:
    """Hold a subject's answers against its answers to the same questions on a grey image.

    Args:
        question: Q1 to Q8.
        with_image: its answers with the images.
        grey: its answers on grey, with the same paths.
        threshold: Q7 alone: on P(abnormal), the same on both sides; None where it is judged by its texts.
        own_threshold: Q7 alone: the threshold was chosen on these cases, so that it flatters the side with the image.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        readers: how texts are read; None for those of `engine.questions`.
    """
    sides = Side("grey", grey, threshold), Side("image", with_image, threshold)
    comparison = compare(question, sides[0], sides[1:], seed=seed, resamples=resamples, readers=readers)[0]
    if question != NORMALITY:
        return _judged(comparison, "", {comparison.primary})
    counts = {each.name: each.n for each in comparison.differences}
    prefix = "" if "sensitivity" in counts else "text_"
    short = [
        f"{counts[prefix + measure]:,} {verdict}"
        for measure, verdict in (("sensitivity", Verdict.ABNORMAL), ("specificity", Verdict.NORMAL))
        if counts and counts[prefix + measure] < FEWEST_OF_A_CLASS
    ]
    ranked = not prefix and any(each.name == "auroc" for each in comparison.differences)
    deciding = {"auroc"} if own_threshold and ranked else {comparison.primary, "auroc"}
    return _judged(comparison, f"only {' and '.join(short)} cases" if short else "", deciding)


def reports_look_at_image(
    with_image: Sequence[ReportCase], grey: Sequence[ReportCase], *, seed: int = 0, resamples: int = RESAMPLES
) -> Blind:
    """The control for combined reports, on section accuracy; arguments as for `looks_at_image`."""
    sides = ReportSide("grey", grey), ReportSide("image", with_image)
    comparison = compare_reports(sides[0], sides[1:], seed=seed, resamples=resamples)[0]
    return _judged(comparison, "", {comparison.primary})


def _judged(comparison: Comparison, shortage: str, measures: Set[str]) -> Blind:
    """`measures`: names of those that decide."""
    deciding = tuple(each for each in comparison.differences if each.name in measures)
    n = comparison.n
    if not deciding:
        return Blind(None, f"cannot be told whether it looks at the image: {comparison.reason}", (), n)
    if not shortage and n < FEWEST_CASES:
        shortage = f"only {n:,} case{'s' if n != 1 else ''}"
    found = f"with the image {' and '.join(map(difference_text, deciding))}, n = {n:,}"
    if shortage:
        return Blind(None, f"cannot be told whether it looks at the image ({shortage}): {found}", deciding, n)
    if any(each.low > 0 for each in deciding):
        return Blind(False, f"looks at the image: {found}", deciding, n)
    if any(each.high >= WORTH_SEEING for each in deciding):
        return Blind(None, f"cannot be told whether it looks at the image (n = {n:,} is too few): {found}", deciding, n)
    return Blind(True, f"does not look at the image: {found}", deciding, n)
