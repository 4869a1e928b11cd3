"""How tests have a recipe computed."""

from __future__ import annotations

from engine.preflight.models import Layout
from engine.recipe import Recipe
from engine.training.backends import BackendChoice
from engine.training.layout import Computation


def as_written(recipe: Recipe, choice: BackendChoice, *, packed: bool = False) -> Computation:
    """A recipe computed just as it is written, nothing planned: what `auto` says is taken as off."""
    training = recipe.training
    layout = Layout(
        backend=choice.backend,
        quantization=choice.quantization,
        packed=packed,
        micro_batch=training.batch,
        accumulation=training.accumulation,
        checkpointing=training.gradient_checkpointing == "on",
        compiled=training.compile == "on",
    )
    return Computation(layout, choice.reason)
