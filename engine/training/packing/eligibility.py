"""Where packing would be wrong, and why. Light: a preflight asks without loading anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL_TYPES = ("qwen3_vl",)
"""`model_type` of configurations whose layers mix tokens through attention alone and take a mask of 4 dimensions."""
FULL_ATTENTION = "full_attention"


def packing_refusal(config: Mapping[str, Any], *, dropout: float = 0.0, attention: str = "sdpa") -> str | None:
    """Why questions to an image must not share a sequence under this model; None where they may.

    Args:
        config: of the model, as its `config.json` has it.
        dropout: of the adapter.
        attention: implementation that the model is loaded with.
    """
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        return f"the model is of type {kind!r}; packing is proved for {', '.join(MODEL_TYPES)} alone"
    text = config.get("text_config") or {}
    others = sorted({str(layer) for layer in text.get("layer_types") or () if layer != FULL_ATTENTION})
    if others:
        return (
            f"its layers of type {', '.join(others)} carry what they read past any mask, from one question to the next"
        )
    if text.get("use_sliding_window") and text.get("sliding_window"):
        return "its sliding window is counted in places of the row, and packing moves places"
    if attention != "sdpa":
        return f"attention {attention!r} takes no mask of four dimensions"
    if dropout > 0:
        return "lora.dropout is above 0, so the questions to an image would share what is dropped of it"
    return None
