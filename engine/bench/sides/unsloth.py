"""Plain Unsloth: its documented recipe for vision models, with TRL's trainer. `import unsloth` comes first."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from engine.bench.plan import SidePlan, SideResult
from engine.bench.recipes import (
    ALL_TEXT,
    collator_arguments,
    trainer_arguments,
    unsloth_checkpointing,
    unsloth_load_arguments,
    unsloth_lora_arguments,
)
from engine.bench.rows import lazy_dataset, question_rows
from engine.bench.sides.process import Publish, side_main, tell, unpublished


def run(plan: SidePlan, publish: Publish = unpublished) -> SideResult:
    """Train with Unsloth as its notebook does."""
    # It writes the modules that it generates into the current directory otherwise.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(Path(plan.workspace) / ".unsloth"))
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    # Before trl, transformers and peft, which it changes; alone, so that no sorting of imports can move it.
    import unsloth  # noqa: F401

    return _trained(plan, publish)


def _trained(plan: SidePlan, publish: Publish) -> SideResult:
    from trl import SFTConfig, SFTTrainer
    from unsloth import FastVisionModel
    from unsloth.trainer import UnslothVisionDataCollator

    from engine.bench.device import limit_memory, measured_peak_flops
    from engine.bench.sides.measured import bench_cases
    from engine.bench.sides.trainer import Conditions, best_of, optimizer_name
    from engine.bench.tokens import lengths

    limit_memory(plan.memory_limit)
    peak_flops = measured_peak_flops()
    started = time.perf_counter()
    tell(f"{plan.side}: loading {plan.precision}")
    model, processor = FastVisionModel.from_pretrained(plan.model, **unsloth_load_arguments(plan))
    model = FastVisionModel.get_peft_model(model, **unsloth_lora_arguments(plan))
    # True unless told otherwise, whatever the model was loaded with.
    FastVisionModel.for_training(model, **({} if plan.checkpointing else {"use_gradient_checkpointing": False}))
    load_seconds = time.perf_counter() - started
    cases = bench_cases(plan)
    rows = list(question_rows(cases, plan.questions))
    facts = lengths(cases, plan.questions, plan.image_size, processor)
    optimizer, folder = optimizer_name(), str(Path(plan.workspace) / "unsloth")

    def build(micro_batch: int, clock: Any) -> Any:
        collator = UnslothVisionDataCollator(model, processor, **collator_arguments(plan))
        check_image_tokens(collator, rows[:4], facts.image_tokens, model.config.image_token_id)
        return SFTTrainer(
            model=model,
            processing_class=processor,
            data_collator=collator,
            train_dataset=lazy_dataset(rows),
            args=SFTConfig(**trainer_arguments(plan, micro_batch, folder, gpu=True, optimizer=optimizer)),
            callbacks=[clock],
        )

    head = facts.work(packed=False, head=0.0).positions  # it trains on all tokens, and so takes the logits of all
    settings = {
        "recipe": "unsloth.ai/docs/basics/vision-fine-tuning",
        "precision": plan.precision,
        "optimizer": optimizer,
        "loss_on": ALL_TEXT,
        "gradient_checkpointing": unsloth_checkpointing(plan),
    }
    return best_of(plan, build, Conditions(facts, head, peak_flops, load_seconds, settings), publish)


def check_image_tokens(collator: Any, rows: list[dict[str, str]], wanted: float, image_token_id: int) -> None:
    """Make sure that an image has as many tokens here as on our side.

    Raises:
        RuntimeError: it has more or fewer, so the sides would not do the same work.
    """
    batch = collator(list(lazy_dataset(rows)))
    found = float((batch["input_ids"] == image_token_id).sum()) / len(rows)
    tell(f"unsloth: {found:g} tokens an image, ours {wanted:g}; {batch['input_ids'].shape[1]} tokens a row")
    if found != wanted:
        raise RuntimeError(f"the collator makes {found:g} tokens of an image, our side {wanted:g}")


if __name__ == "__main__":
    sys.exit(side_main(run))
