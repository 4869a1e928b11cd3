"""Cross entropy on answer positions alone.

TRL 1.15 computes the loss in a head that runs only under Triton, and a head over every position costs 11.6 GiB of
logits at 16 x 320 tokens of a 152k vocabulary. Here the trunk runs once and the output head sees the answer positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from engine.training.collator import IGNORED

TRUNK_INPUTS = ("input_ids", "attention_mask", "mm_token_type_ids", "pixel_values", "image_grid_thw")


def unwrapped(model: Any) -> Any:
    """The Qwen3-VL model inside a PEFT model (its LoRA layers stay in place), or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def answer_logits(model: Any, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (answer tokens, vocabulary) and their targets (answer tokens,) of a collated batch."""
    base = unwrapped(model)
    hidden = base.model(**{name: batch[name] for name in TRUNK_INPUTS if name in batch}, use_cache=False)[0]
    labels = batch["labels"]
    # The token at position t+1 is predicted from the hidden state at position t.
    row, column = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    return base.lm_head(hidden[row, column]), labels[row, column + 1]


def answer_loss(
    model: Any, batch: Mapping[str, torch.Tensor], trained_tokens: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Mean negative log-likelihood (nats) of an answer token.

    Args:
        model: Qwen3-VL, with or without PEFT.
        batch: what the collator made.
        trained_tokens: answer tokens of the whole accumulation window, so that micro-batches add up to the mean over
            the window; None takes those of this batch.
    """
    logits, targets = answer_logits(model, batch)
    total = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
    return total / (targets.numel() if trained_tokens is None else trained_tokens)
