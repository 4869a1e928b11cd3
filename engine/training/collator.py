"""Batches for the trainer: rows of token ids, labels on the answers alone, and the pixels of their images.

A row is one question to an image, or, packed, all questions of a forward pass to one image (`packing/tree.py`).
Positions are worked out here, in the data loader's processes, and not on the GPU, which would have to be waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch

from engine.training.dataset import Example
from engine.training.encoding import Encoder
from engine.training.packing.tree import PAD, Row, Segment, Tree, common_root, lay_out
from engine.training.pixels import PixelStore

if TYPE_CHECKING:
    from engine.training.augmented import Augmentation

IGNORED = -100
"""Label of a position that is not trained; PyTorch's cross entropy leaves it out."""
WEIGHTS = "weights"
"""Key of a batch: how much each place counts in a weighted loss. The trunk is called with the names that it takes, so
this one never reaches the model, nor do the following."""
SEGMENTS = "segments"
"""Key of a packed batch: which segment of its row each place belongs to; the attention mask is made from it."""
SAMPLES, TOKENS = "samples", "tokens"
"""Keys of plain numbers: samples, and tokens without pads, of the batch."""


class AnswerCollator:
    """Pads rows to the right and labels nothing but the answers and their end tokens."""

    def __init__(
        self,
        examples: Sequence[Example],
        encoder: Encoder,
        pixels: PixelStore,
        augmentation: Augmentation | None = None,
        *,
        weighted: bool = False,
        packed: bool = False,
        multiple: int = 1,
    ) -> None:
        """Take what batches are made from.

        Args:
            examples: by the numbers that rows hold.
            encoder: of the processor.
            pixels: images by the numbers that examples hold.
            augmentation: draws the changes of training images; None leaves all images as they are.
            weighted: batches carry the weights of their samples.
            packed: neighbours that ask about one sample share a row.
            multiple: rows are padded to a multiple of so many tokens, so that a GPU sees few shapes.
        """
        self.examples = examples
        self.encoder = encoder
        self.pixels = pixels
        self.augmentation = augmentation
        self.weighted = weighted
        self.packed = packed
        self.multiple = multiple

    def __call__(self, rows: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """Collate rows of example numbers.

        Returns:
            input_ids, mm_token_type_ids and labels, each (rows, length), position_ids (3, rows, length), pixel_values
            (patches, features) and image_grid_thw (rows, 3); segments (rows, length) where questions are packed,
            weights (rows, length) where they were asked for; samples and tokens as plain numbers.

        Raises:
            ValueError: an example would have no label, that is, it would train nothing.
        """
        chosen = [self.examples[row["example"]] for row in rows]
        groups = self._groups(chosen)
        drawn = [None if self.augmentation is None else self.augmentation.draw(group[0]) for group in groups]
        values, grid = self.pixels.batch([group[0].image for group in groups], drawn)
        sides = (grid[:, 1:] // self.pixels.geometry.merge).tolist()
        laid = [
            self._row(group, change is not None and change.mirrored, *side)
            for group, change, side in zip(groups, drawn, sides, strict=True)
        ]
        batch = self._padded(laid)
        if self.weighted:
            batch[WEIGHTS] = self._weights(groups, laid, batch["labels"].shape)
        return {
            **batch,
            "pixel_values": values,
            "image_grid_thw": grid,
            SAMPLES: len(chosen),
            TOKENS: sum(len(row.ids) for row in laid),
        }

    def _groups(self, chosen: Sequence[Example]) -> list[list[Example]]:
        """The examples of each row."""
        if not self.packed:
            return [[item] for item in chosen]
        return [list(group) for _, group in groupby(chosen, key=lambda item: item.sample)]

    def _row(self, group: Sequence[Example], mirrored: bool, height: int, width: int) -> Row:
        prompts = [self.encoder.prompt(item.prompt, height * width) for item in group]
        answers = [self.encoder.answer(item.answer_to(mirrored)) for item in group]
        if any(len(answer) < 2 for answer in answers):
            raise ValueError("an example has no trained token but the end: its answer is empty")
        root = common_root(prompts)
        segments = tuple(
            Segment((*prompt[root:], *answer), trained=len(answer))
            for prompt, answer in zip(prompts, answers, strict=True)
        )
        return lay_out(Tree(prompts[0][:root], height, width, segments), self.encoder.image_token_id, IGNORED)

    def _padded(self, rows: Sequence[Row]) -> dict[str, Any]:
        longest = max(len(row.ids) for row in rows)
        shape = (len(rows), -(-longest // self.multiple) * self.multiple)
        ids, labels, segments = (torch.full(shape, value) for value in (self.encoder.pad_id, IGNORED, PAD))
        positions = torch.zeros((3, *shape), dtype=torch.long)
        for number, row in enumerate(rows):
            end = len(row.ids)
            ids[number, :end], labels[number, :end], segments[number, :end] = row.ids, row.labels, row.segments
            positions[:, number, :end] = row.positions
        types = ((ids == self.encoder.image_token_id) & (segments != PAD)).long()
        batch = {"input_ids": ids, "mm_token_type_ids": types, "labels": labels, "position_ids": positions}
        # A row of one question is causal as it is, and pads come after all that is real: no mask, faster attention.
        return {**batch, SEGMENTS: segments} if self.packed else batch

    def _weights(self, groups: Sequence[Sequence[Example]], rows: Sequence[Row], shape: torch.Size) -> torch.Tensor:
        weights = torch.ones(shape)
        for number, (group, row) in enumerate(zip(groups, rows, strict=True)):
            by_segment = torch.tensor([1.0, *(item.weight for item in group)])
            weights[number, : len(row.ids)] = by_segment[row.segments]
        return weights


def pad_left(prompts: Sequence[Sequence[int]], encoder: Encoder) -> dict[str, torch.Tensor]:
    """Prompts padded at the front, as generation needs them."""
    length = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), length), encoder.pad_id)
    mask = torch.zeros((len(prompts), length), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = torch.tensor(prompt)
        mask[row, length - len(prompt) :] = 1
    types = ((ids == encoder.image_token_id) & (mask == 1)).long()
    return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": types}
