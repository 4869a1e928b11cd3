"""Data that cannot be read in mid-training, in words that say from where the run goes on once it is mended."""

from __future__ import annotations

from pathlib import Path

from engine.errors import DataError
from engine.training.checkpoints import checkpoint_step, complete_checkpoints


def in_mid_training(error: Exception, checkpoints: Path) -> Exception:
    """The error as it is told after a number of steps: an image of a launched run is put back, not imported anew.

    Args:
        error: what reading has raised; anything but a `DataError` comes back as it is.
        checkpoints: folder of the run's checkpoints, where the last finished step was saved already.
    """
    if not isinstance(error, DataError):
        return error
    found = complete_checkpoints(checkpoints)
    step = checkpoint_step(found[-1]) if found else None
    kept = "No step was saved, so it begins anew" if step is None else f"It goes on from step {step}, which is saved"
    return DataError(
        error.title,
        f"{error.reason}\nIt could be read when the dataset was imported; the training stopped at it.".strip(),
        f"Put the file back as it was (`data check` finds others that are damaged). {kept}.",
    )
