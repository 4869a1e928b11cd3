"""Pausing the queue: nothing new is started, what runs goes on, and everybody who waits is told."""

from __future__ import annotations

import time

from engine.errors import UsageError
from engine.jobs.queue import PAUSED, Pause, pause_of
from engine.jobs.worker import ensure_worker
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.text import one_line
from engine.types import ACTIVE
from engine.workspace import Workspace

LONGEST_REASON = 200


def pause_queue(workspace: Workspace, reason: str = "") -> str:
    """Start no queued job any more, until `unpause_queue`; running jobs go on, requests to them are carried out.

    A queue that is paused already stays so; a new reason replaces the old one.

    Args:
        workspace: whose queue.
        reason: for those who wonder why nothing starts; at most 200 characters, kept on one line.

    Returns:
        A sentence that says what happens now.

    Raises:
        UsageError: the reason is too long.
    """
    reason = one_line(reason).strip()
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"The reason has {len(reason)} characters", f"At most {LONGEST_REASON} are kept.")
    with Writer.open(workspace) as writer, Reader(workspace) as reader:
        before = pause_of(reader)
        if before is not None and not reason:
            return notice(before)
        since = time.time() if before is None else before.since
        writer.set_setting(PAUSED, {"since": since, "reason": reason})
        running = len(reader.jobs(ACTIVE))
    return f"The queue is paused: nothing new is started.{_goes_on(running)} `sonotune queue --unpause` ends the pause."


def unpause_queue(workspace: Workspace, start_worker: bool = True) -> str:
    """Start queued jobs again; a worker is started where none runs. Returns a sentence that says so."""
    with Writer.open(workspace) as writer:
        writer.set_setting(PAUSED, None)
    if start_worker:
        ensure_worker(workspace)
    return "The queue goes on: queued jobs are started."


def queue_paused(workspace: Workspace) -> bool:
    """Whether the queue is paused; False where nothing was recorded yet."""
    return bool(pause_notice(workspace))


def pause_notice(workspace: Workspace) -> str:
    """Since when the queue is paused, why, and how to end that, in a sentence; "" where it is not paused."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return ""
    with reader:
        pause = pause_of(reader)
    return "" if pause is None else notice(pause)


def notice(pause: Pause) -> str:
    """See `pause_notice`."""
    since = "" if pause.since is None else time.strftime(" since %d %b %H:%M", time.localtime(pause.since))
    why = f" ({pause.reason})" if pause.reason else ""
    return f"The queue is paused{since}{why}: nothing new is started. `sonotune queue --unpause` ends the pause."


def _goes_on(running: int) -> str:
    return f" {running} running job{'s go' if running > 1 else ' goes'} on." if running else ""
