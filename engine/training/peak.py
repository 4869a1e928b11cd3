"""The true peak of a run beside what was estimated for it: the next estimates for this card are fitted to it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch

from engine.preflight.cards import REFERENCE, speed_of
from engine.preflight.models import Measured
from engine.preflight.parameters import adapter_parameters
from engine.preflight.requests import adapter_shape
from engine.preflight.timing import time_terms

if TYPE_CHECKING:
    from engine.preflight.models import Layout, ModelShape, Preflight
    from engine.recipe import Recipe
    from engine.store.writer import Writer
    from engine.training.layout import Computation
    from engine.training.recipe_run import TrainingResult

FEWEST_STEPS = 3
"""Fewer steps than this tell no time: the first compiles and allocates, and one more may be an exception."""


def record_peak(writer: Writer, run_id: int, recipe: Recipe, computation: Computation, result: TrainingResult) -> None:
    """Keep the GPU memory that a run took, unless it was computed otherwise than estimated: it went on with less, or
    the proof refused to pack. Then the peak is of another layout than the one whose estimate would stand beside it.

    Args:
        writer: of the workspace.
        run_id: number of the run.
        recipe: of the run.
        computation: how it was meant to be computed, with the estimate.
        result: how it was computed.
    """
    estimate, shape = computation.estimate, computation.shape
    other = not result.trained or result.relieved or result.layout.packed != computation.layout.packed
    if estimate is None or shape is None or other:
        return
    card = torch.cuda.get_device_name()
    writer.add_memory_peak(
        Measured(
            source="run",
            run_id=run_id,
            card=card,
            model=recipe.model.id,
            shape=shape,
            workload=estimate.workload,
            layout=result.layout,
            lora_parameters=adapter_parameters(shape, adapter_shape(recipe)),
            estimated_peak=estimate.estimate.peak,
            allocated_peak=torch.cuda.max_memory_allocated(),
            reserved_peak=torch.cuda.max_memory_reserved(),
            step_seconds=largest_step(result.step_seconds, shape, estimate, result.layout, recipe.lora.vision, card),
            time=time.time(),
            vision_adapted=recipe.lora.vision,
        )
    )


def median_step(history: Iterable[Mapping[str, float]]) -> float | None:
    """Seconds of an ordinary optimizer step, from the figures of each: the first one, which compiles, is left out.

    Returns:
        None where there were too few.
    """
    seconds = [entry["step_seconds"] for entry in history if "step_seconds" in entry]
    return statistics.median(seconds[1:]) if len(seconds) >= FEWEST_STEPS else None


def largest_step(
    seconds: float | None, shape: ModelShape, estimate: Preflight, layout: Layout, vision_adapted: bool, card: str
) -> float | None:
    """Seconds of a step of the largest samples, which is what a measured peak is kept with.

    The steps of a run are of all its samples: their time is scaled as the formulas scale it from the mean sample to the
    largest one. Of several devices there is none, because no estimate knows the time of exchanging gradients.
    """
    if not seconds or layout.devices > 1:
        return None
    speed = speed_of(card) or REFERENCE
    largest, typical = (
        time_terms(shape, workload, layout, speed, vision_adapted=vision_adapted)
        for workload in (estimate.workload, estimate.typical)
    )
    return seconds * (largest.compute + largest.dispatch) / (typical.compute + typical.dispatch)
