"""Cut a collated batch into smaller ones that together train the very same thing.

The loss is a sum over answer tokens, divided by those of the whole optimizer step, so gradients of the parts add up to
those of the whole, however it is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.training.collator import SEGMENTS, WEIGHTS

BY_PLACE = ("input_ids", "mm_token_type_ids", "labels", SEGMENTS, WEIGHTS)
"""Keys whose tensors are (rows, length)."""


def halves(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two batches that make up `batch`; only itself where it is a single sample.

    Rows are shared out; a batch of one packed row is cut between its questions, each part with the image.

    Args:
        batch: what the collator made; counts for the meter are dropped, because the batch was counted.
    """
    rows = len(batch["labels"])
    if rows > 1:
        return [_rows(batch, 0, rows // 2), _rows(batch, rows // 2, rows)]
    questions = int(batch[SEGMENTS].max()) if SEGMENTS in batch else 1
    if questions > 1:
        return [_questions(batch, 1, questions // 2), _questions(batch, questions // 2 + 1, questions)]
    return [dict(batch)]


def _rows(batch: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    part = {key: batch[key][start:stop] for key in BY_PLACE if key in batch}
    grid = batch["image_grid_thw"]
    patches = [0, *grid.prod(1).cumsum(0).tolist()]
    return {
        **part,
        "position_ids": batch["position_ids"][:, start:stop],
        "pixel_values": batch["pixel_values"][patches[start] : patches[stop]],
        "image_grid_thw": grid[start:stop],
    }


def _questions(batch: Mapping[str, Any], first: int, last: int) -> dict[str, Any]:
    """The questions `first` to `last` of a single packed row."""
    segments = batch[SEGMENTS][0]
    kept = (segments == 0) | ((segments >= first) & (segments <= last))
    part = {key: batch[key][:, kept] for key in BY_PLACE if key in batch}
    part[SEGMENTS] = torch.where(part[SEGMENTS] > 0, part[SEGMENTS] - first + 1, part[SEGMENTS])
    return {
        **part,
        "position_ids": batch["position_ids"][:, :, kept],
        "pixel_values": batch["pixel_values"],
        "image_grid_thw": batch["image_grid_thw"],
    }


def parts(batch: Mapping[str, Any], cuts: int) -> Sequence[dict[str, Any]]:
    """`batch` cut in half `cuts` times over: up to 2^cuts batches."""
    pieces = [dict(batch)]
    for _ in range(cuts):
        pieces = [half for piece in pieces for half in halves(piece)]
    return pieces
