"""Which images a run trains on. Light: a launch plan counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.data.labels import target_text
from engine.data.sample import stratified_sample
from engine.types import Case

if TYPE_CHECKING:
    from engine.recipe import Recipe


def answer_of(case: Case, question: str) -> str | None:
    """The stripped answer that a case has to a question; None when it has none."""
    return (target_text(case.answers, question) or "").strip() or None


def training_cases(cases: Sequence[Case], recipe: Recipe, question: str | None = None) -> list[Case]:
    """The images of a run: a stratified sample of `data.limit` of the training split, fixed by the seed.

    Args:
        cases: the whole training split.
        recipe: of the run.
        question: only those of the sample that answer this question; None for all of the sample.
    """
    sample = stratified_sample(cases, recipe.data.limit, recipe.training.seed)
    return [case for case in sample if question is None or answer_of(case, question) is not None]
