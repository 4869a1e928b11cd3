"""Training batches: one sequence an image, all its exchanges as branches behind the shared image prefix.

Every branch sees the prefix and itself, and its positions restart after the prefix, so a packed row equals separate
single-turn conversations. Loss on answers only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.basemodel.curriculum import Exchange, draw_exchanges, report_exchange
from engine.data.phantoms.labels import PhantomLabels
from engine.questions.prompts import SYSTEM_PROMPT

IGNORED = -100
"""Label of a token without loss."""

SIZE_SHARES = {128: 0.12, 160: 0.36, 192: 0.22, 224: 0.12, 256: 0.18}
"""How often each image side is trained, in pixels."""

SYSTEM_SHARE = 0.2
REPORT_SHARE = 0.2
BRANCH_TOKENS = 320
"""Tokens of branches behind one image; drawing stops when the next one does not fit."""


class Vocabulary:
    """Token ids of texts, each encoded once."""

    def __init__(self, processor: Any) -> None:
        self._tokenizer = processor.tokenizer
        self._known: dict[str, list[int]] = {}
        self.image: int = self._tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.pad: int = self._tokenizer.pad_token_id

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without added special tokens."""
        if text not in self._known:
            self._known[text] = self._tokenizer(text, add_special_tokens=False).input_ids
        return self._known[text]

    @cached_property
    def answer_start(self) -> list[int]:
        """What stands between a question and its answer."""
        return self.encode("<|im_end|>\n<|im_start|>assistant\n")

    @cached_property
    def answer_end(self) -> list[int]:
        """What ends an answer."""
        return self.encode("<|im_end|>")

    def prefix(self, side: int, system: bool) -> list[int]:
        """The conversation up to and including the image, `side` pixels square (one token per 32 x 32 pixels)."""
        opening = f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n" if system else ""
        start = self.encode(opening + "<|im_start|>user\n<|vision_start|>")
        return [*start, *[self.image] * (side // 32) ** 2, *self.encode("<|vision_end|>")]


@dataclass(slots=True)
class Batch:
    """Arrays of one step; row = image."""

    source: int
    """Side in pixels at which the images were drawn: names the image table."""
    side: int
    """Side in pixels to which they are scaled."""
    system: bool
    images: NDArray[np.int64]
    """(B,) rows of the image table."""
    input_ids: NDArray[np.int64]
    """(B, L)"""
    labels: NDArray[np.int64]
    """(B, L), `IGNORED` outside answers."""
    segments: NDArray[np.int64]
    """(B, L): 0 for the prefix, 1.. for branches, -1 for padding."""
    offsets: NDArray[np.int64]
    """(B, L): distance from the start of the branch; meaningless in the prefix."""
    weights: NDArray[np.float32]
    """(B, L): share of each token in the loss."""


def draw_batches(
    vocabulary: Vocabulary, labels: Mapping[int, Sequence[PhantomLabels]], batch_size: int, seed: int
) -> Iterator[Batch]:
    """Batches without end, reproducible by `seed`; `labels` by the side at which the images were drawn."""
    dice = random.Random(seed)
    sides, shares = list(SIZE_SHARES), list(SIZE_SHARES.values())
    while True:
        side = dice.choices(sides, shares)[0]
        system = dice.random() < SYSTEM_SHARE
        source = dice.choice([drawn for drawn in labels if drawn >= side])
        rows = [dice.randrange(len(labels[source])) for _ in range(batch_size)]
        branches = [draw_branches(vocabulary, labels[source][row], dice) for row in rows]
        yield assemble(vocabulary, (source, side), system, rows, branches)


def draw_branches(vocabulary: Vocabulary, labels: PhantomLabels, dice: random.Random) -> list[Exchange]:
    """As many exchanges about one image as fit into `BRANCH_TOKENS`."""
    drawn: list[Exchange] = []
    left = BRANCH_TOKENS
    if dice.random() < REPORT_SHARE:
        drawn.append(report_exchange(labels, dice))
        left -= _length(vocabulary, drawn[0])
    while True:
        exchanges = draw_exchanges(labels, dice)
        left -= sum(_length(vocabulary, exchange) for exchange in exchanges)
        if left < 0:
            return drawn
        drawn += exchanges


def _length(vocabulary: Vocabulary, exchange: Exchange) -> int:
    fixed = len(vocabulary.answer_start) + len(vocabulary.answer_end)
    return len(vocabulary.encode(exchange.prompt)) + len(vocabulary.encode(exchange.answer)) + fixed


def assemble(
    vocabulary: Vocabulary,
    sides: tuple[int, int],
    system: bool,
    rows: Sequence[int],
    branches: Sequence[Sequence[Exchange]],
) -> Batch:
    """Lay the branches of each image behind its prefix and pad to the longest row; `sides` = (drawn, scaled)."""
    source, side = sides
    prefix = vocabulary.prefix(side, system)
    packed = [_pack(vocabulary, exchanges) for exchanges in branches]
    length = len(prefix) + max(len(row.ids) for row in packed)
    shape = (len(rows), length)
    batch = Batch(
        source,
        side,
        system,
        np.asarray(rows, np.int64),
        np.full(shape, vocabulary.pad, np.int64),
        np.full(shape, IGNORED, np.int64),
        np.full(shape, -1, np.int64),
        np.zeros(shape, np.int64),
        np.ones(shape, np.float32),
    )
    batch.input_ids[:, : len(prefix)] = prefix
    batch.segments[:, : len(prefix)] = 0
    for index, row in enumerate(packed):
        span = slice(len(prefix), len(prefix) + len(row.ids))
        batch.input_ids[index, span] = row.ids
        batch.labels[index, span] = row.labels
        batch.segments[index, span] = row.segments
        batch.offsets[index, span] = row.offsets
        batch.weights[index, span] = row.weights
    return batch


@dataclass(slots=True)
class _Row:
    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


def _pack(vocabulary: Vocabulary, exchanges: Sequence[Exchange]) -> _Row:
    row = _Row()
    for number, exchange in enumerate(exchanges, start=1):
        question = vocabulary.encode(exchange.prompt) + vocabulary.answer_start
        answer = vocabulary.encode(exchange.answer) + vocabulary.answer_end
        length = len(question) + len(answer)
        row.ids += question + answer
        row.labels += [IGNORED] * len(question) + answer
        row.segments += [number] * length
        row.offsets += range(length)
        row.weights += [exchange.weight] * length
    return row
