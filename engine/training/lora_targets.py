"""Which modules carry LoRA: the meaning of Unsloth's four `finetune_*` switches, written out for Qwen3-VL.

Unsloth (unsloth_zoo/peft_utils.py, `get_peft_regex`) takes every linear layer whose path names a chosen part (vision:
`visual`; language: `language_model`) and, further on, a chosen component (attention: `attn`, `self_attn`; MLP: `mlp`).
For Qwen3-VL that means the blocks of the vision tower and the layers of the language model, and nothing else: the
merger, the deepstack mergers, the patch embedding and the output head have no such component in their paths.
The pattern below names the same modules in full, because a bare `proj` would also catch `patch_embed.proj`.
"""

from __future__ import annotations

from collections.abc import Iterable

VISION_ATTENTION = r"attn\.(?:qkv|proj)"
VISION_MLP = r"mlp\.(?:linear_fc1|linear_fc2)"
LANGUAGE_ATTENTION = r"self_attn\.(?:q_proj|k_proj|v_proj|o_proj)"
LANGUAGE_MLP = r"mlp\.(?:gate_proj|up_proj|down_proj)"


def target_pattern(*, vision: bool, language: bool, attention: bool, mlp: bool) -> str:
    """Regular expression over full module names for PEFT's `target_modules` (matched as a whole name).

    Raises:
        ValueError: when no part or no component is chosen; recipes are checked before this is called.
    """
    if not (vision or language) or not (attention or mlp):
        raise ValueError("LoRA needs at least one of vision and language, and at least one of attention and MLP")
    parts = []
    if vision:
        components = [VISION_ATTENTION] * attention + [VISION_MLP] * mlp
        parts.append(rf"visual\.blocks\.\d+\.(?:{'|'.join(components)})")
    if language:
        components = [LANGUAGE_ATTENTION] * attention + [LANGUAGE_MLP] * mlp
        parts.append(rf"language_model\.layers\.\d+\.(?:{'|'.join(components)})")
    return rf"(?:.*\.)?(?:{'|'.join(parts)})"


def lora_modules(module_names: Iterable[str]) -> list[str]:
    """Modules that carry LoRA, by the names that they have in the base model, sorted.

    Args:
        module_names: names of all modules of a PEFT model (`name for name, _ in model.named_modules()`).
    """
    prefix, suffix = "base_model.model.", ".lora_A"
    return sorted(name.removeprefix(prefix).removesuffix(suffix) for name in module_names if name.endswith(suffix))
