"""Which cells of memory are measured for the calibration of the preflight, and how they are named. Pure.

A cell is a way to compute a step (`engine.preflight.models.Layout`) of a model size. Cells of one size, backend,
quantization and, under Unsloth, checkpointing share a process, because the model is loaded once for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from engine.errors import UsageError
from engine.preflight.models import Layout

UNSLOTH = "unsloth"


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement."""

    size: str
    """`2b`, `4b`, `8b` or `tiny`."""
    backend: str
    quantization: str
    checkpointing: bool
    packed: bool
    """Eight questions an image in one row; else one question in a row of its own."""
    micro_batch: int
    """Samples of the forward pass."""
    compiled: bool = False

    @property
    def layout(self) -> Layout:
        """As the preflight knows it."""
        return Layout(
            backend=self.backend,
            quantization=self.quantization,
            packed=self.packed,
            micro_batch=self.micro_batch,
            accumulation=1,
            checkpointing=self.checkpointing,
            compiled=self.compiled,
        )

    @property
    def process(self) -> tuple[str, str, str, bool]:
        """What must be equal for two cells to share a loaded model: Unsloth fixes checkpointing when it loads."""
        return self.size, self.backend, self.quantization, self.checkpointing if self.backend == UNSLOTH else False


def standard_cells(compiled: bool = False) -> list[Cell]:
    """28 cells: three sizes, both backends, with and without checkpointing, micro-batches of 1 to 64 samples."""
    # (checkpointing, packed, micro-batch)
    kept = [(False, False, 1), (False, False, 8), (False, True, 16)]
    recomputed = [(True, False, 4), (True, False, 16), (True, True, 64)]
    other = [*recomputed, (False, False, 2), (False, True, 16)]
    return [
        *(
            Cell(size, "transformers", "none", checkpointing, packed, micro_batch, compiled)
            for size in ("2b", "4b", "8b")
            for checkpointing, packed, micro_batch in [*kept, *recomputed]
        ),
        *(
            Cell(size, UNSLOTH, "4bit", checkpointing, packed, micro_batch)
            for size in ("2b", "8b")
            for checkpointing, packed, micro_batch in other
        ),
    ]


def by_process(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells that share a process, in lists."""
    return [
        list(group) for _, group in groupby(sorted(cells, key=lambda cell: cell.process), lambda cell: cell.process)
    ]


def write_cells(cells: Sequence[Cell], file: Path) -> None:
    """Write cells as a JSON list."""
    file.write_text(json.dumps([asdict(cell) for cell in cells], indent=1), encoding="utf-8")


def read_cells(file: Path) -> list[Cell]:
    """The cells of a JSON list of objects with the fields of `Cell`.

    Raises:
        UsageError: it is no such file.
    """
    try:
        return [Cell(**values) for values in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{file} holds no cells", str(error), "Write a JSON list of objects: size, backend, quantization, ..."
        ) from error
