"""The comparisons of a report: those of `engine.api.compare`, so that both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.api.comparing import compare
from engine.errors import SonotuneError
from engine.reporting.model import Pair
from engine.reporting.names import subject_title
from engine.reporting.subject import Subject
from engine.types import Reference
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.comparison.model import ComparedPair


def read_pairs(
    workspace: Workspace, first: Subject | None, subjects: Sequence[Subject]
) -> tuple[tuple[Pair, ...], str]:
    """Every other subject against the first, or why there is nothing to compare.

    Args:
        workspace: with the evaluations.
        first: the run that the page is about; None where there is no run.
        subjects: runs and references; shuffled answers are no competitor.
    """
    others = [each for each in subjects if first is not None and each.evaluation != first.evaluation]
    others = [each for each in others if each.reference != Reference.SHUFFLED]
    if first is None or not others:
        return (), "There is nothing that the run could be compared with: no other row was measured on these cases."
    shown = [first, *others]
    try:
        comparison = compare(workspace, [f"evaluation:{each.evaluation}" for each in shown])
    except SonotuneError as error:
        return (), f"They could not be compared. {' '.join(str(error).split())}"
    titles = [subject_title(each) for each in shown]
    return tuple(_pair(titles[0], titles[pair.subject], pair, len(others)) for pair in comparison.pairs), ""


def _pair(first: str, second: str, pair: ComparedPair, family: int) -> Pair:
    gain = next((each for each in pair.differences if each.name == pair.primary), None)
    return Pair(
        first=first,
        second=second,
        n=pair.n,
        measure=pair.primary,
        difference=None if gain is None else gain.value,
        low=None if gain is None else gain.low,
        high=None if gain is None else gain.high,
        fixed=len(pair.fixed),
        broken=len(pair.broken),
        mcnemar_p=pair.mcnemar_p,
        p=pair.p,
        p_adjusted=pair.p_adjusted,
        family=family,
        standing=str(pair.standing),
        verdict=pair.verdict,
    )
