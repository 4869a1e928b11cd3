"""Scores of the combined report: is it complete, are its sections right, do they fit each other.

A report comes here as plain data, already taken apart. All eight sections were asked for: a missing one is not right.
Sections whose own target cannot be read are left out of every accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.questions.prompts import REPORT_ID
from engine.scoring.bootstrap import RESAMPLES, mean_scores
from engine.scoring.cases import in_path_order, positions_by_scope, stream
from engine.scoring.coherence import ImageRules, coherence_scores, kept_shares
from engine.scoring.comparing import Comparison, compared, decided
from engine.scoring.intervals import Figures
from engine.scoring.measures import PRIMARY, right_answers
from engine.scoring.paired import PairedValues
from engine.scoring.paired_measures import Sides
from engine.scoring.pairing import Pairs
from engine.scoring.rates import accuracy, outcome_rates, proportion
from engine.types import QUESTION_IDS, Outcome, Score


@dataclass(frozen=True, slots=True)
class ReportCase:
    """One report held against its target."""

    path: str
    view: str
    target_text: str
    """The annotated report; untrusted."""
    outcome: Outcome
    """Of the report as a whole: right where all eight sections are."""
    present: frozenset[str]
    """Questions whose section was found in the output."""
    sections: Mapping[str, Outcome]
    """Outcome by question; a question that is absent here is a missing section."""
    applied: frozenset[str] = frozenset()
    """Ids of the coherence rules that could be applied."""
    broken: frozenset[str] = frozenset()
    """Those of them that the report breaks."""


@dataclass(frozen=True, slots=True)
class ReportSide:
    """One subject of a comparison."""

    name: str
    cases: Sequence[ReportCase]


def score_report(cases: Sequence[ReportCase], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Score]:
    """Every score of the combined report, over all cases and for each view, with n and a 95 % interval.

    - `accuracy`: share of reports with every section right.
    - `completeness`: mean share of the eight sections that are there.
    - `section_accuracy`: mean share of the sections that are right, missing ones among those that are not.
    - `Q1_accuracy` to `Q8_accuracy`: by section.
    - `coherence` and `coherent_reports`: see `coherence`. A report that lacks sections meets fewer rules: read them
      beside `completeness`.

    Args:
        cases: one an image; their order changes nothing. Unscored reports are counted in `unscored_rate` alone.
        seed: of the bootstrap; each scope has its own stream.
        resamples: of the bootstrap.
    """
    ordered = in_path_order(cases)
    coherent = coherence_scores(
        [_rules(case) for case in ordered if _scored(case)], whole="coherent_reports", seed=seed, resamples=resamples
    )
    scores: list[Score] = []
    for scope, positions in positions_by_scope(ordered).items():
        scores += _scope([ordered[place] for place in positions], scope, stream(seed, scope), resamples)
        scores += [score for score in coherent if score.scope == scope]
    return scores


def compare_reports(
    first: ReportSide, others: Sequence[ReportSide], *, seed: int = 0, resamples: int = RESAMPLES
) -> list[Comparison]:
    """Compare other subjects' reports with the first's, as `comparing.compare` does; section accuracy decides."""
    return decided(
        [
            compared(first.name, other.name, first.cases, other.cases, _sides, seed=seed, resamples=resamples)
            for other in others
        ]
    )


def _scored(case: ReportCase) -> bool:
    return case.outcome is not Outcome.UNSCORED


def _rules(case: ReportCase) -> ImageRules:
    return ImageRules(case.path, case.view, case.applied, case.broken)


def _scope(cases: Sequence[ReportCase], scope: str, seed: tuple[int, int], resamples: int) -> Iterator[Score]:
    outcomes = [case.outcome for case in cases]
    measured = [case for case in cases if _scored(case)]
    yield accuracy(scope, outcomes)
    yield from mean_scores(scope, {"completeness": _completeness(measured)}, (*seed, 0), resamples)
    shares = _section_accuracy(measured)
    yield from mean_scores(scope, {"section_accuracy": shares[np.isfinite(shares)]}, (*seed, 1), resamples)
    for question in QUESTION_IDS:
        known = [case.sections.get(question, Outcome.UNPARSEABLE) for case in measured]
        known = [outcome for outcome in known if outcome is not Outcome.UNSCORED]
        yield proportion(scope, f"{question}_accuracy", known.count(Outcome.RIGHT), len(known))
    yield from outcome_rates(scope, outcomes)


def _completeness(cases: Sequence[ReportCase]) -> Figures:
    return np.array([len(case.present.intersection(QUESTION_IDS)) / len(QUESTION_IDS) for case in cases], dtype=float)


def _section_accuracy(cases: Sequence[ReportCase]) -> Figures:
    """Share of the sections that is right, shape (cases,); NaN where no section has a target that can be read."""
    shares = []
    for case in cases:
        outcomes = [case.sections.get(question, Outcome.UNPARSEABLE) for question in QUESTION_IDS]
        n = len(outcomes) - outcomes.count(Outcome.UNSCORED)
        shares.append(outcomes.count(Outcome.RIGHT) / n if n else np.nan)
    return np.array(shares, dtype=np.float64)


def _sides(pairs: Pairs[ReportCase]) -> Sides:
    shares = _section_accuracy(pairs.first), _section_accuracy(pairs.second)
    known = np.isfinite(shares[0]) & np.isfinite(shares[1])
    first, second = right_answers(pairs.first), right_answers(pairs.second)
    measures = []
    if known.any():
        measures = [
            PairedValues.mean(PRIMARY[REPORT_ID], shares[0][known], shares[1][known]),
            PairedValues.mean("completeness", _completeness(pairs.first), _completeness(pairs.second)),
            PairedValues.mean("accuracy", first, second),
            *_coherent(pairs),
        ]
    undefined = "" if measures else "no report has a section whose target can be read"
    return Sides([case.path for case in pairs.first], first > 0, second > 0, measures, PRIMARY[REPORT_ID], undefined)


def _coherent(pairs: Pairs[ReportCase]) -> list[PairedValues]:
    """Coherence on the images where rules apply to both reports."""
    kept = [kept_shares([_rules(case) for case in side]) for side in (pairs.first, pairs.second)]
    known = np.isfinite(kept[0]) & np.isfinite(kept[1])
    return [PairedValues.mean("coherence", kept[0][known], kept[1][known])] if known.any() else []
