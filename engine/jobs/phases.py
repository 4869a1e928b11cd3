"""What the process of a run is doing besides taking steps: words of `runs.phase`. Standard library only."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """One at a time; a run that has not said any is of an earlier version, or has only just started."""

    LOADING = "loading"
    """Model and data, and the proof of the packing."""
    TRAINING = "training"
    """Optimizer steps follow each other: the only phase in which a missing step says something."""
    VALIDATION = "validation loss"
    ANSWERS = "answer check"
    SAVING = "saving"
    """A checkpoint or the adapter."""
    WAITING_FOR_DISK = "waiting for disk"
    """The disk is full: it saves as soon as there is room."""
