"""From a recipe to what the planner is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.preflight.models import ModelShape
from engine.preflight.parameters import AdapterShape, adapter_parameters
from engine.preflight.planner import PlanRequest
from engine.training.backends import FOUR_BIT, NO_QUANTIZATION, TRANSFORMERS, BackendChoice

if TYPE_CHECKING:
    from engine.recipe import Recipe


def adapter_shape(recipe: Recipe) -> AdapterShape:
    """Rank and place of the adapter that a recipe asks for."""
    lora = recipe.lora
    return AdapterShape(lora.r, vision=lora.vision, language=lora.language, attention=lora.attention, mlp=lora.mlp)


def plan_request(
    recipe: Recipe, choice: BackendChoice, shape: ModelShape, *, packed: bool, gpu: bool, four_bit_possible: bool
) -> PlanRequest:
    """What the planner may choose for a recipe.

    Args:
        recipe: says what is open.
        choice: backend and quantization, as `choose_backend` has resolved them.
        shape: of the model.
        packed: whether questions of an image are packed.
        gpu: whether there is one.
        four_bit_possible: whether 4-bit weights can be loaded here.
    """
    training = recipe.training
    open_bits = recipe.model.quantization == "auto" and gpu and four_bit_possible
    fallback = (FOUR_BIT,) if open_bits and choice.quantization == NO_QUANTIZATION else ()
    wish = training.gradient_checkpointing
    return PlanRequest(
        backend=choice.backend,
        quantizations=(choice.quantization, *fallback),
        packed=packed,
        batch=training.batch,
        accumulation=training.accumulation,
        devices=training.devices,
        written=training.micro_batch == "written",
        checkpointing=None if wish == "auto" else wish == "on",
        compiled=compiles(recipe, choice.backend, gpu),
        lora_parameters=adapter_parameters(shape, adapter_shape(recipe)),
        vision_adapted=recipe.lora.vision,
    )


def compiles(recipe: Recipe, backend: str, gpu: bool) -> bool:
    """Whether the blocks of the model are compiled; Unsloth brings its own compiled modules, so none are added."""
    wish = recipe.training.compile
    return backend == TRANSFORMERS and (wish == "on" or (wish == "auto" and gpu))
