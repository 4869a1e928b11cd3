"""The sums that a validation loss is made of, in passes as small as the memory demands: it must not end a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from engine.training.collator import IGNORED
from engine.training.splitting import parts

LossOf = Callable[[Mapping[str, Any]], float]
"""Mean loss (nats) over the answer tokens of a batch."""


def validation_sums(batches: Iterable[Mapping[str, Any]], loss_of: LossOf, cuts: int) -> list[float]:
    """Loss and number of all answer tokens; a 1 at the end, and zeros, where not even one sample fits into memory.

    Args:
        batches: of the validation split.
        loss_of: runs the model.
        cuts: how often batches are cut in half to begin with.
    """
    total = tokens = 0.0
    try:
        for batch in batches:
            for count, loss in _batch(batch, loss_of, cuts):
                total += loss * count
                tokens += count
    except torch.OutOfMemoryError:
        return [0.0, 0.0, 1.0]
    return [total, tokens, 0.0]


def _batch(batch: Mapping[str, Any], loss_of: LossOf, cuts: int) -> list[tuple[int, float]]:
    """(answer tokens, loss) of the pieces of a batch, which is cut smaller until they fit."""
    while True:
        pieces = parts(batch, cuts)
        counted = [(int((piece["labels"] != IGNORED).sum()), piece) for piece in pieces]
        try:
            return [(count, loss_of(piece)) for count, piece in counted if count]
        except torch.OutOfMemoryError:
            if len(parts(batch, cuts + 1)) == len(pieces):
                raise
        # Outside of `except`, whose traceback would keep the activations alive.
        cuts += 1
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
