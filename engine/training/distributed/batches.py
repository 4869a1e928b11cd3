"""What a rank of several takes of the data: its forward passes of a step, its batches of the validation loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader

from engine.training.collator import SAMPLES, TOKENS
from engine.training.distributed.ranks import Ranks

Collate = Callable[[Sequence[Mapping[str, int]]], dict[str, Any]]


class IdleCollator:
    """A collator that also makes the batch of a rank for which the short last step of an epoch has no sample left."""

    def __init__(self, collate: Collate) -> None:
        self.collate = collate

    def __call__(self, rows: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """The batch of these rows; without rows one of no place, which trains nothing and counts for nothing."""
        if rows:
            return self.collate(rows)
        nothing = torch.empty((0, 0), dtype=torch.long)
        return {"input_ids": nothing, "labels": nothing, SAMPLES: 0, TOKENS: 0}


def is_idle(batch: Mapping[str, Any]) -> bool:
    """Whether a batch holds no sample."""
    return len(batch["labels"]) == 0


def as_it_is(loader: DataLoader[Any], device: torch.device, *, non_blocking: bool = False) -> DataLoader[Any]:
    """The loader as accelerate prepares it for a single process: its batches are this rank's share already.

    Accelerate's own sharing takes every n-th batch, and fills up with samples of the beginning where the batches do not
    come out even, or where one is shorter than the others: some samples would be trained twice.
    """
    from accelerate.data_loader import prepare_data_loader  # type: ignore[import-untyped]

    prepared: DataLoader[Any] = prepare_data_loader(
        loader, device, num_processes=1, process_index=0, put_on_device=True, non_blocking=non_blocking
    )
    return prepared


def validation_batches(count: int, batch: int, ranks: Ranks) -> list[list[int]]:
    """The batches that one process would make of `count` rows, those of this rank alone; no row comes twice."""
    everything = [list(range(start, min(start + batch, count))) for start in range(0, count, batch)]
    return everything[ranks.rank :: ranks.size]
