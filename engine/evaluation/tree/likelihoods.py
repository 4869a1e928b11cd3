"""Log-likelihoods of candidate answers that stand in the same rows as their questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from engine.evaluation.tree.rows import Layout

HEAD_ROWS = 1024
"""Places that go through the output head at once: at a vocabulary of 152k their float32 logits take 0.6 GB."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Every token of every candidate: where it is predicted, and what it adds to; int64 (predictions,), on a device."""

    image: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    slot: torch.Tensor
    candidate: torch.Tensor
    shape: tuple[int, int, int]
    """Images, most questions with candidates of an image, most candidates of a question."""

    @classmethod
    def of(cls, layouts: Sequence[Layout], device: torch.device) -> Predictions | None:
        """Those of one pass; None where nothing has candidates."""
        if not any(len(each.sources) for each in layouts):
            return None
        image = torch.cat([torch.full_like(each.sources, number) for number, each in enumerate(layouts)])
        slot = torch.cat([each.slots for each in layouts])
        candidate = torch.cat([each.candidates for each in layouts])
        return cls(
            image=image.to(device),
            source=torch.cat([each.sources for each in layouts]).to(device),
            target=torch.cat([each.targets for each in layouts]).to(device),
            slot=slot.to(device),
            candidate=candidate.to(device),
            shape=(len(layouts), int(slot.max()) + 1, int(candidate.max()) + 1),
        )


def candidate_likelihoods(
    head: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor, wanted: Predictions
) -> torch.Tensor:
    """Log-likelihood (nats) of each candidate of each question, end token included, without length normalisation.

    As `engine.evaluation.label_scoring.candidate_log_likelihoods`, from the hidden states of one pass over trees.

    Args:
        head: the output head.
        hidden: (images, length, width).
        wanted: what is predicted where.

    Returns:
        float64 (images, slots, candidates), on the device; 0 where an image has fewer of them.
    """
    found = torch.zeros(wanted.shape, dtype=torch.float64, device=hidden.device)
    for start in range(0, len(wanted.source), HEAD_ROWS):
        part = slice(start, start + HEAD_ROWS)
        image = wanted.image[part]
        logits = precise(head(hidden[image, wanted.source[part]]))
        # The logarithm of the softmax at one entry; the softmax itself would be as large as the logits.
        said = logits.gather(-1, wanted.target[part, None])[:, 0] - logits.logsumexp(-1)
        found.index_put_((image, wanted.slot[part], wanted.candidate[part]), said.double(), accumulate=True)
    return found


def precise(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least: 16 bits are too coarse for sums of probabilities."""
    return logits if logits.dtype == torch.float64 else logits.float()
