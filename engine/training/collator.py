"""Batches for the trainer: prompt and answer ids, labels on the answer alone, and the pixels of their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from engine.training.dataset import Example
from engine.training.encoding import Encoder
from engine.training.pixels import PixelStore

if TYPE_CHECKING:
    from engine.training.augmented import Augmentation

IGNORED = -100
"""Label of a position that is not trained; PyTorch's cross entropy leaves it out."""
WEIGHTS = "weights"
"""Key of a batch: how much each row counts in a weighted loss. The trunk is called with the names that it takes, so
this one never reaches the model."""


class AnswerCollator:
    """Pads examples to the right and labels nothing but the answer and its end token."""

    def __init__(
        self,
        examples: Sequence[Example],
        encoder: Encoder,
        pixels: PixelStore,
        augmentation: Augmentation | None = None,
        *,
        weighted: bool = False,
    ) -> None:
        """Take what batches are made from.

        Args:
            examples: by the numbers that rows hold.
            encoder: of the processor.
            pixels: images by the numbers that examples hold.
            augmentation: draws the changes of training images; None leaves all images as they are.
            weighted: batches carry the weights of their samples.
        """
        self.examples = examples
        self.encoder = encoder
        self.pixels = pixels
        self.augmentation = augmentation
        self.weighted = weighted

    def __call__(self, rows: Sequence[Mapping[str, int]]) -> dict[str, torch.Tensor]:
        """Collate rows of example numbers.

        Returns:
            input_ids, attention_mask, mm_token_type_ids and labels, each (rows, length), with pixel_values
            (patches, features) and image_grid_thw (rows, 3); weights (rows,) where they were asked for.

        Raises:
            ValueError: a row would have no label, that is, it would train nothing.
        """
        chosen = [self.examples[row["example"]] for row in rows]
        drawn = [None if self.augmentation is None else self.augmentation.draw(item) for item in chosen]
        values, grid = self.pixels.batch([item.image for item in chosen], drawn)
        tokens = self.pixels.tokens(grid)
        prompts = [self.encoder.prompt(item.prompt, count) for item, count in zip(chosen, tokens, strict=True)]
        mirrored = [change is not None and change.mirrored for change in drawn]
        answers = [self.encoder.answer(item.answer_to(each)) for item, each in zip(chosen, mirrored, strict=True)]
        batch = pad_right(prompts, answers, self.encoder)
        if not (batch["labels"] != IGNORED).any(dim=1).all():
            raise ValueError("an example has no trained token: its answer is empty")
        if self.weighted:
            batch[WEIGHTS] = torch.tensor([item.weight for item in chosen])
        return {**batch, "pixel_values": values, "image_grid_thw": grid}


def pad_right(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], encoder: Encoder
) -> dict[str, torch.Tensor]:
    """Prompt and answer of each row side by side, padded at the end; labels stand on the answers."""
    length = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
    shape = (len(prompts), length)
    ids = torch.full(shape, encoder.pad_id)
    labels = torch.full(shape, IGNORED)
    mask = torch.zeros(shape, dtype=torch.long)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        start, end = len(prompt), len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        labels[row, start:end] = torch.tensor(answer)
        mask[row, :end] = 1
    types = ((ids == encoder.image_token_id) & (mask == 1)).long()
    return {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": types, "labels": labels}


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
