"""Positions of Qwen3-VL's M-RoPE for a prompt with one image, without the model.

As `Qwen3VLModel.get_rope_index` counts them (a test compares): text counts on all three axes at once; the image's
tokens share one time, count rows on the second axis and columns on the third; text goes on after the longer side.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def image_positions(ids: Sequence[int], rows: int, columns: int, image_token_id: int) -> tuple[torch.Tensor, int]:
    """Positions (3, tokens) of a sequence with one image, and the position of the token after it.

    Args:
        ids: token ids; the image's tokens stand together.
        rows: merged image tokens along the height.
        columns: merged image tokens along the width.
        image_token_id: marks the image's tokens.

    Raises:
        ValueError: the sequence does not hold exactly rows x columns image tokens in one piece.
    """
    places = [place for place, token in enumerate(ids) if token == image_token_id]
    if len(places) != rows * columns or (places and places[-1] - places[0] + 1 != len(places)):
        raise ValueError(f"{len(places)} image tokens do not make one image of {rows} x {columns}")
    if not places:
        return torch.arange(len(ids)).expand(3, -1), len(ids)
    start, after = places[0], places[-1] + 1
    row, column = torch.arange(rows), torch.arange(columns)
    image = torch.stack(
        [
            torch.zeros(rows * columns, dtype=torch.long),
            row.repeat_interleave(columns),
            column.repeat(rows),
        ]
    )
    going_on = start + max(rows, columns)
    following = going_on + len(ids) - after
    text_before, text_after = torch.arange(start), torch.arange(going_on, following)
    return torch.cat([text_before.expand(3, -1), image + start, text_after.expand(3, -1)], dim=1), following
