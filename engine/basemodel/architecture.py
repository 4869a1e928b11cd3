"""Dimensions of the embedded models. Same modules as Qwen3-VL, only smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine.basemodel.tokenizer import SPECIAL_TOKENS

SizeName = Literal["base", "large", "test"]

HEAD_DIM = 32


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Widths and depths of one model."""

    text_hidden: int
    text_layers: int
    text_intermediate: int
    text_heads: int
    key_value_heads: int
    vision_hidden: int
    vision_layers: int
    vision_intermediate: int
    vision_heads: int
    deepstack_layers: tuple[int, ...]
    """Vision layers whose features are added to the first text layers."""


DIMENSIONS: dict[SizeName, Dimensions] = {
    "base": Dimensions(192, 3, 512, 6, 2, 96, 4, 288, 4, (1,)),
    "large": Dimensions(256, 4, 512, 8, 2, 128, 5, 384, 4, (2,)),
    "test": Dimensions(64, 2, 128, 2, 1, 32, 2, 64, 2, (0,)),
}

POSITION_GRID = 16
"""Side of the grid of learned vision positions, in patches: 256 px at patch size 16; other sizes interpolate."""


def build_model(processor: Any, size: SizeName = "base", seed: int = 0) -> Any:
    """A `Qwen3VLForConditionalGeneration` in float32 with random weights drawn from `seed`."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = processor.tokenizer
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    config = Qwen3VLConfig(
        text_config=_text_config(DIMENSIONS[size], (len(tokenizer) + 15) // 16 * 16, ids),
        vision_config=_vision_config(DIMENSIONS[size]),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    return model


def _text_config(dimensions: Dimensions, vocabulary_size: int, ids: dict[str, int]) -> dict[str, Any]:
    half = HEAD_DIM // 2
    spatial = half // 3
    return {
        "vocab_size": vocabulary_size,
        "hidden_size": dimensions.text_hidden,
        "intermediate_size": dimensions.text_intermediate,
        "num_hidden_layers": dimensions.text_layers,
        "num_attention_heads": dimensions.text_heads,
        "num_key_value_heads": dimensions.key_value_heads,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [half - 2 * spatial, spatial, spatial],  # must sum to half of head_dim
            "mrope_interleaved": True,
        },
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }


def _vision_config(dimensions: Dimensions) -> dict[str, Any]:
    return {
        "depth": dimensions.vision_layers,
        "hidden_size": dimensions.vision_hidden,
        "intermediate_size": dimensions.vision_intermediate,
        "num_heads": dimensions.vision_heads,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": dimensions.text_hidden,
        "num_position_embeddings": POSITION_GRID**2,
        "deepstack_visual_indexes": list(dimensions.deepstack_layers),
    }
