"""Checkpoints that are either whole or not there: the trainer writes beside, then one rename makes them count."""

from __future__ import annotations

import json
import re
from pathlib import Path

STAGING = ".partial"
"""Folder inside `checkpoints/` in which a checkpoint is written."""
NAME = re.compile(r"checkpoint-(\d+)")
REQUIRED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")
RANDOM_STATES = ("rng_state.pth", "rng_state_0.pth")
"""One of these: the second is that of the first of several ranks; a checkpoint is renamed when all have written."""


def checkpoint_step(folder: Path) -> int | None:
    """Step of a complete checkpoint; None for anything else.

    A checkpoint is complete when every file is there and not empty, and the trainer's state names the same step.
    """
    match = NAME.fullmatch(folder.name)
    if match is None or any(not (folder / name).is_file() for name in REQUIRED):
        return None
    if any((folder / name).stat().st_size == 0 for name in REQUIRED):
        return None
    if not any((folder / name).is_file() and (folder / name).stat().st_size for name in RANDOM_STATES):
        return None
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    except ValueError:
        return None
    step = int(match.group(1))
    return step if isinstance(state, dict) and state.get("global_step") == step else None


def complete_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first; half-written ones are passed over."""
    if not folder.is_dir():
        return []
    found = [(step, path) for path in folder.iterdir() if (step := checkpoint_step(path)) is not None]
    return [path for _, path in sorted(found)]


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    return next(reversed(complete_checkpoints(folder)), None)
