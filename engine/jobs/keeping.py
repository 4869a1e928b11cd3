"""A queue that goes on although its worker was killed: running jobs start another, unless a user has stopped it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from engine.jobs.lock import holder
from engine.workspace import Workspace

MARK = "worker.stopped"


def _mark(workspace: Workspace) -> Path:
    return workspace.root / MARK


def note_stop(workspace: Workspace) -> None:
    """Remember that the worker ended because somebody wanted it to."""
    # On a full disk it is not remembered: a worker too many does less harm than an error here.
    with contextlib.suppress(OSError):
        os.close(os.open(_mark(workspace), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def forget_stop(workspace: Workspace) -> None:
    """Somebody wants a worker again."""
    with contextlib.suppress(OSError):
        _mark(workspace).unlink(missing_ok=True)


def stop_is_noted(workspace: Workspace) -> bool:
    """Whether a user has stopped the worker, and started none since."""
    return _mark(workspace).exists()


def keep_worker(workspace: Workspace) -> bool:
    """Start a worker where none holds the lock and nobody has stopped it; True when one was started.

    Raises:
        JobError: it could not be started.
    """
    if stop_is_noted(workspace) or holder(workspace.worker_lock) is not None:
        return False
    from engine.jobs.worker import ensure_worker  # which imports what imports this

    return ensure_worker(workspace)
