"""Seconds of a training step on a card: arithmetic at the speed that a layout reaches, and the cost of each pass.

A pass multiplies every token with every weight once: 2 operations each. The base has no gradients of its own, so the
backward pass is one more pass, and checkpointing a third. Starting kernels costs time a layer, whatever the batch;
4-bit weights are unpacked once a pass. Both are added, where one would expect the larger of them to count: small
batches use the arithmetic units worse as well, and the sum is nearer to what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.preflight.cards import Speed
from engine.preflight.coefficients import Coefficients
from engine.preflight.memory import micro_batch
from engine.preflight.models import Layout, ModelShape, Workload
from engine.preflight.parameters import language_linears, mergers, query_width, vision_linears
from engine.training.backends import FOUR_BIT

EFFICIENCY = {
    ("transformers", True): 0.45,
    ("transformers", False): 0.37,
    ("unsloth", True): 0.36,
    ("unsloth", False): 0.36,
}
"""Share of the promised operations that (backend, compiled) reaches in large batches."""
LAYER_SECONDS = {
    ("transformers", True): 1.4e-3,
    ("transformers", False): 2.4e-3,
    ("unsloth", True): 1.1e-3,
    ("unsloth", False): 1.1e-3,
}
"""Seconds a pass and layer that do not depend on the batch, forward and backward counted as two passes."""
UNPACK_TRAFFIC = 0.5 + 2 + 2
"""Bytes that go through GPU memory for each 4-bit weight of a pass: read packed, written in 16 bits, read again."""
UNPACK_EFFICIENCY = 0.4
"""Share of the bandwidth that unpacking reaches."""


@dataclass(frozen=True, slots=True)
class TimeTerms:
    """Seconds of one optimizer step before the factors."""

    compute: float
    dispatch: float

    def total(self, factors: Coefficients) -> float:
        """Seconds of the step."""
        return self.compute * factors.compute + self.dispatch * factors.dispatch


def time_terms(
    shape: ModelShape, typical: Workload, layout: Layout, speed: Speed, *, vision_adapted: bool = True
) -> TimeTerms:
    """The terms of a step on one device.

    Args:
        shape: of the model.
        typical: workload of the mean image and question.
        layout: how it is computed.
        speed: of the card.
        vision_adapted: where the tower carries no LoRA, it is passed forward alone.
    """
    path = (layout.backend, layout.compiled)
    passes = 3 if layout.checkpointing else 2
    operations = step_operations(shape, typical, layout, vision_adapted=vision_adapted)
    layers = shape.text_layers * passes + shape.vision_layers * (passes if vision_adapted else 1)
    dispatch = layers * LAYER_SECONDS[path]
    if layout.quantization == FOUR_BIT:
        dispatch += passes * language_linears(shape) * UNPACK_TRAFFIC / (speed.bandwidth * UNPACK_EFFICIENCY)
    return TimeTerms(operations / (speed.flops * EFFICIENCY[path]), layout.accumulation * dispatch)


def step_operations(shape: ModelShape, typical: Workload, layout: Layout, *, vision_adapted: bool = True) -> float:
    """Floating-point operations of one optimizer step on one device, recomputation counted."""
    batch = micro_batch(typical, layout)
    passes = 3 if layout.checkpointing else 2
    text = 2 * language_linears(shape) * batch.tokens
    # Scores and weighted values: two products of length x length for each row, layer and pass.
    text += 4 * batch.length * batch.tokens * query_width(shape) * shape.text_layers
    vision = 2 * vision_linears(shape) * batch.patches
    vision += 4 * typical.patches * batch.patches * shape.vision_hidden * shape.vision_layers
    merging = 2 * mergers(shape) * batch.patches / shape.merge**2
    head = 2 * 2 * shape.vocabulary * shape.text_hidden * batch.answer_tokens
    pictures = (vision + merging) * (passes if vision_adapted else 1)
    return layout.accumulation * (text * passes + pictures + head)
