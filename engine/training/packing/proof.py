"""A packed row against separate ones, on the very model that will be trained: a mask that is lost is silent.

Some backends rewrite a model's attention, and one that passes over a mask of four dimensions would train on answers
that see each other, with a loss that looks fine. So before packing is used,

- the first branch of a packed row is replaced, in the very state in which the model trains, compiled code included: the
  other branches must not notice;
- one image is asked packed and separately, which also shows positions that went lost, and without the mask, to see how
  large a difference would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from engine.training.collator import IGNORED, SEGMENTS
from engine.training.loss import answer_logits

LEAK = 1e-4
"""Mean difference (nats a token) that a replaced sibling may make. The same kernels see the same numbers, so there is
none; without the mask it was 0.4 to 0.7 at 2B and 8B with random weights."""
MOST_OF_LOST = 0.5
"""Share of the difference without a mask that may be left with it. A lost mask leaves all of it, rounding a tenth."""
ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.01}
"""Differences (nats a token) that rounding explains; 0.033 was measured at 8B in bf16 with random weights."""


@dataclass(frozen=True, slots=True)
class PackingError:
    """Mean absolute differences (nats) of the log-probability of an answer token from that of separate rows."""

    leaked: float
    """Between a packed row and the same one whose first branch was replaced, over the other branches."""
    masked: float
    """As packed rows are computed."""
    unmasked: float
    """As they would be if the mask were lost."""
    rounding: float
    """What the model's precision explains."""

    @property
    def heeded(self) -> bool:
        """Whether the model heeds the mask."""
        near = self.masked <= max(self.rounding, MOST_OF_LOST * self.unmasked)
        return near and self.leaked <= LEAK

    @property
    def words(self) -> str:
        """For the run's history."""
        return (
            f"packed answers differ from separate ones by {self.masked:.1e} nats a token, "
            f"without the mask by {self.unmasked:.1e}; replacing one question changes the others by {self.leaked:.1e}"
        )


def packing_error(model: Any, packed: Mapping[str, Any], separate: Mapping[str, Any]) -> PackingError:
    """Compare two collated batches of the same questions in the same order, packed and one a row.

    Args:
        model: as it will train; left in that state.
        packed: several questions about some images, packed.
        separate: the same, one question a row.
    """
    unmasked = {name: value for name, value in packed.items() if name != SEGMENTS}
    training = model.training
    model.train()
    leaked = _leak(model, packed)
    model.eval()
    try:
        with torch.no_grad():
            meant, masked, lost = (_log_probabilities(model, batch) for batch in (separate, packed, unmasked))
    finally:
        model.train(training)
    rounding = ROUNDING.get(next(model.parameters()).dtype, ROUNDING[torch.bfloat16])
    return PackingError(leaked, float((masked - meant).abs().mean()), float((lost - meant).abs().mean()), rounding)


def _leak(model: Any, packed: Mapping[str, Any]) -> float:
    """How much the answers of all branches but the first change when the first is replaced."""
    first = packed[SEGMENTS] == 1
    ids = packed["input_ids"]
    replaced = {**packed, "input_ids": torch.where(first, ids[:, :1], ids)}  # any other token does: the row's first one
    labels = packed["labels"]
    of_first = first[:, 1:][labels[:, 1:] != IGNORED]
    # With gradients, although none is taken: compiled code without them would be other code.
    before, after = (_log_probabilities(model, batch).detach() for batch in (packed, replaced))
    return float((before - after).abs()[~of_first].mean())


def _log_probabilities(model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
    logits, targets = answer_logits(model, batch)
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return -torch.nn.functional.cross_entropy(precise, targets, reduction="none")
