"""Runs the plain recipes: a TRL or Hugging Face trainer around a model that is loaded already, once for each
micro-batch.

Import after `unsloth` where that runs.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from engine.bench.plan import SEED, SidePlan, SideResult, StepTimes
from engine.bench.sides.clock import StepClock
from engine.bench.sides.measured import training_result
from engine.bench.sides.process import Publish, tell
from engine.bench.sides.sweeping import Sweep, fastest
from engine.bench.tokens import Lengths
from engine.bench.watching import TrunkWatch

COUNTED_BATCHES = 8

Build = Callable[[int, StepClock], Any]
"""Makes a trainer for a micro-batch, with the clock among its callbacks."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all micro-batches of a side share."""

    lengths: Lengths
    head: float
    """Places a sample whose logits are computed."""
    peak_flops: float
    load_seconds: float
    settings: Mapping[str, Any]


def best_of(plan: SidePlan, build: Build, shared: Conditions, publish: Publish) -> SideResult:
    """Train with each micro-batch of the plan, and return the fastest with a list of what was tried.

    Raises:
        RuntimeError: none of them ran.
    """
    sweep = Sweep(plan.micro_batches, "micro_batch", "samples_per_second")
    return fastest(plan, sweep, lambda micro_batch: _trained(plan, build, shared, micro_batch), publish)


def _trained(plan: SidePlan, build: Build, shared: Conditions, micro_batch: int) -> SideResult:
    tell(f"{plan.side}: micro-batch {micro_batch}, {plan.warmup} steps to warm up, {plan.steps} measured")
    clock = StepClock()
    trainer = build(micro_batch, clock)
    clock.watch_data(trainer)
    trainer.train()
    per_step = micro_batch * max(1, plan.batch // micro_batch)
    times = StepTimes(clock.seconds, plan.warmup)
    return training_result(
        plan,
        times,
        shared.lengths,
        counted(trainer, micro_batch),
        rates=[per_step / each for each in times.measured],
        packed=False,
        head=shared.head,
        peak_flops=shared.peak_flops,
        settings={**shared.settings, "micro_batch": micro_batch, "samples_per_step": per_step},
        load_seconds=shared.load_seconds,
        data_share=clock.data_share(plan.warmup),
    )


def counted(trainer: Any, micro_batch: int) -> TrunkWatch:
    """Places and patches in some random batches of the trainer's own collator."""
    watch = TrunkWatch(checkpointed=bool(trainer.args.gradient_checkpointing))
    rows = random.Random(SEED)
    for _ in range(COUNTED_BATCHES):
        chosen = [rows.randrange(len(trainer.train_dataset)) for _ in range(micro_batch)]
        batch = trainer.data_collator([trainer.train_dataset[row] for row in chosen])
        watch.count_rows(*batch["input_ids"].shape)
        watch.count_images(batch["image_grid_thw"].prod(1).tolist())
    return watch


def optimizer_name() -> str:
    """The 8-bit AdamW of the notebooks where it can run, PyTorch's elsewhere."""
    able = torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes") is not None
    return "adamw_8bit" if able else "adamw_torch"
