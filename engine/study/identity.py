"""When two recipes train the same thing: what tells whether a run is already done, whatever it is called."""

from __future__ import annotations

import hashlib
import json

from engine.recipe import Recipe, recipe_values

_NO_PART = frozenset(
    {
        "name",
        "description",
        "training.checkpoint_steps",  # where a run may be taken up again
        "training.evaluation_steps",  # looks at the validation loss
        "training.answer_checks",  # looks at answers, under random numbers of their own
    }
)
"""Keys that change nothing about the adapter. Those of `evaluation` neither: measurements are found by themselves."""


def training_key(recipe: Recipe) -> str:
    """SHA-256 over everything that decides what a training ends with, apart from the data themselves."""
    values = {
        key: value
        for key, value in recipe_values(recipe).items()
        if key not in _NO_PART and not key.startswith("evaluation.")
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
