"""When two recipes train the same thing: what tells whether a run is already done, whatever it is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from engine.recipe import Recipe, recipe_values
from engine.recipe.fields import recipe_fields

_NO_PART = frozenset(
    {
        "name",
        "description",
        "training.checkpoint_steps",  # where a run may be taken up again
        "training.evaluation_steps",  # looks at the validation loss
        "training.answer_checks",  # looks at answers, under random numbers of their own
        # How a step is computed, not what it computes: up to rounding the same adapter.
        "training.packing",
        "training.micro_batch",
        "training.devices",
        "training.compile",
        "training.gradient_checkpointing",
    }
)
"""Keys that change nothing about the adapter. Those of `evaluation` neither: measurements are found by themselves."""


def training_key(recipe: Recipe) -> str:
    """SHA-256 over everything that decides what a training ends with, apart from the data themselves."""
    return _key(recipe_values(recipe))


def stored_training_key(text: str) -> str:
    """`training_key` of a stored recipe, without checking it: for thousands of runs at once.

    Args:
        text: JSON as `recipe_json` wrote it. Keys that did not exist then count with their default, as
            `recipe_from_json` reads them.

    Returns:
        "" for what is no recipe.
    """
    try:
        mapping = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(mapping, dict):
        return ""
    values = dict(_defaults())
    for name, content in mapping.items():
        if isinstance(content, dict):
            values.update({f"{name}.{key}": value for key, value in content.items()})
        else:
            values[name] = content
    return _key(values)


@cache
def key_version() -> str:
    """What stored keys depend on besides the recipe: the keys that there are, with their defaults."""
    text = json.dumps([sorted(_NO_PART), _defaults()], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _defaults() -> Mapping[str, Any]:
    return {field.key: field.default for field in recipe_fields()}


def _key(values: Mapping[str, object]) -> str:
    part = {
        key: value for key, value in values.items() if key not in _NO_PART and not key.startswith("evaluation.")
    }  # fmt: skip
    return hashlib.sha256(json.dumps(part, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
