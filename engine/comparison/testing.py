"""Two subjects before the scorer: what each said in the form that its question needs, and the tests of the pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from engine.comparison.model import Standing
from engine.evaluation.protocol import layers_of
from engine.evaluation.scores import report_cases
from engine.questions.answers import read_answer
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Reading
from engine.scoring.bootstrap import RESAMPLES
from engine.scoring.cases import AnsweredCase
from engine.scoring.comparing import Comparison, compared
from engine.scoring.paired_measures import Sides, sides_of
from engine.scoring.pairing import Pairs
from engine.scoring.readers import DEFAULT, readers_with
from engine.scoring.reports import ReportCase, ReportSide, compare_reports
from engine.store.outputs import OutputRow
from engine.store.reader import Reader
from engine.types import Outcome, Prediction


@dataclass(frozen=True, slots=True)
class Paired:
    """One subject, ready to be held against another."""

    name: str
    """Short; untrusted text."""
    question: str
    threshold: float | None
    """On P(abnormal); None for other questions than Q7."""
    cases: Sequence[AnsweredCase] = field(default=(), repr=False)
    reports: Sequence[ReportCase] = field(default=(), repr=False)
    """In place of `cases`, for the combined report."""
    layers: Layers = ALL_LAYERS
    """Of normalisation, with which it was measured."""

    @classmethod
    def of(
        cls,
        name: str,
        question: str,
        threshold: float | None,
        outputs: Sequence[OutputRow],
        layers: Layers = ALL_LAYERS,
    ) -> Paired:
        """From what it said, read with the layers of normalisation of its evaluation."""
        if question == REPORT_ID:
            # It reads no column that an OutputRow does not have.
            reports = report_cases(cast("Iterable[Prediction]", outputs), layers)
            return cls(name, question, threshold, reports=reports, layers=layers)
        return cls(name, question, threshold, cases=answered(question, outputs, layers), layers=layers)


@dataclass(frozen=True, slots=True)
class PairTest:
    """One pair before its p value is adjusted."""

    result: Comparison
    sides: Sides | None
    """Who is right on which image; None for reports, and where the two can't be paired."""


def answered(question: str, outputs: Iterable[OutputRow], layers: Layers = ALL_LAYERS) -> list[AnsweredCase]:
    """Outputs as the scorer takes them; a serving error says nothing.

    As `engine.evaluation.scores.answered_cases`, but what is said again is read once: a screen full of rows has tens of
    thousands of answers, and few different ones.
    """
    known: dict[str, Reading] = {}

    def reading(text: str) -> Reading:
        if text not in known:
            known[text] = read_answer(question, text, layers)
        return known[text]

    return [
        AnsweredCase(
            path=output.path,
            view=output.view,
            said=reading("" if output.outcome is Outcome.ERROR else output.raw_output),
            target=reading(output.target),
            said_text=output.raw_output,
            target_text=output.target,
            outcome=output.outcome,
            p_abnormal=output.p_abnormal,
        )
        for output in outputs
    ]


def paired_of(reader: Reader, evaluation: int) -> Paired:
    """The subject of one evaluation; it is called by its run, or by its reference."""
    row = reader.evaluation(evaluation)
    name = f"run {row.run_id}" if row.run_id is not None else str(row.reference)
    outputs = reader.outputs(row.id, row.question)
    return Paired.of(name, row.question, row.threshold, outputs, layers_of(row.protocol))


def tests_of_pair(
    first: Paired, second: Paired, *, seed: int = 0, resamples: int = RESAMPLES, primary_only: bool = False
) -> PairTest:
    """Tests of the second against the first, both on the same images of one question.

    Args:
        first: the baseline.
        second: the other one.
        seed: of bootstrap and swap test.
        resamples: of the bootstrap.
        primary_only: leave out whatever the verdict does not need.
    """
    if first.question == REPORT_ID:
        sides = ReportSide(first.name, first.reports), ReportSide(second.name, second.reports)
        return PairTest(compare_reports(sides[0], sides[1:], seed=seed, resamples=resamples)[0], None)
    kept: list[Sides] = []
    # Keywords of both sides are found in one way, so where their protocols differ in it, with every layer.
    readers = readers_with(first.layers) if first.layers == second.layers else DEFAULT

    def measures(pairs: Pairs[AnsweredCase]) -> Sides:
        thresholds = first.threshold, second.threshold
        kept.append(sides_of(first.question, pairs, thresholds, readers, primary_only=primary_only))
        return kept[-1]

    result = compared(first.name, second.name, first.cases, second.cases, measures, seed=seed, resamples=resamples)
    return PairTest(result, kept[-1] if kept else None)


def standing_of(result: Comparison) -> Standing:
    """The verdict in one word."""
    if result.decisive is None or result.p_adjusted is None:
        return Standing.UNKNOWN
    if not result.distinguishable:
        return Standing.SAME
    return Standing.BETTER if result.decisive.value > 0 else Standing.WORSE
