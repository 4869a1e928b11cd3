"""A comparison in words: the same on the command line, on the screen and in exports. Standard library only."""

from __future__ import annotations

from engine.comparison.model import ComparedPair, Comparison
from engine.formatting import figure
from engine.recipe.text import shown
from engine.scoring.verdicts import measure_words, p_text  # of all of engine.scoring, this one brings no numpy

FIRST = {
    "Q7": ("balanced_accuracy", "sensitivity", "specificity", "auroc", "mcc", "accuracy"),
}
"""Order of the measures of a question; others have the primary one first, then those by which pairs are tested."""
TEXT = "text_"
NOT_COMPARED = ("_rate", "_shuffled", "_over_shuffled")
"""Ends of the names of scores that say nothing about who is better."""


def compared_measures(found: Comparison) -> list[str]:
    """Names of the scores to show of every subject, the one that decides first."""
    primaries = [pair.primary for pair in found.pairs if pair.primary]
    tested = [each.name for pair in found.pairs for each in pair.differences]
    names: list[str] = [*primaries, *tested, *FIRST.get(found.question, ())]
    if any(name.startswith(TEXT) for name in primaries):  # no probabilities: what the text says is what there is
        names = [*names, *(TEXT + name for name in FIRST["Q7"][1:3])]
    known = {score.name for subject in found.subjects for score in subject.scores if score.value is not None}
    return [name for name in dict.fromkeys(names) if name in known and not name.endswith(NOT_COMPARED)]


def signed(value: float) -> str:
    """`+0.12`, `-0.05`, `+0.004`; three decimals where two would hide that it is not 0."""
    text = figure(value)
    if float(text) == 0 and abs(value) >= 0.0005:
        text = f"{value:.3f}"
    if float(text) == 0:
        return "0.00"
    return text if text.startswith("-") else f"+{text}"


def verdict_line(found: Comparison, pair: ComparedPair) -> str:
    """The verdict on one subject, with its name; untrusted text."""
    title = found.subjects[pair.subject].title
    return pair.verdict if pair.verdict.startswith(title) else f"{title}: {pair.verdict}"


def pair_tests(pair: ComparedPair) -> list[str]:
    """A sentence for each test of a pair, the one that decides first."""
    lines = []
    if pair.p is not None and pair.p_adjusted is not None:
        lines.append(
            f"Swap test on {measure_words(pair.primary)}: {p_text(pair.p)}, by Holm {p_text(pair.p_adjusted)}."
        )
    counts = f"{len(pair.fixed):,} fixed, {len(pair.broken):,} broken"
    lines.append(f"McNemar's exact test on right and wrong: {counts}, {p_text(pair.mcnemar_p)}.")
    if pair.delong is not None:
        ends = f"{signed(pair.delong.low)} to {signed(pair.delong.high)}"
        lines.append(f"DeLong's test on AUROC: {signed(pair.delong.value)} ({ends}), {p_text(pair.delong.p)}.")
    return lines


def recipe_text(value: object) -> str:
    """A value of a recipe on one line."""
    return shown(value)
