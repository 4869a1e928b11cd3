"""Whether what a run will save finds room, before it trains for hours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.errors import ModelError
from engine.files import free_bytes
from engine.formatting import size
from engine.jobs.disk import LOW_DISK
from engine.training.checkpoints import complete_checkpoints

KEPT_CHECKPOINTS = 2
"""Of each run: the newest, and one before it should that be damaged."""
_FLOAT32 = 4
_STATES = 3
"""Copies of the adapter in a checkpoint: weights, and two moments of the optimizer."""
_BESIDE = 32 * 2**20
"""Tokenizer, schedule, history and the like, with some room to spare: bytes."""


def adapter_bytes(trained_parameters: int) -> int:
    """Size of an adapter on disk."""
    return trained_parameters * _FLOAT32 + _BESIDE


def checkpoint_bytes(trained_parameters: int) -> int:
    """Size of a checkpoint on disk."""
    return trained_parameters * _FLOAT32 * _STATES + _BESIDE


def wanted_bytes(trained_parameters: int) -> int:
    """What the folder of a run comes to at most: one more checkpoint than are kept, while it is written, and the
    adapter."""
    return (KEPT_CHECKPOINTS + 1) * checkpoint_bytes(trained_parameters) + adapter_bytes(trained_parameters)


def room_warning(folder: Path, trained_parameters: int) -> str:
    """What to say before a launch where the disk is too small for a run; "" where it is not."""
    free, wanted = free_bytes(folder), wanted_bytes(trained_parameters)
    if free >= wanted:
        return ""
    return (
        f"The disk has {size(free)} free, and checkpoints and adapter take up to {size(wanted)}: free some space, or "
        "checkpoints are missed and the adapter waits."
    )


def require_room(folder: Path, trained_parameters: int, event: Callable[[str, str], None]) -> None:
    """Refuse a new run whose adapter and first checkpoint would find no room; tell where it will be short later.

    Args:
        folder: of the run.
        trained_parameters: of the adapter.
        event: writes a line (kind, detail) into the run's history.

    Raises:
        ModelError: with what is free and what is needed.
    """
    free = free_bytes(folder)
    checkpoint, adapter = checkpoint_bytes(trained_parameters), adapter_bytes(trained_parameters)
    # A run that is resumed can give up older checkpoints, go on without new ones, and wait for room for its adapter.
    if free < checkpoint + adapter and not complete_checkpoints(folder / "checkpoints"):
        raise ModelError(
            "The disk has no room for what the run would save",
            f"{size(free)} are free in {folder}; the adapter needs {size(adapter)}, a checkpoint {size(checkpoint)}.",
            "Free some space, or launch it in another --workspace.",
        )
    if words := room_warning(folder, trained_parameters):
        event(LOW_DISK, words)
