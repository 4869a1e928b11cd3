"""Patch embedding, attention and feed-forward of the vision tower, with one attention call for images of one size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

from engine.training.fast.linears import SharedInput


class Pictures:
    """What the blocks must know of the images of a batch, shared by all of them; a hook of the tower sets it."""

    uniform: bool = False
    """All images have one size, so that attention takes them as a batch."""
    lengths: Sequence[int] = ()
    """Patches of each image; looked at where they differ."""

    def look(self, _tower: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Forward pre-hook of the vision tower: compare the sizes of the images that come."""
        grid = named["grid_thw"] if "grid_thw" in named else arguments[1]
        sizes = grid.tolist()
        self.uniform = all(size == sizes[0] for size in sizes)
        self.lengths = [math.prod(size) for size in sizes]


def prepare_attention(module: Any) -> None:
    """Take the projections of a `Qwen3VLVisionAttention` with their adapters."""
    module.joined_in = SharedInput([module.qkv])
    module.joined_out = SharedInput([module.proj])


def prepare_mlp(module: Any) -> None:
    """Take the layers of a `Qwen3VLVisionMLP` with their adapters."""
    module.joined_in = SharedInput([module.linear_fc1])
    module.joined_out = SharedInput([module.linear_fc2])


def attention(
    self: Any,
    hidden_states: torch.Tensor,
    cu_seqlens: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    **_: Any,
) -> torch.Tensor:
    """`Qwen3VLVisionAttention.forward`: every image sees itself alone."""
    patches = hidden_states.shape[0]
    query, key, value = self.joined_in(hidden_states)[0].view(patches, 3, self.num_heads, -1).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    if self.pictures.uniform:
        seen = _each(query, key, value, cu_seqlens.shape[0] - 1, self.scaling)
    else:
        seen = _one_by_one(query, key, value, self.pictures, self.scaling)
    result: torch.Tensor = self.joined_out(seen)[0]
    return result


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _one_by_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, pictures: Pictures, scaling: float
) -> torch.Tensor:
    """Attention of images of several sizes. Not compiled: every new number of images would be compiled anew."""
    parts = zip(*(torch.split(tensor, list(pictures.lengths)) for tensor in (query, key, value)), strict=True)
    return torch.cat([_each(q, k, v, 1, scaling) for q, k, v in parts])


def _each(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, images: int, scaling: float) -> torch.Tensor:
    """Attention (patches, features) of `images` images of one size, given (patches, heads, head size)."""
    shape = (images, query.shape[0] // images, *query.shape[1:])
    query, key, value = (tensor.view(shape).transpose(1, 2) for tensor in (query, key, value))
    seen = functional.scaled_dot_product_attention(query, key, value, scale=scaling)
    return seen.transpose(1, 2).flatten(0, 1).flatten(1)


def mlp(self: Any, hidden_state: torch.Tensor) -> torch.Tensor:
    """`Qwen3VLVisionMLP.forward`."""
    result: torch.Tensor = self.joined_out(self.act_fn(self.joined_in(hidden_state)[0]))[0]
    return result


def patch_embedding(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    """`Qwen3VLVisionPatchEmbed.forward` as the matrix product that it is: patches do not overlap."""
    weight = self.proj.weight.reshape(self.embed_dim, -1)
    return functional.linear(hidden_states.to(weight.dtype).view(-1, weight.shape[1]), weight, self.proj.bias)
