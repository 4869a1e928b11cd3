"""Plain transformers and PEFT in bf16 with checkpointing, for orientation: what a user writes without Unsloth.

Runs on a CPU too, so the trainer and the clock that it shares with the Unsloth side are tested without a GPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.bench.plan import ALPHA, RANK, SEED, SidePlan, SideResult
from engine.bench.recipes import ALL_TEXT, trainer_arguments
from engine.bench.rows import lazy_dataset, question_rows
from engine.bench.sides.process import Publish, side_main, tell, unpublished
from engine.data.images import target_size

IGNORED = -100
_OF_TRL = ("dataset_text_field", "dataset_kwargs", "max_length")


def run(plan: SidePlan, publish: Publish = unpublished) -> SideResult:
    """Train with the Hugging Face trainer and the model's own loss."""
    import torch
    from transformers import Trainer, TrainingArguments

    from engine.bench.device import limit_memory, measured_peak_flops
    from engine.bench.sides.measured import bench_cases
    from engine.bench.sides.trainer import Conditions, best_of
    from engine.bench.tokens import lengths

    gpu = torch.cuda.is_available()
    limit_memory(plan.memory_limit)
    peak_flops = measured_peak_flops()
    started = time.perf_counter()
    tell(f"{plan.side}: loading")
    model, processor = _load(plan, gpu)
    load_seconds = time.perf_counter() - started
    cases = bench_cases(plan)
    rows = list(question_rows(cases, plan.questions))
    facts = lengths(cases, plan.questions, plan.image_size, processor)

    def build(micro_batch: int, clock: Any) -> Any:
        folder = str(Path(plan.workspace) / "transformers")
        values = trainer_arguments(plan, micro_batch, folder, gpu=gpu, optimizer="adamw_torch")
        values = {name: value for name, value in values.items() if name not in _OF_TRL}
        checkpointing = {"use_reentrant": False}  # the other kind leaves the vision tower without gradients
        return Trainer(
            model=model,
            args=TrainingArguments(**values, gradient_checkpointing_kwargs=checkpointing),
            data_collator=PlainCollator(processor, plan.image_size),
            train_dataset=lazy_dataset(rows),
            callbacks=[clock],
        )

    head = facts.work(packed=False, head=0.0).positions
    settings = {
        "precision": "bf16" if gpu else "float32",
        "optimizer": "adamw_torch",
        "gradient_checkpointing": gpu,
        "loss_on": ALL_TEXT,
    }
    return best_of(plan, build, Conditions(facts, head, peak_flops, load_seconds, settings), publish)


def _load(plan: SidePlan, gpu: bool) -> tuple[Any, Any]:
    import torch
    from peft import LoraConfig, get_peft_model

    from engine.training.lora_targets import target_pattern
    from engine.training.model import load_base, load_processor

    processor = load_processor(plan.model)
    model = load_base(plan.model, "none", torch.device("cuda" if gpu else "cpu"))
    pattern = target_pattern(vision=True, language=True, attention=True, mlp=True)
    torch.manual_seed(SEED)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, bias="none", target_modules=pattern, task_type="CAUSAL_LM")
    return get_peft_model(model, config), processor


class PlainCollator:
    """Batches by the processor itself: labels on everything but image tokens and pads."""

    def __init__(self, processor: Any, image_size: int) -> None:
        self.processor = processor
        self.image_size = image_size
        processor.tokenizer.padding_side = "right"

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Collate samples in `messages` form."""
        chats = [sample["messages"] for sample in samples]
        texts = [self.processor.apply_chat_template(chat, tokenize=False) for chat in chats]
        images = [[self._scaled(part["image"])] for chat in chats for part in chat[0]["content"] if "image" in part]
        batch = dict(self.processor(text=texts, images=images, padding=True, return_tensors="pt"))
        ids = batch["input_ids"]
        batch["labels"] = ids.masked_fill(
            (batch["attention_mask"] == 0) | (ids == self.processor.image_token_id), IGNORED
        )
        return batch

    def _scaled(self, image: Any) -> Any:
        size = target_size(image.width, image.height, self.image_size)
        return image if image.size == size else image.resize(size)


if __name__ == "__main__":
    sys.exit(side_main(run))
