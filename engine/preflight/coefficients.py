"""How far the formulas of the estimate are from what cards measure: one factor a term, 1 where nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass

NEAR = 2.0
"""Peaks that differ by less than this factor tell of each other: a demo of 1 GB says little of a run of 30."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Factors on the terms of `engine.preflight.memory` and `engine.preflight.timing`, for one card and backend.

    The bytes that are known exactly (weights, adapter, optimizer, logits) have none.
    """

    kept: float
    """On the activations that the language layers keep for the backward pass, without checkpointing."""
    checkpointed: float
    """On the one hidden state that each checkpointed layer keeps for each token."""
    working: float
    """On what a single layer needs while it is recomputed, or while its gradients are computed."""
    vision: float
    """On the activations that the vision tower keeps, without checkpointing."""
    fixed: float
    """On `memory.FIXED_BYTES`: buffers that are always there."""
    dequantized: float
    """On the largest weight that 4-bit layers unpack to 16 bits."""
    compute: float = 1.0
    """On the seconds of arithmetic."""
    dispatch: float = 1.0
    """On the seconds of starting kernels and unpacking weights."""
    peaks: tuple[int, ...] = ()
    """Reserved peaks, in bytes, that were measured on this very card; empty where it was never measured."""
    timed: int = 0
    """How many measured steps of this very card they were fitted to."""

    @property
    def measured(self) -> int:
        """How many peaks of this very card they were fitted to."""
        return len(self.peaks)

    def near(self, peak: float) -> bool:
        """Whether something that took about as much was measured on this card: between half and twice `peak`."""
        return any(peak / NEAR <= each <= peak * NEAR for each in self.peaks)


TRANSFORMERS_DEFAULTS = Coefficients(kept=1.05, checkpointed=1.05, working=1.5, vision=1.05, fixed=1.0, dequantized=2.0)
"""The formulas with a twentieth for fragments of the allocator. In its backward pass a layer holds gradients beside
what it kept: about half as many bytes again."""
UNSLOTH_DEFAULTS = Coefficients(kept=1.0, checkpointed=0.08, working=1.5, vision=1.0, fixed=1.0, dequantized=2.0)
"""Unsloth's checkpointing moves the hidden states to the memory of the host: two or three of them are on the card."""

DEFAULTS = {"transformers": TRANSFORMERS_DEFAULTS, "unsloth": UNSLOTH_DEFAULTS}
"""By backend."""
