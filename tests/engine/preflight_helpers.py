"""Values that tests of the preflight share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.preflight.coefficients import Coefficients
from engine.preflight.memory import memory_terms
from engine.preflight.models import Layout, Measured, ModelShape, Workload
from engine.preflight.parameters import AdapterShape, adapter_parameters
from engine.preflight.planner import PlanRequest
from engine.preflight.shapes import PUBLISHED

GIB = 2**30
H100 = "NVIDIA H100 80GB HBM3"
SHAPE = PUBLISHED["8B"]
EIGHT = Workload(
    patches=1024,
    image_tokens=256,
    root_tokens=261,
    branch_tokens=42,
    answer_tokens=12,
    samples_per_image=8,
    samples=8000,
    images=1000,
)
"""Eight questions to a square image of 512 px."""
ONE = replace(EIGHT, samples_per_image=1, samples=1000)
LAYOUT = Layout("transformers", "none", packed=False, micro_batch=8, accumulation=8, checkpointing=False, compiled=True)


def lora(shape: ModelShape = SHAPE) -> int:
    return adapter_parameters(shape, AdapterShape(16))


def request(**changes: Any) -> PlanRequest:
    """Everything is open but the backend and the precision; a step of 64 samples."""
    standard = PlanRequest(
        backend="transformers",
        quantizations=("none",),
        packed=False,
        batch=8,
        accumulation=8,
        devices=1,
        written=False,
        checkpointing=None,
        compiled=True,
        lora_parameters=lora(),
        vision_adapted=True,
    )
    return replace(standard, **changes)


def measured(
    size: str, layout: Layout, truth: Coefficients, *, workload: Workload = ONE, noise: float = 0.0, **changes: Any
) -> Measured:
    """A peak as a card would show it whose factors are `truth`."""
    shape = PUBLISHED[size]
    peak = memory_terms(shape, workload, layout, lora(shape)).total(truth) * (1 + noise)
    row = Measured(
        source="bench",
        run_id=None,
        card=H100,
        model=size,
        shape=shape,
        workload=workload,
        layout=layout,
        lora_parameters=lora(shape),
        estimated_peak=0,
        allocated_peak=round(0.95 * peak),
        reserved_peak=round(peak),
        step_seconds=None,
        time=1.0,
    )
    return replace(row, **changes)
