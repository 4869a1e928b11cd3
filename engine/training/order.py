"""In which order a run sees its samples, and how the samples of a step are shared out to its forward passes.

The order depends on seed and epoch alone: neither packing nor the micro-batch, nor the number of devices changes which
samples make up a step, so all of them train the same thing. All questions to an image stand side by side, which is what
lets them share its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby, pairwise

import numpy as np
from torch.utils.data import Sampler

EPOCHS_LOOKED_AT = 3
"""Epochs whose forward passes are compared to find the largest one."""


class MicroBatches(Sampler[list[int]]):
    """Numbers of the examples of each forward pass of an epoch."""

    drop_last = False
    """Read by accelerate."""

    def __init__(
        self,
        samples: Sequence[int],
        lengths: Sequence[int],
        *,
        micro_batch: int,
        accumulation: int,
        seed: int,
        together: bool,
        shared: Sequence[int] | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Take what is ordered.

        Args:
            samples: of each example, the training sample that it asks about; examples of one stand side by side.
            lengths: of each example, its tokens.
            micro_batch: examples to a forward pass.
            accumulation: forward passes to an optimizer step on each device.
            seed: of the run.
            together: forward passes are cut between images where possible, because their questions are packed.
            shared: of each example, the tokens that all examples about its image share when they are packed.
            rank: of the process whose forward passes these are.
            ranks: how many processes share each step. All get the same number of passes; where the last step of an
                epoch has too few samples for that, some passes are empty.
        """
        self.groups = [list(numbers) for _, numbers in groupby(range(len(samples)), key=lambda number: samples[number])]
        self.group_of = {number: index for index, group in enumerate(self.groups) for number in group}
        self.lengths = lengths
        self.batch_size = micro_batch
        self.accumulation = accumulation
        self.seed = seed
        self.together = together
        self.shared = [0] * len(lengths) if shared is None else shared
        self.rank, self.ranks = rank, ranks
        self.epoch = 0
        """Counted from 0; a callback sets it before the epoch's first batch is made."""

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / (self.batch_size * self.ranks))

    def __iter__(self) -> Iterator[list[int]]:
        for window in self.windows():
            # By falling length: neighbours go to different ranks, which then take about as long.
            yield from self._passes(window)[self.rank :: self.ranks]

    def windows(self) -> Iterator[list[int]]:
        """The examples of each optimizer step of the epoch; the last one may be short."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.groups))
        numbers = [number for group in order for number in self.groups[group]]
        size = self.batch_size * self.accumulation * self.ranks
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]

    def _passes(self, window: list[int]) -> list[list[int]]:
        """Share out a window to all ranks, long rows with long ones, so that few places are padded."""
        count = self.ranks * math.ceil(len(window) / (self.batch_size * self.ranks))
        passes = self._filled_passes(window, min(count, len(window)))
        return [*passes, *([] for _ in range(count - len(passes)))]

    def _filled_passes(self, window: list[int], count: int) -> list[list[int]]:
        pieces = self._pieces(window)
        if len(pieces) < count:
            # Passes are smaller than images have questions: neighbours still share a row.
            return self._chunks(window, count)
        pieces.sort(key=lambda piece: (-self.row_length(piece), piece[0]))
        if len(pieces) == len(window):
            return self._chunks([piece[0] for piece in pieces], count)
        cuts = _even_cuts([self.row_length(piece) for piece in pieces], count)
        return [list(chain.from_iterable(pieces[start:stop])) for start, stop in pairwise(cuts)]

    def _chunks(self, numbers: list[int], count: int) -> list[list[int]]:
        # Of several ranks none shall train the whole of a short step while the others wait.
        size = self.batch_size if self.ranks == 1 else math.ceil(len(numbers) / count)
        return [numbers[start : start + size] for start in range(0, len(numbers), size)]

    def _pieces(self, window: list[int]) -> list[list[int]]:
        """What is not cut: the questions to an image where they are packed, else every example by itself."""
        if not self.together:
            return [[number] for number in window]
        return [list(numbers) for _, numbers in groupby(window, key=self.group_of.__getitem__)]

    def row_length(self, numbers: Sequence[int]) -> int:
        """Tokens of the row that examples about one image share, or of a single example."""
        return sum(self.lengths[number] for number in numbers) - (len(numbers) - 1) * self.shared[numbers[0]]

    def places(self, numbers: Sequence[int]) -> int:
        """Places of a forward pass, pads included: its rows times the longest of them."""
        key: Callable[[int], int] = self.group_of.__getitem__ if self.together else int
        rows = [self.row_length(list(row)) for _, row in groupby(numbers, key=key)]
        return len(rows) * max(rows)

    def largest(self) -> list[int]:
        """Examples of a forward pass as large as any gets, whichever step it belongs to.

        Packed passes are what their windows make them, so those of the first epochs are looked through; later ones are
        drawn alike.
        """
        if not self.together:
            numbers = sorted(range(len(self.lengths)), key=lambda number: -self.lengths[number])
            return numbers[: self.batch_size]
        now, passes = self.epoch, []
        for self.epoch in range(EPOCHS_LOOKED_AT):
            every = (each for window in self.windows() for each in self._passes(window) if each)
            passes.append(max(every, key=self.places))
        self.epoch = now
        return max(passes, key=self.places)


def _even_cuts(sizes: Sequence[int], count: int) -> list[int]:
    """Places at which a list of sizes is cut into `count` parts of nearly the same sum, none of them empty."""
    sums = np.cumsum(sizes)
    cuts = [0]
    for number in range(1, count):
        nearest = int(np.abs(sums - sums[-1] * number / count).argmin()) + 1
        cuts.append(min(max(nearest, cuts[-1] + 1), len(sizes) - (count - number)))
    return [*cuts, len(sizes)]
