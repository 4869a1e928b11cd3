"""Shares of answers with a property, over the seeds of a subject: what is unclear, cut off, no answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Status
from engine.scoring.intervals import Figures
from engine.scoring.over_seeds import estimate
from engine.scoring.seed_values import Kind, SeedValues
from engine.store.outputs import OutputRow
from engine.study.analysis.material import Material
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import estimate_of
from engine.study.results import Estimate
from engine.types import Outcome

RATES = {"unparseable": Outcome.UNPARSEABLE, "cut off": Outcome.CUT_OFF, "errors": Outcome.ERROR}
"""Outputs that are no answer, by the head of their column."""


def outcome_share(material: Material, subject: Subject, outcome: Outcome) -> Estimate:
    """Share of the outputs of that outcome among the cases whose target can be read."""
    return _share(material, subject, lambda output: output.outcome is outcome)


def unclear_share(material: Material, subject: Subject) -> Estimate:
    """Share of answers that say themselves that it cannot be told; undefined for reports."""
    if subject.question == REPORT_ID:
        return Estimate(None, None, None, 0)
    rows = []
    for each in subject.seeds:
        cases = material.cases(each.row)
        rows.append([_value(case.outcome, case.said.status is Status.UNCLEAR) for case in cases])
    return mean_over_seeds(material, rows)


def mean_over_seeds(material: Material, rows: Sequence[Sequence[float] | Figures]) -> Estimate:
    """Mean over images and seeds of values that a part has made itself; one row a seed, NaN where there is none."""
    if not rows or not len(rows[0]) or len({len(row) for row in rows}) > 1:
        return Estimate(None, None, None, 0)
    values = np.array([list(row) for row in rows], dtype=np.float64)
    plain = np.zeros(values.shape[1], dtype=np.intp)
    return estimate_of(estimate(SeedValues("share", Kind.MEAN, values, plain), material.resampling))


def _share(material: Material, subject: Subject, holds: Callable[[OutputRow], bool]) -> Estimate:
    return mean_over_seeds(
        material,
        [[_value(output.outcome, holds(output)) for output in material.outputs(each.row)] for each in subject.seeds],
    )


def _value(outcome: Outcome, hit: bool) -> float:
    return np.nan if outcome is Outcome.UNSCORED else float(hit)
