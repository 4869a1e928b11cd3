"""The arguments of the plain recipes, as their documentation writes them. Pure, so that a test can read them.

Source: Unsloth's Qwen3-VL (8B) vision notebook and unsloth.ai/docs/basics/vision-fine-tuning. What differs, and why:

- `per_device_train_batch_size` 16 with as many accumulated micro-batches as a step of the benchmark has, in place of
  2 x 4: with 2 the card idles, and the comparison would flatter us;
- images are opened in data loader processes and not up front, because 15,000 of them would not fit into memory;
- rows are padded to a multiple of 8 tokens, so that its compiled modules are not compiled over and over;
- no logging to services, no checkpoints, and a fixed number of steps.
"""

from __future__ import annotations

from typing import Any

from engine.bench.plan import ALPHA, LEARNING_RATE, RANK, SEED, SidePlan

LONGEST_SEQUENCE = 2048
ALL_TEXT = "every text token, the head on every place"
"""What loss and output head of the plain recipes stand on."""
PADDED_TO = 8
"""Tokens that rows are padded to a multiple of: its compiled modules then see few shapes."""


def unsloth_load_arguments(plan: SidePlan) -> dict[str, Any]:
    """Arguments of `FastVisionModel.from_pretrained` after the model's folder."""
    return {
        "load_in_4bit": plan.precision == "4bit",
        "use_gradient_checkpointing": unsloth_checkpointing(plan),
        "max_seq_length": LONGEST_SEQUENCE,
        "trust_remote_code": False,
        # The folder as it is, and not a quantized mirror of another name.
        "use_exact_model_name": True,
    }


def unsloth_checkpointing(plan: SidePlan) -> str | bool:
    """How Unsloth recomputes activations: in its own way, as its recipe has it, or not at all."""
    return "unsloth" if plan.checkpointing else False


def unsloth_lora_arguments(plan: SidePlan) -> dict[str, Any]:
    """Arguments of `FastVisionModel.get_peft_model` after the model; its recipe leaves checkpointing to the loading."""
    kept = {} if plan.checkpointing else {"use_gradient_checkpointing": False}
    return kept | {
        "finetune_vision_layers": True,
        "finetune_language_layers": True,
        "finetune_attention_modules": True,
        "finetune_mlp_modules": True,
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0,
        "bias": "none",
        "random_state": SEED,
        "use_rslora": False,
        "loftq_config": None,
    }


def collator_arguments(plan: SidePlan) -> dict[str, Any]:
    """Arguments of `UnslothVisionDataCollator` after model and processor: images as large as on our side.

    It scales by the width unless told otherwise, which is the longest side of the benchmark's images; written out so
    that the sizes stay equal for other images.
    """
    return {"resize": plan.image_size, "resize_dimension": "max", "pad_to_multiple_of": PADDED_TO}


def trainer_arguments(plan: SidePlan, micro_batch: int, folder: str, *, gpu: bool, optimizer: str) -> dict[str, Any]:
    """Arguments of `SFTConfig`.

    Args:
        plan: of the side.
        micro_batch: samples of one forward pass; a step takes `plan.batch`, whole micro-batches of it.
        folder: where the trainer may write.
        gpu: whether it trains on one.
        optimizer: `adamw_8bit`, as the notebooks have it, or `adamw_torch` where bitsandbytes is missing.
    """
    return {
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": max(1, plan.batch // micro_batch),
        "warmup_steps": 5,
        "max_steps": plan.warmup + plan.steps,
        "learning_rate": LEARNING_RATE,
        "bf16": gpu,
        "use_cpu": not gpu,
        "logging_steps": 1,
        "optim": optimizer,
        "weight_decay": 0.001,
        "lr_scheduler_type": "linear",
        "seed": SEED,
        "output_dir": folder,
        "gradient_checkpointing": gpu and plan.checkpointing,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataset_text_field": "",
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": LONGEST_SEQUENCE,
        "dataloader_num_workers": plan.workers,
        "dataloader_persistent_workers": plan.workers > 0,
    }
