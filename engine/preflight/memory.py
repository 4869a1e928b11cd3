"""What takes GPU memory in a training step, term by term, from the dimensions of model, workload and layout.

Formulas, in bytes; w = 2, for 16 bits. h, A, K, I: widths of the hidden state, of all query heads,
of all key heads, of the feed-forward layer. H, J: the same of the vision tower (hidden state, feed-forward).

- A language layer that is not compiled keeps for each token: two norms with their 32-bit input, 8h; the inputs of the
  LoRA pairs, w(5h + A + I), of which the joined layers of `engine.training.fast` need only w(2h + A + I); the 32-bit
  copies in the norms of q and k, 4(A + K); q, k and v as attention takes them, and its output, w(2A + 2V); gate, its
  SiLU and up, 3wI. V is A where keys and values are repeated for all heads (packed rows, whose mask allows no kernel
  with shared heads; and Unsloth), and K elsewhere.
- Compiled, norms are recomputed from their inputs: w(4h + 3A + K + 2V + 3I).
- A vision block that is not compiled keeps for each patch w(9H + 2J): inputs of norms and of LoRA pairs, q, k, v and
  the output of attention, and both sides of the activation; under Unsloth, whose norms run in 32 bits, 8H + w(7H + 2J);
  compiled w(8H + 2J).
- With checkpointing, a layer keeps its input, wh for each token (wH for each patch), and one layer at a time needs the
  above while it is recomputed.
- Logits stand on answer tokens alone: in 16 and in 32 bits, the log-probability, the gradient in both: 16 bytes an
  entry of the vocabulary. They are gone before the last layer's backward pass begins, so the larger of both counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.preflight.coefficients import Coefficients
from engine.preflight.models import Layout, ModelShape, Workload
from engine.preflight.parameters import all_parameters, key_width, language_linears, query_width
from engine.training.backends import FOUR_BIT

WIDTH = 2
"""Bytes of a 16-bit number."""
FOUR_BIT_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Bits of an nf4 weight: itself, an 8-bit scale for 64 of them, a 32-bit scale for 256 of those scales."""
ADAPTER_BYTES = 4 + 4
"""A LoRA parameter and its gradient, both in 32 bits."""
OPTIMIZER_BYTES = 4 + 4
"""The two moments of AdamW."""
LOGIT_BYTES = 2 + 4 + 4 + 4 + 2
"""A logit in 16 bits and in 32, its log-probability, and its gradient in 32 bits and in 16."""
LENGTH_MULTIPLE = 32
"""Rows are padded to a multiple of so many tokens on a GPU: kernels want aligned masks, and see few shapes."""
FIXED_BYTES = 400 * 10**6
"""Workspaces of the libraries and fragments of the allocator, in a model of whatever size."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one forward pass of one device sees."""

    rows: int
    """Sequences, each with its image, which passes the vision tower once: packed one an image, else one a sample."""
    length: int
    """Tokens of the longest row."""
    tokens: int
    patches: int
    answer_tokens: int


def micro_batch(workload: Workload, layout: Layout) -> MicroBatch:
    """The largest forward pass of a layout."""
    samples = layout.micro_batch
    together = min(samples, workload.samples_per_image) if layout.packed else 1
    # Rows are padded to the longest, so a last image with fewer questions takes as many tokens.
    rows = math.ceil(samples / together)
    length = workload.root_tokens + together * workload.branch_tokens
    length = math.ceil(length / LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    return MicroBatch(
        rows=rows,
        length=length,
        tokens=rows * length,
        patches=rows * workload.patches,
        answer_tokens=samples * workload.answer_tokens,
    )


@dataclass(frozen=True, slots=True)
class MemoryTerms:
    """Bytes of each term before its factor."""

    weights: float
    adapters: float
    optimizer: float
    logits: float
    kept: float
    checkpointed: float
    working: float
    vision: float
    dequantized: float
    fixed: float = FIXED_BYTES

    def total(self, factors: Coefficients) -> float:
        """The peak in bytes."""
        held: float = sum(getattr(self, name) * getattr(factors, name) for name in HELD)
        return self.base + held + max(self.logits, self.working * factors.working)

    @property
    def base(self) -> float:
        """What is there whatever the batch, and known exactly."""
        return self.weights + self.adapters + self.optimizer


HELD = ("kept", "checkpointed", "vision", "fixed", "dequantized")
"""Terms with a factor that are held at the peak, by the names that both dataclasses give them."""


def memory_terms(
    shape: ModelShape,
    workload: Workload,
    layout: Layout,
    lora_parameters: int,
    *,
    vision_adapted: bool = True,
) -> MemoryTerms:
    """The terms of a layout on one device.

    Args:
        shape: of the model.
        workload: of the largest image and question.
        layout: how it is computed.
        lora_parameters: of the adapter.
        vision_adapted: whether the vision tower carries LoRA. Where it does not, nothing below it is trained, and it
            keeps nothing.
    """
    batch = micro_batch(workload, layout)
    text_layer = batch.tokens * text_bytes(shape, layout)
    vision_layer = batch.patches * vision_bytes(shape, layout)
    kept = checkpointed = vision = 0.0
    if layout.checkpointing:
        checkpointed = WIDTH * batch.tokens * shape.text_hidden * shape.text_layers
        if vision_adapted:
            checkpointed += WIDTH * batch.patches * shape.vision_hidden * shape.vision_layers
    else:
        kept = text_layer * shape.text_layers
        vision = vision_layer * shape.vision_layers * vision_adapted
    return MemoryTerms(
        weights=weight_bytes(shape, layout.quantization),
        adapters=lora_parameters * ADAPTER_BYTES,
        optimizer=lora_parameters * OPTIMIZER_BYTES,
        logits=batch.answer_tokens * shape.vocabulary * LOGIT_BYTES,
        kept=kept,
        checkpointed=checkpointed,
        # Layers of the tower work while those of the text are at rest, so the larger of both counts.
        working=max(text_layer, vision_layer),
        vision=vision,
        dequantized=_largest_linear(shape) * WIDTH if layout.quantization == FOUR_BIT else 0.0,
    )


def weight_bytes(shape: ModelShape, quantization: str) -> float:
    """Bytes of the frozen base. Embeddings, output head, norms and vision tower are never packed."""
    packed = language_linears(shape) if quantization == FOUR_BIT else 0
    return (all_parameters(shape) - packed) * WIDTH + packed * FOUR_BIT_BITS / 8


def text_bytes(shape: ModelShape, layout: Layout) -> int:
    """Bytes that one language layer keeps for one token without checkpointing."""
    hidden, query, key, inner = shape.text_hidden, query_width(shape), key_width(shape), shape.text_intermediate
    joined = layout.backend == "transformers"
    seen = key if joined and not layout.packed else query
    if layout.compiled:
        return WIDTH * (4 * hidden + 3 * query + key + 2 * seen + 3 * inner)
    norms = 8 * hidden + 4 * (query + key)
    inputs = WIDTH * ((2 if joined else 5) * hidden + query + inner)
    return norms + inputs + WIDTH * (2 * query + 2 * seen + 3 * inner)


def vision_bytes(shape: ModelShape, layout: Layout) -> int:
    """Bytes that one vision block keeps for one patch without checkpointing."""
    hidden, inner = shape.vision_hidden, shape.vision_intermediate
    if layout.compiled:
        return WIDTH * (8 * hidden + 2 * inner)
    if layout.backend == "transformers":
        return WIDTH * (9 * hidden + 2 * inner)
    return 8 * hidden + WIDTH * (7 * hidden + 2 * inner)


def _largest_linear(shape: ModelShape) -> int:
    return shape.text_hidden * max(shape.text_intermediate, query_width(shape))
