"""The loss on answer positions alone: cross entropy, with class weights, focal, or both.

TRL 1.15 computes the loss in a head that runs only under Triton, and a head over every position costs 11.6 GiB of
logits at 16 x 320 tokens of a 152k vocabulary. Here the trunk runs once and the output head sees the answer positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from engine.training.class_weights import WEIGHTED_LOSSES
from engine.training.collator import IGNORED, SEGMENTS, WEIGHTS
from engine.training.packing.masks import tree_mask

if TYPE_CHECKING:
    from engine.recipe import Recipe

TRUNK_INPUTS = (
    "input_ids",
    "attention_mask",
    "position_ids",
    "mm_token_type_ids",
    "pixel_values",
    "image_grid_thw",
)
FOCAL_LOSSES = ("focal", "weighted_focal")
"""Values of `training.loss` that leave out what is sure."""
_SURE = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised."""

    gamma: float = 0.0
    """Focusing exponent of the focal loss; 0 is cross entropy."""
    weighted: bool = False
    """Samples count by the class weights that their batch carries."""

    @classmethod
    def of(cls, recipe: Recipe) -> Objective:
        """The objective that a recipe names."""
        training = recipe.training
        return cls(
            gamma=training.focal_gamma if training.loss in FOCAL_LOSSES else 0.0,
            weighted=training.loss in WEIGHTED_LOSSES,
        )

    @property
    def words(self) -> str:
        """For the run's history."""
        return f"focal loss, gamma {self.gamma:g}" if self.gamma else "cross entropy"


CROSS_ENTROPY = Objective()


def unwrapped(model: Any) -> Any:
    """The Qwen3-VL model inside a PEFT model (its LoRA layers stay in place), or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def answer_logits(model: Any, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (answer tokens, vocabulary) and their targets (answer tokens,) of a collated batch."""
    logits, targets, _ = _answers(model, batch)
    return logits, targets


def answer_loss(
    model: Any,
    batch: Mapping[str, torch.Tensor],
    trained_tokens: torch.Tensor | int | None = None,
    objective: Objective = CROSS_ENTROPY,
) -> torch.Tensor:
    """Mean loss (nats) of an answer token.

    With class weights the sum is still divided by the tokens and not by their weights. The weights of an epoch have
    the mean 1, so the gradient of a window is right on average: that of the loss in which both classes count the same.
    Divided by the weights of its own window, a window of normal samples alone would pull as hard as a mixed one, and
    the weights would do nothing there.

    Args:
        model: Qwen3-VL, with or without PEFT.
        batch: what the collator made; with `weights` (rows, length) where the objective is weighted.
        trained_tokens: answer tokens of the whole accumulation window, so that micro-batches add up to the mean over
            the window; None takes those of this batch.
        objective: what is minimised.
    """
    logits, targets, (row, column) = _answers(model, batch)
    losses = token_losses(logits, targets, objective.gamma)
    if objective.weighted:
        losses = losses * batch[WEIGHTS][row, column]
    return losses.sum() / (targets.numel() if trained_tokens is None else trained_tokens)


def token_losses(logits: torch.Tensor, targets: torch.Tensor, gamma: float = 0.0) -> torch.Tensor:
    """Focal loss of each token in nats: (1 - p)^gamma * -log p, p being the probability of the target.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, there for two classes; here a class is a token of the
    vocabulary. It is computed in float32 at least, and as -expm1(log p), because 1 - p loses every digit as p comes
    close to 1.

    Args:
        logits: (tokens, vocabulary), of any floating type.
        targets: (tokens,).
        gamma: 0 gives cross entropy, to the bit.

    Returns:
        float32 (tokens,).
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    surprise = torch.nn.functional.cross_entropy(precise, targets, reduction="none")
    if gamma == 0:
        return surprise
    # At p = 1 the slope of a power below 1 is infinite, and infinity times 0 is no number; the clamp has slope 0 there.
    return (-torch.expm1(-surprise)).clamp(min=_SURE) ** gamma * surprise


def trunk_inputs(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What the trunk takes of a collated batch; packed rows get their mask, without which they would be wrong."""
    inputs = {name: batch[name] for name in TRUNK_INPUTS if name in batch}
    if SEGMENTS in batch:
        inputs["attention_mask"] = tree_mask(batch[SEGMENTS])
    return inputs


def _answers(
    model: Any, batch: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Logits and targets of the answer tokens, and the places (row, column) at which these stand."""
    base = unwrapped(model)
    hidden = base.model(**trunk_inputs(batch), use_cache=False)[0]
    labels = batch["labels"]
    # The token at position t+1 is predicted from the hidden state at position t.
    row, column = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
    return base.lm_head(hidden[row, column]), labels[row, column + 1], (row, column + 1)
