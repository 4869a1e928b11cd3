"""What is asked about an image, laid out as one row: root, questions, candidate answers, pads.

    [chat start, image][Q1 ...]...[Q8 ...][candidate 1 of Q7][candidate 2 of Q7]...[pads]

The questions stand before the candidates, so that the key-value cache, which answers go on from, can end behind the
last question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from engine.training.encoding import Encoder
from engine.training.packing.tree import PAD, Row, Segment, Tree, common_root, lay_out

UNTRAINED = -100
"""Label of every token here: nothing is trained."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question, put to many images."""

    prompt: str
    """The wording."""
    max_new_tokens: int
    candidates: tuple[str, ...] = ()
    """Answers whose likelihoods are wanted besides."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The row of one image, and where its candidates are predicted."""

    row: Row
    prompt_length: int
    """Tokens of root and questions; candidates stand behind."""
    sources: torch.Tensor
    """(predictions,) int64: places whose hidden states predict a token of a candidate."""
    targets: torch.Tensor
    """(predictions,) int64: those tokens, the end token among them."""
    slots: torch.Tensor
    """(predictions,) int64: the question's place among those of this image."""
    candidates: torch.Tensor
    """(predictions,) int64: number of the candidate among those of its question."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of some images, padded on the right; all tensors are int64 but `ancestors`."""

    ids: torch.Tensor
    """(images, length)."""
    segments: torch.Tensor
    """(images, length)."""
    positions: torch.Tensor
    """(3, images, length)."""
    ancestors: torch.Tensor
    """(images, segments, segments) bool."""
    ends: torch.Tensor
    """(images, slots): place of the last token of each question; 0 where an image is asked fewer questions."""
    next_positions: torch.Tensor
    """(images, slots): position of the first token of each answer."""
    prompt_length: int
    """Places from the start among which all questions end, padded."""


class RowBuilder:
    """Lays out rows. Most images of a dataset have one size and the same questions: their layout is made once."""

    def __init__(self, encoder: Encoder, asks: Sequence[Ask], merge: int) -> None:
        """Take what all rows have in common.

        Args:
            encoder: of the model's processor.
            asks: all questions; images are asked some or all of them.
            merge: patches along one side that are merged into one image token.
        """
        self.encoder, self.asks, self.merge = encoder, tuple(asks), merge
        self.layout = lru_cache(maxsize=1024)(self._lay_out)

    def _lay_out(self, rows: int, columns: int, asked: tuple[int, ...]) -> Layout:
        """The row of an image of `rows` x `columns` patches to which the asks of these numbers are put."""
        down, across = rows // self.merge, columns // self.merge
        prompts = [self.encoder.prompt(self.asks[number].prompt, down * across) for number in asked]
        root = common_root(prompts)
        segments = [Segment(tuple(prompt[root:])) for prompt in prompts]
        prompt_length = root + sum(len(segment.ids) for segment in segments)
        answers = [
            (slot, number, self.encoder.answer(text))
            for slot, ask in enumerate(asked)
            for number, text in enumerate(self.asks[ask].candidates)
        ]
        # The end token is only predicted, never read; a candidate of that token alone has no place of its own.
        read = [(slot, answer[:-1]) for slot, _, answer in answers if len(answer) > 1]
        segments += [Segment(ids, parent=slot + 1) for slot, ids in read]
        row = lay_out(
            Tree(tuple(prompts[0][:root]), down, across, tuple(segments)), self.encoder.image_token_id, UNTRAINED
        )
        return Layout(row, prompt_length, *_predictions(row, prompt_length, answers))

    def build(self, grid: Sequence[tuple[int, int]], asked: Sequence[tuple[int, ...]], multiple: int = 1) -> Rows:
        """Rows of images.

        Args:
            grid: patches along height and width of each image.
            asked: numbers of the asks that are put to each image, at least one.
            multiple: lengths are padded to a multiple of it, so that kernels see few shapes.
        """
        layouts = [self.layout(*size, each) for size, each in zip(grid, asked, strict=True)]
        length = _rounded(max(len(each.row.ids) for each in layouts), multiple)
        most = max(len(each.row.ends) for each in layouts)
        slots, count = max(map(len, asked)), len(layouts)
        rows = Rows(
            ids=torch.full((count, length), self.encoder.pad_id),
            segments=torch.full((count, length), PAD),
            positions=torch.zeros((3, count, length), dtype=torch.long),
            ancestors=torch.zeros((count, most, most), dtype=torch.bool),
            ends=torch.zeros((count, slots), dtype=torch.long),
            next_positions=torch.zeros((count, slots), dtype=torch.long),
            prompt_length=_rounded(max(each.prompt_length for each in layouts), multiple),
        )
        for number, (layout, numbers) in enumerate(zip(layouts, asked, strict=True)):
            row, own = layout.row, len(numbers)
            rows.ids[number, : len(row.ids)] = row.ids
            rows.segments[number, : len(row.ids)] = row.segments
            rows.positions[:, number, : len(row.ids)] = row.positions
            rows.ancestors[number, : len(row.ends), : len(row.ends)] = row.ancestors
            rows.ends[number, :own] = torch.tensor(row.ends[1 : own + 1])
            rows.next_positions[number, :own] = torch.tensor(row.next_positions[1 : own + 1])
        return rows


def _predictions(
    row: Row, prompt_length: int, answers: Sequence[tuple[int, int, Sequence[int]]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sources, targets, slots and candidates of a `Layout`; `answers` are (slot, candidate, tokens) in row order."""
    sources: list[int] = []
    targets: list[int] = []
    slots: list[int] = []
    candidates: list[int] = []
    place = prompt_length
    for slot, number, answer in answers:
        # The first token is predicted at the question's end, each further one at the token before it.
        sources += [row.ends[slot + 1], *range(place, place + len(answer) - 1)]
        targets += answer
        slots += [slot] * len(answer)
        candidates += [number] * len(answer)
        place += len(answer) - 1
    found = [torch.tensor(each, dtype=torch.long) for each in (sources, targets, slots, candidates)]
    return found[0], found[1], found[2], found[3]


def _rounded(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
