"""Whether the questions of an image are packed into one sequence, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.preflight.workload import Census
from engine.training.packing.eligibility import packing_refusal

if TYPE_CHECKING:
    from engine.recipe import Recipe

OFF = "off"


def packing_choice(recipe: Recipe, census: Census, config: Mapping[str, Any]) -> tuple[bool, str]:
    """(packed, the reason as a sentence).

    Args:
        recipe: its wish, and the dropout of its adapter.
        census: how many questions an image has.
        config: of the model, as its config.json has it.
    """
    if recipe.training.packing == OFF:
        return False, 'Not packed: the recipe says training.packing = "off".'
    most = max(census.per_image)
    if most == 1:
        return False, "Not packed: there is one question to an image, so there is nothing to share."
    refusal = packing_refusal(config, dropout=recipe.lora.dropout)
    if refusal:
        return False, f"Not packed: {refusal}."
    return True, f"Packed: up to {most} questions to an image share its tokens and one pass of the vision tower."
