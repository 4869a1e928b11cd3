"""Which token of a packed row may look at which."""

from __future__ import annotations

import torch

from engine.training.packing.tree import PAD


def tree_mask(segments: torch.Tensor, ancestors: torch.Tensor | None = None) -> torch.Tensor:
    """Attention mask of packed rows: a token sees earlier tokens of its own segment and of those that it continues.

    Pads see themselves alone: a row of the mask without any True would turn to NaN.

    Args:
        segments: (rows, length), number of the segment of each token; `PAD` for pads.
        ancestors: (rows, segments, segments) bool as `Row.ancestors`; None for trees of depth one, in which every
            segment continues the root.

    Returns:
        bool (rows, 1, length, length): [query, key].
    """
    length = segments.shape[1]
    query, key = segments[:, :, None], segments[:, None, :]
    if ancestors is None:
        related = (key == 0) | (key == query)
    else:
        known = segments.clamp(min=0)
        by_query = ancestors.gather(1, known[:, :, None].expand(-1, -1, ancestors.shape[2]))
        related = by_query.gather(2, known[:, None, :].expand(-1, length, -1))
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=segments.device)
    return ((related & causal & (query != PAD) & (key != PAD)) | itself)[:, None]
