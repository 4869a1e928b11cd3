"""The census of a dataset, taken once for each choice of training samples: a form asks again with every key."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from engine.data.manifest import Dataset, case_key
from engine.preflight.workload import Census, take_census
from engine.types import Split

if TYPE_CHECKING:
    from engine.recipe import Recipe

KEPT = 32
"""Censuses that are remembered; each has a few kilobytes."""
_KEPT: OrderedDict[tuple[object, ...], Census] = OrderedDict()


def census_of(dataset: Dataset, recipe: Recipe) -> Census:
    """What a recipe trains on, counted.

    Raises:
        DataError: the case file is missing or damaged, or there is nothing to train on.
    """
    key = _key(dataset, recipe)
    found = _KEPT.get(key)
    if found is None:
        from engine.training.balance import training_samples

        found = take_census(training_samples(dataset.cases(Split.TRAIN), recipe).samples, recipe)
    _KEPT[key] = found
    _KEPT.move_to_end(key)
    while len(_KEPT) > KEPT:
        _KEPT.popitem(last=False)
    return found


def _key(dataset: Dataset, recipe: Recipe) -> tuple[object, ...]:
    """Everything that the census depends on."""
    data = recipe.data
    drawn = recipe.training.seed if data.limit or data.balance != "none" else 0
    wording = (data.questions, data.prompt, data.more_prompts, data.prompt_text)
    return str(dataset.folder), case_key(dataset.record), wording, data.limit, data.balance, data.balance_share, drawn
