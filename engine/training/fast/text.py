"""Attention and feed-forward of the language layers, as transformers computes them, over joined linear layers."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

from engine.training.fast.attention import attend
from engine.training.fast.linears import SharedInput


def prepare_attention(module: Any) -> None:
    """Join the projections of a `Qwen3VLTextAttention`."""
    module.joined_in = SharedInput([module.q_proj, module.k_proj, module.v_proj])
    module.joined_out = SharedInput([module.o_proj])


def prepare_mlp(module: Any) -> None:
    """Join the projections of a `Qwen3VLTextMLP`."""
    module.joined_in = SharedInput([module.gate_proj, module.up_proj])
    module.joined_out = SharedInput([module.down_proj])


def attention(
    self: Any,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    past_key_values: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """`Qwen3VLTextAttention.forward`."""
    shape = (*hidden_states.shape[:-1], -1, self.head_dim)
    query, key, value = self.joined_in(hidden_states)
    query = self.q_norm(query.view(shape)).transpose(1, 2)
    key = self.k_norm(key.view(shape)).transpose(1, 2)
    value = value.view(shape).transpose(1, 2)
    query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, self.layer_idx)
    implementation = self.config._attn_implementation
    if implementation == "sdpa":
        seen = attend(query, key, value, attention_mask, self.scaling)
    else:
        # Somebody has put attention of their own in place, as decoding many questions at once does.
        seen, _ = ALL_ATTENTION_FUNCTIONS[implementation](
            self, query, key, value, attention_mask, scaling=self.scaling, dropout=0.0
        )
    return self.joined_out(seen.reshape(*hidden_states.shape[:-1], -1))[0], None


def mlp(self: Any, x: torch.Tensor) -> torch.Tensor:
    """`Qwen3VLTextMLP.forward`."""
    gate, up = self.joined_in(x)
    result: torch.Tensor = self.joined_out(functional.silu(gate) * up)[0]
    return result
