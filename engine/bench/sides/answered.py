"""What both sides of the evaluation share: the loaded model, and the result. Heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from engine.bench.device import gpu_name, peaks
from engine.bench.plan import SidePlan, SideResult
from engine.bench.sides.measured import bench_cases
from engine.bench.sides.rounds import Round
from engine.bench.tokens import lengths
from engine.training.model import load_adapter, load_base, load_processor
from engine.training.record import versions


def load_tuned(plan: SidePlan) -> tuple[Any, Any, torch.device]:
    """Base in bf16 (float32 on a CPU) with the adapter on top, its processor, and where it lies."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = load_base(plan.model, "none", device)
    return load_adapter(base, Path(plan.adapter)).eval(), load_processor(plan.model), device


def answering_result(
    plan: SidePlan,
    rounds: Sequence[Round],
    *,
    load_seconds: float | None,
    settings: Mapping[str, Any],
) -> SideResult:
    """The result of rounds over all questions.

    Args:
        plan: of the side.
        rounds: at least one; the answers are those of the last.
        load_seconds: until the model was ready.
        settings: what it ran with.
    """
    seconds, said = [each.seconds for each in rounds], rounds[-1].answers
    speed = len(said) / median(seconds)
    facts = lengths(bench_cases(plan), plan.questions, plan.image_size, load_processor(plan.model))
    memory = peaks()
    return SideResult(
        plan.side,
        samples_per_second=speed,
        tokens_per_second=speed * plan.new_tokens,
        step_seconds=median(seconds),
        load_seconds=load_seconds,
        data_share=sum(each.waited for each in rounds) / sum(seconds),
        tokens={"image": facts.image_tokens, "text": facts.text, "new": float(plan.new_tokens)},
        settings={**settings, "rounds": len(rounds)},
        versions=versions(),
        gpu=gpu_name(),
        steps=seconds,
        answers=list(said),
        peak_allocated=memory["peak_allocated"],
        peak_reserved=memory["peak_reserved"],
    )
