from __future__ import annotations

import re
from typing import Any

import pytest

from engine.training.lora_targets import lora_modules, target_pattern

# Two vision blocks and two language layers: the test size of the embedded model.
VISION_ATTENTION = {f"model.visual.blocks.{n}.attn.{leaf}" for n in range(2) for leaf in ("qkv", "proj")}
VISION_MLP = {f"model.visual.blocks.{n}.mlp.{leaf}" for n in range(2) for leaf in ("linear_fc1", "linear_fc2")}
LANGUAGE_ATTENTION = {
    f"model.language_model.layers.{n}.self_attn.{leaf}"
    for n in range(2)
    for leaf in ("q_proj", "k_proj", "v_proj", "o_proj")
}
LANGUAGE_MLP = {
    f"model.language_model.layers.{n}.mlp.{leaf}" for n in range(2) for leaf in ("gate_proj", "up_proj", "down_proj")
}

# The layer ablation: vision, language, attention, MLP.
CONFIGURATIONS = {
    "A": ((True, False, True, True), VISION_ATTENTION | VISION_MLP),
    "B": ((False, True, True, True), LANGUAGE_ATTENTION | LANGUAGE_MLP),
    "C": ((True, True, True, False), VISION_ATTENTION | LANGUAGE_ATTENTION),
    "D": ((True, True, False, True), VISION_MLP | LANGUAGE_MLP),
    "E": ((True, True, True, True), VISION_ATTENTION | VISION_MLP | LANGUAGE_ATTENTION | LANGUAGE_MLP),
}


def pattern(switches: tuple[bool, bool, bool, bool]) -> str:
    return target_pattern(**dict(zip(("vision", "language", "attention", "mlp"), switches, strict=True)))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_each_ablation_configuration_puts_lora_on_exactly_its_modules(model: Any, name: str) -> None:
    from peft import LoraConfig, get_peft_model

    switches, expected = CONFIGURATIONS[name]
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=pattern(switches)))
    assert lora_modules(module for module, _ in tuned.named_modules()) == sorted(expected)


def unsloth_pattern(model: Any, switches: tuple[bool, bool, bool, bool]) -> str:
    """What Unsloth's switches mean, in its own words: a part's tag, a component's tag, then a linear layer's name."""
    import torch

    vision, language, attention, mlp = switches
    parts = ["vision", "image", "visual", "patch"] * vision + ["language", "text"] * language
    components = ["self_attn", "attention", "attn"] * attention + ["mlp", "feed_forward", "ffn", "dense"] * mlp
    leaves = {name.split(".")[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    leaves.discard("lm_head")  # Unsloth leaves out layers that exist only once
    return rf".*?(?:{'|'.join(parts)}).*?(?:{'|'.join(components)}).*?(?:{'|'.join(sorted(leaves))})"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_switches_mean_what_unsloth_means(model: Any, name: str) -> None:
    switches, _ = CONFIGURATIONS[name]
    names = [module for module, _ in model.named_modules()]
    ours = {module for module in names if re.fullmatch(pattern(switches), module)}
    theirs = {module for module in names if re.fullmatch(unsloth_pattern(model, switches), module)}
    assert ours == theirs


def test_patch_embedding_mergers_and_head_never_carry_lora(model: Any) -> None:
    everything = pattern((True, True, True, True))
    others = [name for name, _ in model.named_modules() if re.search(r"patch_embed|merger|lm_head|embed_tokens", name)]
    assert "model.visual.patch_embed.proj" in others
    assert not [name for name in others if re.fullmatch(everything, name)]


@pytest.mark.parametrize("switches", [(False, False, True, True), (True, True, False, False)])
def test_nothing_to_train_is_refused(switches: tuple[bool, bool, bool, bool]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        pattern(switches)
