"""The file lock by which a workspace has one worker. The kernel releases it, however the worker ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from engine.jobs.process import process_start

_RETRY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    pid: int | None
    """None in the instant between taking the lock and writing this down."""
    process_start: float | None


class WorkerLock:
    """An exclusive lock on `path`, which is made when needed and never removed (removing it would race)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, wait_seconds: float = 0.0) -> bool:
        """Take the lock; False when somebody else holds it all that time.

        A worker waits a moment, because a look at the lock (`holder`) also holds it for an instant.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(_RETRY_SECONDS)
            else:
                break
        self._descriptor = descriptor
        # On a full disk the lock itself still holds; only its holder's name is missing then.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {process_start(os.getpid())}\n".encode(), 0)
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None when nobody does. Makes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that two who look at once do not take each other for a worker.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _parse(os.read(descriptor, 100))
    else:
        return None
    finally:
        os.close(descriptor)


def _parse(content: bytes) -> Holder:
    with contextlib.suppress(ValueError):
        pid, start = content.split()
        return Holder(int(pid), None if start == b"None" else float(start))
    return Holder(None, None)
