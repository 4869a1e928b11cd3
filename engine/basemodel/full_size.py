"""Qwen3-VL at its real dimensions with random weights, for speed and memory where no weights can be fetched.

Speed and memory do not depend on the values; answers do, so nothing that such a model scores means anything.
`python -m engine.basemodel.full_size 8b FOLDER` writes one; dimensions as in the published configurations.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.basemodel.tokenizer import SPECIAL_TOKENS, build_processor

VOCABULARY_SIZE = 151_936
IMAGE_SIDE = 1024
"""Side in pixels up to which the processor passes images unscaled."""


@dataclass(frozen=True, slots=True)
class FullSize:
    """Published dimensions of one model."""

    text_hidden: int
    text_layers: int
    text_heads: int
    text_intermediate: int
    vision_hidden: int
    vision_layers: int
    vision_intermediate: int
    deepstack_layers: tuple[int, ...]
    tied_head: bool


FULL_SIZES = {
    "2b": FullSize(2048, 28, 16, 6144, 1024, 24, 4096, (5, 11, 17), True),
    "4b": FullSize(2560, 36, 32, 9728, 1024, 24, 4096, (5, 11, 17), True),
    "8b": FullSize(4096, 36, 32, 12288, 1152, 27, 4304, (8, 16, 24), False),
}


def build_full_size(name: str, device: str) -> tuple[Any, Any]:
    """(model, processor): bfloat16 random weights on `device`, the embedded tokenizer in front of Qwen's vocabulary."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    processor = build_processor(IMAGE_SIDE)
    ids = {token: processor.tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        torch.manual_seed(0)
        with torch.device(device):
            model = Qwen3VLForConditionalGeneration(_config(FULL_SIZES[name], ids))
    finally:
        torch.set_default_dtype(default)
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    return model, processor


def _config(size: FullSize, ids: dict[str, int]) -> Any:
    from transformers import Qwen3VLConfig

    text = {
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": size.text_hidden,
        "intermediate_size": size.text_intermediate,
        "num_hidden_layers": size.text_layers,
        "num_attention_heads": size.text_heads,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262_144,
        "tie_word_embeddings": size.tied_head,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    vision = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_hidden,
        "intermediate_size": size.vision_intermediate,
        "num_heads": 16,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": size.text_hidden,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": list(size.deepstack_layers),
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=size.tied_head,
    )


def main() -> None:
    """Build one model and save it as safetensors."""
    parser = argparse.ArgumentParser(prog="python -m engine.basemodel.full_size", description=__doc__)
    parser.add_argument("size", choices=sorted(FULL_SIZES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    model, processor = build_full_size(arguments.size, arguments.device)
    model.save_pretrained(arguments.folder)
    processor.save_pretrained(arguments.folder)


if __name__ == "__main__":
    main()
