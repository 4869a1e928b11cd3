"""From a batch of numbers to what Qwen3-VL's forward takes, on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.basemodel.batches import Batch

PATCH = 16
MERGE = 2
FRAMES = 2
CHANNELS = 3


def resize(pixels: Tensor, side: int) -> Tensor:
    """Grey images (B, H, W) in 0..255, scaled to `side` x `side` with antialiasing like the image processor's."""
    if pixels.shape[-1] == side:
        return pixels
    scaled = torch.nn.functional.interpolate(
        pixels[:, None], size=(side, side), mode="bicubic", antialias=True, align_corners=False
    )
    return scaled[:, 0].clamp(0, 255)


def patches(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Grey images (B, S, S) in 0..255 as Qwen's patch rows.

    Returns:
        (B * (S / 16)^2, 1536) values in -1..1, patches of one merge window next to each other, the grey plane repeated
        over channels and frames; and the (B, 3) grid of frames, rows, columns.
    """
    images, side, _ = pixels.shape
    cells = side // PATCH
    normal = pixels / 127.5 - 1
    windows = normal.view(images, cells // MERGE, MERGE, PATCH, cells // MERGE, MERGE, PATCH)
    rows = windows.permute(0, 1, 4, 2, 5, 3, 6).reshape(images * cells * cells, 1, 1, PATCH * PATCH)
    grid = torch.tensor([[1, cells, cells]] * images, device=pixels.device)
    return rows.expand(-1, CHANNELS, FRAMES, -1).reshape(len(rows), -1), grid


def branch_mask(segments: Tensor) -> Tensor:
    """(B, 1, L, L) bool mask: a token sees earlier tokens of the prefix and of its own branch; padding sees itself."""
    length = segments.shape[1]
    query, key = segments[:, :, None], segments[:, None, :]
    order = torch.arange(length, device=segments.device)
    earlier = order[:, None] >= order[None, :]
    seen = ((key == 0) | (key == query)) & (key >= 0) & (query >= 0) & earlier
    return (seen | torch.eye(length, dtype=torch.bool, device=segments.device))[:, None]


class PositionTable:
    """Rotary positions of every prefix, computed once per image side and conversation opening."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._known: dict[tuple[int, bool], Tensor] = {}

    def positions(self, batch: Batch, prefix_length: int) -> Tensor:
        """(3, B, L) positions (frame, row, column); a branch goes on after the largest one of the prefix."""
        prefix = self._prefix(batch, prefix_length)
        rest = torch.from_numpy(batch.offsets)[:, prefix_length:] + int(prefix.max()) + 1
        rows = len(batch.images)
        return torch.cat([prefix[:, None].expand(3, rows, prefix_length), rest.expand(3, *rest.shape)], dim=2)

    def _prefix(self, batch: Batch, prefix_length: int) -> Tensor:
        key = (batch.side, batch.system)
        if key not in self._known:
            ids = torch.from_numpy(batch.input_ids[:1, :prefix_length])
            kinds = (ids == self._model.config.image_token_id).int()
            cells = batch.side // PATCH
            positions, _ = self._model.model.get_rope_index(
                ids, mm_token_type_ids=kinds, image_grid_thw=torch.tensor([[1, cells, cells]])
            )
            self._known[key] = positions[:, 0]
        return self._known[key]


def forward_inputs(batch: Batch, table: PositionTable, pixels: Tensor) -> dict[str, Tensor]:
    """Arguments of `model.model(...)` for a batch whose images (B, S, S) lie in `pixels` on the device."""
    device = pixels.device
    prefix_length = int((batch.segments[0] == 0).sum())
    values, grid = patches(pixels)
    segments = torch.from_numpy(batch.segments).to(device, non_blocking=True)
    return {
        "input_ids": torch.from_numpy(batch.input_ids).to(device, non_blocking=True),
        "position_ids": table.positions(batch, prefix_length).to(device, non_blocking=True),
        "attention_mask": branch_mask(segments),
        "pixel_values": values,
        "image_grid_thw": grid,
    }


def answer_loss(model: Any, inputs: dict[str, Tensor], labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross entropy over answer tokens; the head runs on positions that predict one, not on all."""
    hidden = model.model(**inputs, use_cache=False)[0]
    row, column = (labels[:, 1:] != -100).nonzero(as_tuple=True)
    logits = model.lm_head(hidden[row, column]).float()
    losses = torch.nn.functional.cross_entropy(logits, labels[row, column + 1], reduction="none")
    chosen = weights[row, column + 1]
    return (losses * chosen).sum() / chosen.sum()
