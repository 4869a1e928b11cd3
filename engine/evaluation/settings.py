"""What one evaluation row asks for, read from its columns, its protocol and, for a tuned run, its recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import JobError
from engine.evaluation.protocol import NORMALISATION, known_layers
from engine.questions.normalise.layers import layer_names
from engine.questions.prompts import OWN
from engine.recipe import Recipe
from engine.store.records import EvaluationRow

DEFAULT_BATCH = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one evaluation."""

    prompt: str
    image_size: int
    max_new_tokens: int
    case_limit: int
    """Cases drawn from the split; 0 = all."""
    batch: int
    """Images in one forward pass; no part of the protocol."""
    quantization: str
    """`none` or `4bit`: how the base is loaded; no part of the protocol."""
    degradation: str
    """What is done to the images: "" nothing, `blank` a grey image in place of each."""
    normalisation: tuple[str, ...]
    """Names of the layers of normalisation, in their order."""
    prompt_text: str = ""
    """The wording itself where `prompt` is `own`; "" for all others."""


def read_settings(row: EvaluationRow, recipe: Recipe | None, quantization: str | None) -> Settings:
    """Settings of an evaluation.

    Args:
        row: its protocol names prompt, image_size, max_new_tokens, case_limit (and batch, quantization if need be).
        recipe: of the run that is measured; fills in what the protocol leaves out. None for a reference row.
        quantization: with which the run was trained, as resolved; None for a reference row.

    Raises:
        JobError: the protocol of a reference row leaves something out (an own wording its words), or names a layer
            that does not exist.
    """
    named: Mapping[str, Any] = json.loads(row.protocol or "{}")
    columns = {"prompt": row.prompt, "max_new_tokens": row.max_new_tokens, "case_limit": row.case_limit}
    given = {**_of_recipe(recipe), **{k: v for k, v in columns.items() if v is not None}, **named}
    own = str(given.get("prompt_text") or "") if given.get("prompt") == OWN else ""
    missing = [name for name in ("prompt", "image_size", "max_new_tokens") if given.get(name) is None]
    if given.get("prompt") == OWN and not own.strip():
        missing.append("prompt_text")
    if missing:
        raise JobError(
            f"Evaluation {row.id} does not say how to measure",
            f"Its protocol has no {', '.join(missing)}.",
            "Queue it again with `sonotune evaluate`.",
        )
    return Settings(
        prompt=str(given["prompt"]),
        image_size=int(given["image_size"]),
        max_new_tokens=int(given["max_new_tokens"]),
        case_limit=int(given.get("case_limit") or 0),
        batch=int(given.get("batch") or DEFAULT_BATCH),
        # As the run was really trained; what its launch expected may have been worked out on another machine.
        quantization=quantization or str(given.get("quantization") or "none"),
        degradation=row.degradation or "",
        normalisation=layer_names(known_layers(given.get(NORMALISATION))),
        prompt_text=own,
    )


def _of_recipe(recipe: Recipe | None) -> dict[str, Any]:
    if recipe is None:
        return {}
    return {
        "prompt": recipe.data.prompt,
        "prompt_text": recipe.data.prompt_text,
        "image_size": recipe.data.image_size,
        "max_new_tokens": recipe.evaluation.max_new_tokens,
        "case_limit": recipe.evaluation.limit,
        "batch": recipe.evaluation.batch,
        NORMALISATION: recipe.evaluation.normalisation,
    }
