"""Tables of drawn phantoms, kept on disk so that both base models learn from the same images."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.phantoms import PhantomLabels, render

TRAINING_SEED = 1_000_000
CHECK_SEED = 900_000_000
"""First seeds; phantoms of datasets start at 0, so no image of the base's training is ever in a dataset."""

TABLES = {160: 48_000, 256: 36_000}
"""Number of training phantoms by the side in pixels at which they are drawn."""


@dataclass(frozen=True, slots=True)
class ImageTable:
    """Phantoms of one size."""

    pixels: NDArray[np.uint8]
    """(N, S, S)"""
    labels: list[PhantomLabels]


def draw_table(first_seed: int, count: int, side: int) -> ImageTable:
    """`count` phantoms from consecutive seeds, drawn on all cores."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one thread a process
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        seeds = range(first_seed, first_seed + count)
        drawn = list(pool.map(partial(render, size=side), seeds, chunksize=64))
    return ImageTable(np.stack([pixels for pixels, _ in drawn]), [labels for _, labels in drawn])


def training_tables(folder: Path, counts: Mapping[int, int]) -> dict[int, ImageTable]:
    """The training images by side; drawn once and read from `folder` afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {}
    for side, count in counts.items():
        pixels, labels = folder / f"{side}-{count}.npy", folder / f"{side}-{count}.pickle"
        if not labels.exists():
            table = draw_table(TRAINING_SEED * side, count, side)
            np.save(pixels, table.pixels)
            labels.write_bytes(pickle.dumps(table.labels))
        # A cache that this function wrote itself on this machine, not an input.
        tables[side] = ImageTable(np.load(pixels), pickle.loads(labels.read_bytes()))  # noqa: S301
    return tables
