"""Put the fast blocks into a model, and compile them."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch

from engine.training.fast import text, vision
from engine.training.fast.linears import SharedInput

COMPILATIONS = 64
"""Variants of one block's code that may be compiled: first and deepstack layers, shapes, checkpointing on and off."""


def install(base: Any) -> None:
    """Give a Qwen3-VL model, whose LoRA is in place, blocks with fewer kernels.

    Modules keep their parameters and names; only how they compute changes. Base weights that are computed together are
    laid side by side, each of the old ones being a view of them.
    """
    pictures = vision.Pictures()
    tower, language = base.model.visual, base.model.language_model
    tower.register_forward_pre_hook(pictures.look, with_kwargs=True)
    _replace(tower.patch_embed, vision.patch_embedding)
    for block in tower.blocks:
        vision.prepare_attention(block.attn)
        vision.prepare_mlp(block.mlp)
        block.attn.pictures = pictures
        _replace(block.attn, vision.attention)
        _replace(block.mlp, vision.mlp)
    for layer in language.layers:
        text.prepare_attention(layer.self_attn)
        text.prepare_mlp(layer.mlp)
        _replace(layer.self_attn, text.attention)
        _replace(layer.mlp, text.mlp)


def freeze_adapters(base: Any) -> None:
    """Lay the adapters of the fast blocks out for good: the model only answers from now on."""
    for module in base.modules():
        if isinstance(module, SharedInput):
            module.keep(base.dtype)


def _replace(module: Any, forward: Callable[..., Any]) -> None:
    module.forward = MethodType(forward, module)


def compile_blocks(base: Any) -> None:
    """Compile every block of tower and language model for training; equal blocks share their compiled code.

    The first pass compiles for its shapes, the next ones of other shapes for any shapes; after that it is done.
    Generation in between (`AnswerWatch`) has shapes that grow with every token, so it takes the blocks as they are.
    """
    torch._dynamo.config.cache_size_limit = max(torch._dynamo.config.cache_size_limit, COMPILATIONS)
    for block in (*base.model.visual.blocks, *base.model.language_model.layers):
        block.forward = _compiled_in_training(block, block.forward)


def _compiled_in_training(block: Any, plain: Callable[..., Any]) -> Callable[..., Any]:
    compiled = torch.compile(plain)

    def forward(*arguments: Any, **named: Any) -> Any:
        training = block.training and named.get("past_key_values") is None
        return (compiled if training else plain)(*arguments, **named)

    return forward
