"""How long a run is, in steps. Light: a launch plan is worked out with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.recipe import Recipe


def planned_steps(recipe: Recipe, examples: int) -> int:
    """Optimizer steps of a run: `max_steps`, else what the epochs take (the last window of an epoch may be short)."""
    training = recipe.training
    if training.max_steps:
        return training.max_steps
    micro_batches = math.ceil(examples / training.batch)
    return math.ceil(training.epochs * math.ceil(micro_batches / training.accumulation))


def warmup_steps(share: float, planned: int) -> int:
    """Steps in which the learning rate rises; TRL would read a whole 1.0 as one step, so the share is resolved here."""
    return math.ceil(share * planned)
