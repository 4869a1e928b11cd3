"""The verdict of a comparison in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.scoring.comparing import Comparison
    from engine.scoring.paired import Difference

SIGNIFICANT = 0.05
"""Adjusted p below which two subjects can be told apart."""

WORDS = {"auroc": "AUROC", "mcc": "MCC", "f1": "F1", "f2": "F2", "chrf": "chrF"}


def verdict(comparison: Comparison) -> str:
    """One sentence: which is better by how much, or that the two cannot be told apart, or why nothing can be said.

    The names of the subjects stand in it as they are: untrusted text.
    """
    gain = comparison.decisive
    if gain is None or comparison.p_adjusted is None:
        return f"not comparable: {comparison.reason}"
    evidence = (
        f"{difference_text(gain)}, {len(comparison.fixed):,} fixed, {len(comparison.broken):,} broken, "
        f"n = {comparison.n:,}, {p_text(comparison.p_adjusted)}"
    )
    if comparison.family > 1:
        evidence += f" (Holm, {comparison.family:,} comparisons)"
    if not comparison.distinguishable:
        return f"not distinguishable: {evidence}"
    word = "better" if gain.value > 0 else "worse"
    return f"{comparison.second} is {word} than {comparison.first}: {evidence}"


def difference_text(difference: Difference) -> str:
    """`balanced accuracy +0.12 (0.05 to 0.19)`; three decimals where two would hide the difference."""
    decimals = 2 if abs(difference.value) >= 0.1 else 3
    low, high = _signless(difference.low, decimals), _signless(difference.high, decimals)
    value = _signless(difference.value, decimals)
    return f"{measure_words(difference.name)} {'' if value.startswith('-') else '+'}{value} ({low} to {high})"


def p_text(p: float) -> str:
    """`p = 0.004`, `p = 0.32`, `p < 0.001`; never rounded to the level that decides."""
    if p < 0.001:
        return "p < 0.001"
    decimals = 2 if p >= 0.1 else 3
    rounded = f"{p:.{decimals}f}"
    if (float(rounded) < SIGNIFICANT) != (p < SIGNIFICANT):
        rounded = f"{p:.5f}"
    return f"p = {rounded}"


def measure_words(name: str) -> str:
    """Name of a measure as a reader knows it: `balanced accuracy`, `AUROC`."""
    return WORDS.get(name, name.replace("_", " "))


def _signless(value: float, decimals: int) -> str:
    """Fixed decimals, without the minus sign of a zero."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text
