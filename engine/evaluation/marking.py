"""Marks: what a reader must know before believing the figures of an evaluation. One sentence each, with the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from engine.evaluation.judging import judge
from engine.evaluation.scores import NOT_CHOSEN, answered_cases, flatters
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.scoring.collapse import collapse_of
from engine.scoring.shuffled import cannot_tell
from engine.text import one_line
from engine.types import Mark, Outcome, Prediction, Reference, Score, Split

FEW = 20
"""Cases of the rarer class below which sensitivity or specificity is not much more than a guess."""
FEW_OF_ALL = 50
MANY = 0.02
"""Share of unparseable or cut-off outputs from which it is worth a mark; serving errors are worth one each."""

OUTPUTS = {
    Outcome.ERROR: (Mark.ERRORS, "are a server's error message and no answer"),
    Outcome.CUT_OFF: (Mark.CUT_OFF, "were cut off before they were an answer"),
    Outcome.UNPARSEABLE: (Mark.UNPARSEABLE, "hold no answer to the question"),
}


class Subject(Protocol):
    """What marks depend on besides figures: a row of `evaluations`, or one that is going to be."""

    @property
    def question(self) -> str:
        """Q1 to Q8, or report."""

    @property
    def reference(self) -> Reference | None:
        """None for a tuned run."""

    @property
    def split(self) -> Split:
        """The split measured."""

    @property
    def degradation(self) -> str | None:
        """What was done to the images; a control is there to be bad."""


def marks_of(
    subject: Subject,
    scores: Sequence[Score],
    predictions: Sequence[Prediction],
    *,
    majority: str,
    threshold_source: str | None,
    layers: Layers = ALL_LAYERS,
) -> list[tuple[Mark, str]]:
    """The marks that an evaluation earns by itself, each with its sentence; those of controls and leaks come later.

    Args:
        subject: what was measured.
        scores: its scores.
        predictions: all of its cases.
        majority: the most frequent answer of the training split.
        threshold_source: where its threshold comes from, in words.
        layers: of normalisation, with which it was measured.
    """
    figures = {score.name: score for score in scores if score.scope == "all"}
    found: list[tuple[Mark, str]] = [*_outputs(predictions), *_few(figures, predictions)]
    if subject.reference in (None, Reference.BASE) and subject.degradation is None:
        found += _collapsed(subject.question, predictions, layers)
        share = _constant_share(subject.question, predictions, majority, layers)
        if share is not None:
            found += _below_majority(figures, majority, share, flattered=flatters(threshold_source))
        found += _insensitive(scores)
        if threshold_source == NOT_CHOSEN and subject.split is Split.TEST:
            found.append((Mark.THRESHOLD, "P(abnormal) >= 0.5 decides: no validation evaluation has chosen one"))
    return found


def _outputs(predictions: Sequence[Prediction]) -> Iterator[tuple[Mark, str]]:
    counts = Counter(prediction.outcome for prediction in predictions)
    for outcome, (mark, what) in OUTPUTS.items():
        count = counts[outcome]
        if count and (outcome is Outcome.ERROR or count >= MANY * len(predictions)):
            first = next(each.raw_output for each in predictions if each.outcome is outcome)
            yield mark, f"{count} of {len(predictions)} outputs {what}, such as: {one_line(first)[:80] or '(nothing)'}"


def _few(figures: dict[str, Score], predictions: Sequence[Prediction]) -> Iterator[tuple[Mark, str]]:
    for name, what in (("sensitivity", "abnormal"), ("specificity", "normal")):
        if name in figures and figures[name].n < FEW:
            yield Mark.FEW_CASES, f"only {figures[name].n} {what} cases: its intervals say how little that tells"
            return
    measured = len(_scored(predictions))
    if "sensitivity" not in figures and measured < FEW_OF_ALL:
        yield Mark.FEW_CASES, f"only {measured} cases: its intervals say how little that tells"


def _collapsed(question: str, predictions: Sequence[Prediction], layers: Layers) -> Iterator[tuple[Mark, str]]:
    result = collapse_of(answered_cases(question, predictions, layers))
    if result.collapsed:
        yield Mark.COLLAPSED, f"{question}: {result.sentence}"


def _scored(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The cases whose target can be read: the others are in no figure."""
    return [each for each in predictions if each.outcome is not Outcome.UNSCORED]


def _constant_share(question: str, predictions: Sequence[Prediction], majority: str, layers: Layers) -> float | None:
    """Share of the cases in which the commonest answer is right; None where there is no such answer, or no case."""
    targets = Counter(each.target for each in _scored(predictions))
    if not majority or not targets:
        return None
    right = (
        count
        for target, count in targets.items()
        if judge(question, majority, target, layers=layers).outcome is Outcome.RIGHT
    )
    return sum(right) / targets.total()


def _below_majority(
    figures: dict[str, Score], majority: str, share: float, *, flattered: bool
) -> Iterator[tuple[Mark, str]]:
    """Not above the answer that needs no image: balanced accuracy 0.5 where there is one, else the majority's share.

    Balanced accuracy at the best threshold for these very cases (`flattered`) is above 0.5 for pure noise as well; so
    AUROC, which needs no threshold, has to be above 0.5 then.
    """
    always = f"always '{one_line(majority)[:24]}' is right in {share:.1%}"
    balanced, accuracy = _main(figures, "balanced_accuracy"), _main(figures, "accuracy")
    if balanced is not None and balanced.low is not None:
        own = "" if accuracy is None else f", this in {accuracy.value:.1%}"
        said = f"balanced accuracy {balanced.value:.2f} ({balanced.low:.2f} to {balanced.high:.2f})"
        auroc = _main(figures, "auroc") if flattered else None
        if balanced.low <= 0.5:
            yield Mark.BELOW_MAJORITY, f"{always}{own}; {said} is not above 0.5"
        elif auroc is not None and auroc.low is not None and auroc.low <= 0.5:
            ranked = f"AUROC {auroc.value:.2f} ({auroc.low:.2f} to {auroc.high:.2f}) is not above 0.5"
            yield Mark.BELOW_MAJORITY, f"{always}{own}; {ranked}; {said} is that of a threshold chosen on these cases"
    elif accuracy is not None and accuracy.low is not None and accuracy.low <= share:
        yield (
            Mark.BELOW_MAJORITY,
            f"{always}, this in {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})",
        )


def _main(figures: dict[str, Score], name: str) -> Score | None:
    """A figure by the threshold; where there are no probabilities, by the text."""
    for each in (name, f"text_{name}"):
        if each in figures and figures[each].value is not None:
            return figures[each]
    return None


def _insensitive(scores: Sequence[Score]) -> Iterator[tuple[Mark, str]]:
    for name in cannot_tell(scores):
        yield Mark.INSENSITIVE, f"{name} gives as much to the answers of other images: it cannot tell models apart"
