"""Load the base model, attach LoRA, and put adapters away. Weights come from safetensors alone, never from pickles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from engine.errors import ModelError
from engine.files import sha256_of
from engine.training.backends import FOUR_BIT, UNSLOTH
from engine.training.fast.install import install
from engine.training.lora_targets import target_pattern
from engine.training.model_files import ADAPTER_WEIGHTS, require_plain_adapter
from engine.training.whole import recovered, written_whole

if TYPE_CHECKING:
    from engine.preflight.models import Layout
    from engine.recipe import Recipe

KEPT_IN_16_BITS = ["lm_head", r".*\bvisual\b.*"]
"""Output head and vision tower stay out of 4 bits, as under Unsloth: an adapter must be measured on the very base that
it was trained on, whichever backend trained it."""


@contextmanager
def loading(source: str) -> Iterator[None]:
    """Turn the loaders' many exceptions into one error with a next step."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise  # the session knows what to say of it
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The model {source!r} could not be loaded",
            f"{type(error).__name__}: {error}",
            "Check that the folder holds config.json, the processor files and *.safetensors; for an id of a model hub, "
            "download it first or unset HF_HUB_OFFLINE.",
        ) from error


def load_processor(source: str) -> Any:
    """The processor (tokenizer, chat template, image processor) of a model folder or hub id.

    Raises:
        ModelError: it cannot be loaded, or it is none of Qwen3-VL.
    """
    from transformers import AutoProcessor

    with loading(source):
        processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    if not hasattr(processor, "image_token_id") or not hasattr(processor, "image_processor"):
        raise ModelError(
            f"{source!r} is no Qwen3-VL model",
            f"Its processor is {type(processor).__name__}, which has no image tokens.",
            "Choose a Qwen3-VL model under model.id.",
        )
    return processor


def load_base(source: str, quantization: str, device: torch.device) -> Any:
    """The base model on `device`: float32 on a CPU (bf16 is several times slower there), bf16 on CUDA, or 4-bit nf4.

    Raises:
        ModelError: it cannot be loaded.
    """
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": torch.bfloat16 if device.type == "cuda" else torch.float32}
    if quantization == FOUR_BIT:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=KEPT_IN_16_BITS,
        )
        options["device_map"] = {"": device}
    with loading(source):
        model = AutoModelForImageTextToText.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, attn_implementation="sdpa", **options
        )
        return model if quantization == FOUR_BIT else model.to(device)


def load_for_training(recipe: Recipe, source: str, layout: Layout, device: torch.device) -> tuple[Any, Any]:
    """Model with fresh LoRA weights (fixed by the seed), and its processor, on the backend of the layout."""
    if layout.backend == UNSLOTH:
        return _unsloth(recipe, source, layout)
    return _transformers(recipe, source, layout, device)


def _transformers(recipe: Recipe, source: str, layout: Layout, device: torch.device) -> tuple[Any, Any]:
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    processor = load_processor(source)
    model = load_base(source, layout.quantization, device)
    # No `prepare_model_for_kbit_training`: it would turn the 16-bit embeddings to 32 bits, 2.5 GB more at 8B.
    lora = recipe.lora
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        bias="none",
        target_modules=target_pattern(
            vision=lora.vision, language=lora.language, attention=lora.attention, mlp=lora.mlp
        ),
        task_type="CAUSAL_LM",
    )
    set_seed(recipe.training.seed)
    model = get_peft_model(model, config)
    if has_fast_blocks(recipe, layout):
        install(model.get_base_model())
    return model, processor


def has_fast_blocks(recipe: Recipe, layout: Layout) -> bool:
    """Whether the blocks of `engine.training.fast` compute the training.

    Unsloth has its own; with dropout each layer would draw its own noise from what the joined layers compute once.
    """
    return layout.backend != UNSLOTH and recipe.lora.dropout == 0


def _unsloth(recipe: Recipe, source: str, layout: Layout) -> tuple[Any, Any]:
    """Unsloth's documented path for vision models; `import unsloth` came first in this process."""
    from unsloth import FastVisionModel

    checkpointing = "unsloth" if layout.checkpointing else False
    with loading(source):
        model, processor = FastVisionModel.from_pretrained(
            source,
            load_in_4bit=layout.quantization == FOUR_BIT,
            dtype=torch.bfloat16,
            use_gradient_checkpointing=checkpointing,
            attn_implementation="sdpa",
            trust_remote_code=False,
            # Not its pre-quantized mirror of another name: evaluation loads what the recipe says.
            use_exact_model_name=True,
        )
    lora = recipe.lora
    model = FastVisionModel.get_peft_model(
        model,
        finetune_vision_layers=lora.vision,
        finetune_language_layers=lora.language,
        finetune_attention_modules=lora.attention,
        finetune_mlp_modules=lora.mlp,
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        bias="none",
        random_state=recipe.training.seed,
        use_gradient_checkpointing=checkpointing,
    )
    FastVisionModel.for_training(model, use_gradient_checkpointing=bool(checkpointing))
    return model, processor


def load_adapter(model: Any, folder: Path) -> Any:
    """The base model with a trained adapter on top, frozen, for evaluation.

    Raises:
        ModelError: the folder holds no adapter that fits.
    """
    from peft import PeftModel

    require_plain_adapter(recovered(folder))
    with loading(str(folder)):
        return PeftModel.from_pretrained(model, str(folder), is_trainable=False)


def save_adapter(model: Any, folder: Path, base_model: str) -> str:
    """Write the adapter beside `folder`, flush it to disk and rename it into place.

    Args:
        model: the PEFT model.
        folder: where the adapter shall lie; an older one is replaced.
        base_model: model id of the recipe; recorded in place of the resolved path, which is of this machine only.

    Returns:
        SHA-256 of the adapter's weights.
    """
    for config in model.peft_config.values():
        config.base_model_name_or_path = base_model
    # LoRA never touches embeddings here; without the flag PEFT would ask the hub for the base's vocabulary.
    with written_whole(folder) as partial:
        model.save_pretrained(str(partial), safe_serialization=True, save_embedding_layers=False)
    return sha256_of(folder / ADAPTER_WEIGHTS)


def parameter_counts(model: Any) -> tuple[int, int]:
    """Trained and total parameters. Packed 4-bit weights are counted as the parameters that they stand for."""
    trained, total = model.get_nb_trainable_parameters()
    return int(trained), int(total)
