"""The estimate of one layout: its peak memory by what takes it, and the time of a step. Arithmetic, no torch."""

from __future__ import annotations

from engine.preflight.cards import REFERENCE, speed_of
from engine.preflight.coefficients import DEFAULTS, Coefficients
from engine.preflight.memory import memory_terms
from engine.preflight.models import Estimate, Layout, ModelShape, Workload
from engine.preflight.timing import time_terms


def estimate(
    shape: ModelShape,
    workload: Workload,
    layout: Layout,
    lora_parameters: int,
    factors: Coefficients | None = None,
    *,
    typical: Workload | None = None,
    card: str = "",
    vision_adapted: bool = True,
) -> Estimate:
    """What one device needs for a layout.

    Args:
        shape: of the model.
        workload: of the largest image and question: decides memory.
        layout: how it is computed.
        lora_parameters: of the adapter (`engine.preflight.parameters.adapter_parameters`).
        factors: of the card and backend; None takes those of a card that was never measured.
        typical: workload of the mean image and question, which decides time; None takes `workload`.
        card: name of the card; one of unknown speed gets no time before steps were timed on it.
        vision_adapted: whether the vision tower carries LoRA.
    """
    factors = factors or DEFAULTS[layout.backend]
    terms = memory_terms(shape, workload, layout, lora_parameters, vision_adapted=vision_adapted)
    speed = speed_of(card) or (REFERENCE if factors.timed else None)
    time = (
        None if speed is None else time_terms(shape, typical or workload, layout, speed, vision_adapted=vision_adapted)
    )
    seconds = None if time is None else time.total(factors)
    working = max(0.0, terms.working * factors.working - terms.logits)
    text, vision = _shared(shape, workload, layout, terms.checkpointed * factors.checkpointed, vision_adapted)
    return Estimate(
        weights=round(terms.weights),
        adapters=round(terms.adapters),
        optimizer=round(terms.optimizer),
        text_activations=round(terms.kept * factors.kept + text + working),
        vision_activations=round(terms.vision * factors.vision + vision),
        logits=round(terms.logits),
        overhead=round(terms.fixed * factors.fixed + terms.dequantized * factors.dequantized),
        step_seconds=seconds,
        samples_per_second=None
        if seconds is None
        else layout.micro_batch * layout.accumulation * layout.devices / seconds,
    )


def _shared(
    shape: ModelShape, workload: Workload, layout: Layout, checkpointed: float, vision_adapted: bool
) -> tuple[float, float]:
    """What checkpointed layers keep, parted between text and vision in proportion to what each of them keeps."""
    rows_of_image = min(layout.micro_batch, workload.samples_per_image) if layout.packed else 1
    text = (workload.root_tokens + rows_of_image * workload.branch_tokens) * shape.text_hidden * shape.text_layers
    vision = workload.patches * shape.vision_hidden * shape.vision_layers * vision_adapted
    share = vision / (text + vision)
    return checkpointed * (1 - share), checkpointed * share
