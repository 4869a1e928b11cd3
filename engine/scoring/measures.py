"""Which measures a question has, and the value of each on every image.

An output that is an error or holds no answer has the value 0 in every measure. A cut-off output is measured by what
there is of it: a list that lacks its last structure is not right, but not worth nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Reading, Status
from engine.scoring.agreement import chrf, f_beta, folded, jaccard, precision, recall
from engine.scoring.cases import AnsweredCase, Judged
from engine.scoring.intervals import Figures
from engine.types import Outcome

PRIMARY: Mapping[str, str] = {
    "Q1": "f2",
    "Q2": "accuracy",
    "Q3": "accuracy",
    "Q4": "f1",
    "Q5": "accuracy",
    "Q6": "macro_recall",
    "Q7": "balanced_accuracy",
    "Q8": "accuracy",
    REPORT_ID: "section_accuracy",
}
"""The measure by which two subjects are compared, declared before anything is looked at."""

NO_ANSWER = frozenset({Outcome.ERROR, Outcome.UNPARSEABLE})


@dataclass(frozen=True, slots=True)
class Readers:
    """How texts are read; given by whoever reads them, so that this package holds no words."""

    keywords: Callable[[str, str], frozenset[str]]
    """Content words of an answer, from question and text."""
    bin_index: Callable[[str], int]
    """Position of a bin of weeks among the bins of Q5."""


@dataclass(frozen=True, slots=True)
class GradedMeasure:
    """A measure of agreement between any answer and any target, not only between an answer and its own."""

    name: str
    said: Callable[[AnsweredCase], Hashable]
    """What is compared of the answer."""
    target: Callable[[AnsweredCase], Hashable]
    """What is compared of the target."""
    agreement: Callable[[Any, Any], float]
    """In 0..1, from both."""
    shuffled: bool = True
    """Whether it is also shown for answers dealt to other images."""


class GradedValues:
    """One graded measure on the cases of one question; every distinct pair of answer and target is compared once."""

    def __init__(self, measure: GradedMeasure, cases: Sequence[AnsweredCase]) -> None:
        self.measure = measure
        self._said = [None if case.outcome in NO_ANSWER else (measure.said(case),) for case in cases]
        self._targets = [measure.target(case) for case in cases]
        self._known: dict[tuple[Hashable, Hashable], float] = {}
        self.own: Figures = self.dealt(np.arange(len(cases)), np.arange(len(cases)))
        """Value of each answer against its own target, shape (cases,)."""

    def dealt(self, answers: NDArray[np.intp], targets: NDArray[np.intp]) -> Figures:
        """Value of the answer at each position of `answers` against the target at the same place of `targets`."""
        pairs = zip(answers.tolist(), targets.tolist(), strict=True)
        return np.array([self._value(self._said[answer], self._targets[target]) for answer, target in pairs])

    def _value(self, said: tuple[Hashable] | None, target: Hashable) -> float:
        if said is None:
            return 0.0
        value = self._known.get((said, target))
        if value is None:
            value = self._known[said, target] = self.measure.agreement(said[0], target)
        return value


def graded_measures(question: str, readers: Readers) -> list[GradedMeasure]:
    """The graded measures of a question; the first is the one that is read, others explain it."""
    if question in {"Q1", "Q4"}:
        beta = 2 if question == "Q1" else 1
        return [
            GradedMeasure(f"f{beta}", _said_set, _target_set, partial(f_beta, beta=beta)),
            GradedMeasure("set_precision", _said_set, _target_set, precision, shuffled=False),
            GradedMeasure("set_recall", _said_set, _target_set, recall, shuffled=False),
        ]
    if question in {"Q2", "Q3"}:
        words = cache(partial(readers.keywords, question))  # a parse a distinct text; forgotten with the measure
        return [
            GradedMeasure(
                "keyword_agreement", lambda case: words(case.said_text), lambda case: words(case.target_text), jaccard
            )
        ]
    if question == "Q8":
        return [GradedMeasure("chrf", lambda case: folded(case.said_text), lambda case: folded(case.target_text), chrf)]
    return []


def right_answers(cases: Sequence[Judged]) -> Figures:
    """1 for each right answer and 0 for every other, shape (cases,)."""
    return np.array([case.outcome is Outcome.RIGHT for case in cases], dtype=np.float64)


def within_one_bin(cases: Sequence[AnsweredCase], bin_index: Callable[[str], int]) -> Figures:
    """1 where the bin of weeks is the target's or a neighbour of it, shape (cases,)."""

    def near(case: AnsweredCase) -> bool:
        if case.outcome is Outcome.RIGHT:
            return True
        if case.outcome in NO_ANSWER or not (case.said.status is case.target.status is Status.READ):
            return False
        try:
            return abs(bin_index(case.said.value) - bin_index(case.target.value)) <= 1
        except ValueError:  # read without the layer `meaning`, an answer is a text and no bin
            return False

    return np.array([near(case) for case in cases], dtype=np.float64)


def target_classes(cases: Sequence[AnsweredCase]) -> NDArray[np.intp]:
    """Number of each case's target among the distinct targets, shape (cases,)."""
    _, classes = np.unique(np.array([case.target.value for case in cases], dtype=object), return_inverse=True)
    return np.asarray(classes, dtype=np.intp)


def _members(reading: Reading) -> frozenset[str]:
    return frozenset(reading.items or (reading.value,))


def _said_set(case: AnsweredCase) -> frozenset[str]:
    return _members(case.said)


def _target_set(case: AnsweredCase) -> frozenset[str]:
    return _members(case.target)
