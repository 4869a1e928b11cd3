"""Room on the disk while a job runs: looked at with each heartbeat; told when it runs short, and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.files import free_bytes
from engine.formatting import size

LOW_DISK = "low disk"
"""Kind of the event."""
LOW_BYTES = 2 * 2**30
"""From here on a checkpoint of a large adapter, or the log of runs.db, may find no room."""
_BACK = 1.25
"""Times `LOW_BYTES` that must be free again, so that a disk at the limit is not told of at every beat."""


class DiskWatch:
    """Whether the disk of a workspace is running full."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str, str], None],
        low_bytes: int | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folder, self._tell, self._free = folder, tell, free
        self._low_bytes = LOW_BYTES if low_bytes is None else low_bytes
        self._low = False

    def look(self) -> None:
        """Compare, and tell of a change."""
        try:
            free = self._free(self._folder)
        except OSError:
            return  # a file system that does not answer: whoever writes to it will say more
        if not self._low and free < self._low_bytes:
            self._low = True
            self._tell(
                LOW_DISK,
                f"only {size(free)} are free in {self._folder}: free some space, or checkpoints and records cannot be "
                "written; what runs goes on.",
            )
        elif self._low and free >= self._low_bytes * _BACK:
            self._low = False
            self._tell(LOW_DISK, f"{size(free)} are free again")
