"""Figures, differences and counts in plain words and cells. Names in them are untrusted text on one line."""

from __future__ import annotations

from collections.abc import Sequence

from engine.formatting import UNKNOWN, figure
from engine.scoring.over_seeds import SeedDifference, SeedEstimate
from engine.scoring.verdicts import measure_words, p_text
from engine.study.analysis.subjects import Subject
from engine.study.results import Estimate
from engine.text import one_line
from engine.types import Score

FEW = 10
"""Cases of a class below which it is said in every sentence."""


def estimate_of(found: SeedEstimate | None, n: int = 0) -> Estimate:
    """As a result holds it; undefined over `n` cases where there is none."""
    return Estimate(None, None, None, n) if found is None else Estimate(found.value, found.low, found.high, found.n)


def score_estimate(score: Score) -> Estimate:
    """A stored or computed score as a result holds it."""
    return Estimate(score.value, score.low, score.high, score.n)


def difference_estimate(found: SeedDifference) -> Estimate:
    """Second minus first, as a result holds it."""
    return Estimate(found.value, found.low, found.high, found.n)


def estimate_words(found: Estimate) -> str:
    """`0.93 (0.88 to 0.96)`; a dash where it is undefined."""
    if found.value is None:
        return UNKNOWN
    if found.low is None or found.high is None:
        return figure(found.value)
    return f"{figure(found.value)} ({figure(found.low)} to {figure(found.high)})"


def signed(value: float) -> str:
    """`+0.12`, `-0.050`; three decimals where two would hide the difference."""
    text = f"{value:+.{2 if abs(value) >= 0.1 else 3}f}"
    return text[1:] if float(text) == 0 else text


def difference_words(found: Estimate) -> str:
    """`+0.12 (0.05 to 0.19)`; a dash where it is undefined."""
    if found.value is None or found.low is None or found.high is None:
        return UNKNOWN
    decimals = 2 if abs(found.value) >= 0.1 else 3
    ends = (f"{end:.{decimals}f}" for end in (found.low, found.high))
    low, high = (text.removeprefix("-") if float(text) == 0 else text for text in ends)
    return f"{signed(found.value)} ({low} to {high})"


def share_words(found: float | None) -> str:
    """`12 %`; a dash where it is undefined."""
    return UNKNOWN if found is None else f"{100 * found:.1f} %"


def count_words(count: int | None) -> str:
    """`2,355,200`; a dash where it is not known."""
    return UNKNOWN if count is None else f"{count:,}"


def p_words(p: float, family: int) -> str:
    """`p = 0.004 (Holm, 3 tests)`."""
    return p_text(p) + (f" (Holm, {family} tests)" if family > 1 else "")


def named(figure_name: str) -> str:
    """Name of a figure as a reader knows it."""
    return measure_words(figure_name)


def seeds_words(subjects: Sequence[Subject]) -> str:
    """A sentence on seeds that are not there yet; "" where all are."""
    parts = [
        f"{len(each.seeds)} of {each.planned} seeds of {one_line(each.name)}" for each in subjects if not each.complete
    ]
    return f" So far {' and '.join(parts)}." if parts else ""


def few_words(abnormal: int | None, n: int) -> str:
    """A sentence on classes that are too small to say much; "" otherwise.

    Args:
        abnormal: abnormal cases; None for questions without classes.
        n: all cases.
    """
    if abnormal is None:
        return few_cases((f"{n:,}",) if n < FEW else ())
    sizes = ((abnormal, "abnormal"), (n - abnormal, "normal"))
    return few_cases(tuple(f"{count:,} {what}" for count, what in sizes if count < FEW))


def few_cases(parts: Sequence[str]) -> str:
    """The sentence of `few_words` about classes such as `5 abnormal`; "" without any."""
    return f" Only {' and '.join(parts)} cases: that tells little." if parts else ""
