"""Attention of a few new tokens over a long cache, without repeating keys and values for grouped queries.

With a mask, transformers repeats keys and values for each query head of a group (four times at 8B), which for one new
token a question moves more memory than the weights do. The heads of a group share their mask, so they can stand side
by side as if they were further queries; the sums are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface

NAME = "sonotune_grouped"


def grouped_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention, in the form that transformers calls.

    Args:
        module: the attention layer.
        query: (images, heads, tokens, head dimension).
        key: (images, key-value heads, places, head dimension).
        value: as key.
        attention_mask: (images, 1, heads // key-value heads * tokens, places), see `grouped_mask`.
        scaling: factor on the products.

    Returns:
        (images, tokens, heads, head dimension), and no weights.
    """
    images, heads, tokens, width = query.shape
    shared = key.shape[1]
    folded = query.reshape(images, shared, heads // shared * tokens, width)
    found = torch.nn.functional.scaled_dot_product_attention(
        folded, key, value, attn_mask=attention_mask, scale=scaling
    )
    return found.reshape(images, heads, tokens, width).transpose(1, 2).contiguous(), None


def grouped_mask(mask: torch.Tensor, groups: int, dtype: torch.dtype) -> torch.Tensor:
    """What `grouped_attention` adds to the products: (images, 1, groups * tokens, places), 0 or minus infinity.

    A bool mask would be turned into that by every layer anew.

    Args:
        mask: bool (images, tokens, places).
        groups: heads of a group; each gets the mask of its token.
        dtype: of queries and keys.
    """
    unseen = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)
    return unseen.repeat(1, groups, 1)[:, None]


@contextmanager
def grouped(config: Any) -> Iterator[None]:
    """Inside the block, the language model whose text configuration this is attends as `grouped_attention`."""
    AttentionInterface.register(NAME, grouped_attention)
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
