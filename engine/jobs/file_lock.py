"""A file that one process at a time may hold; the kernel lets go of it, however that process ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import JobError

_RETRY_SECONDS = 0.02


@contextmanager
def held(path: Path, busy: str, wait_seconds: float = 60.0) -> Iterator[None]:
    """Hold `path`, which is made when needed and never removed (removing it would race).

    Args:
        path: of the file.
        busy: what to tell whoever has waited in vain.
        wait_seconds: how long another holder is waited for.

    Raises:
        JobError: somebody else has held it all that time.
    """
    deadline = time.monotonic() + wait_seconds
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise JobError(busy, next_step="Wait until it has ended, then run the command again.") from None
                time.sleep(_RETRY_SECONDS)
            else:
                break
        yield
