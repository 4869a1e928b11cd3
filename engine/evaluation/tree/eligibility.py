"""Whether all questions of an image can be answered from one pass, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.training.loss import unwrapped
from engine.training.packing.eligibility import packing_refusal

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "min_length", "min_new_tokens"), (None, 0)
    ),
    **dict.fromkeys(("guidance_scale", "encoder_repetition_penalty"), (None, 1)),
    **dict.fromkeys(("bad_words_ids", "sequence_bias", "suppress_tokens", "begin_suppress_tokens"), (None, [])),
    **dict.fromkeys(("forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty"), (None,)),
    **dict.fromkeys(("watermarking_config", "stop_strings", "max_time", "remove_invalid_values"), (None, False)),
}
"""Settings of `generate` that change a greedy answer and that evaluations do not set themselves
(`engine.evaluation.generate.GREEDY`), with the values at which they do nothing."""


def tree_refusal(model: Any) -> str | None:
    """Why a model must be asked question by question; None where one pass gives the same answers.

    Args:
        model: loaded, with or without PEFT.
    """
    base = unwrapped(model)
    attention = base.config.get_text_config()._attn_implementation
    # Nothing is dropped in evaluation mode, whatever the adapter was trained with.
    refusal = packing_refusal(base.config.to_dict(), attention=attention)
    if refusal is not None:
        return refusal
    generation = base.generation_config
    changed = [name for name, neutral in NEUTRAL.items() if getattr(generation, name, None) not in neutral]
    if changed:
        return f"its generation configuration sets {', '.join(changed)}, which one pass does not follow"
    return None
