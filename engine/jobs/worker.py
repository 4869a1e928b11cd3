"""The worker: one detached process a workspace that starts queued jobs, one a device, and buries the dead.

It keeps nothing that runs.db does not hold, so it may be killed at any moment: the next one adopts what lives.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from engine.errors import JobError
from engine.jobs.cancelling import Canceller
from engine.jobs.devices import Device, devices
from engine.jobs.dispatch import JobCommand, child_environment, job_command, python_module
from engine.jobs.keeping import forget_stop, note_stop
from engine.jobs.lock import WorkerLock, holder
from engine.jobs.process import signal_process, spawn_detached
from engine.jobs.trouble import trouble_of
from engine.jobs.turns import Worker
from engine.workspace import Workspace

IDLE_EXIT_SECONDS = 60.0
POLL_SECONDS = 0.5
CANCEL_GRACE_SECONDS = 10.0
STAY_POLL_SECONDS = 1.0
"""How often a worker that waits for another one to end tries to take its place."""

logger = logging.getLogger(__name__)

_started: list[subprocess.Popen[bytes]] = []
"""Workers that this process has started: kept so that those that have ended can be collected."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Whether a workspace has a worker."""

    running: bool
    pid: int | None
    trouble: str = ""
    """What keeps it from its work, and since when; untrusted text."""


def worker_status(workspace: Workspace) -> WorkerStatus:
    """Whether a worker holds the workspace's lock now."""
    found = holder(workspace.worker_lock)
    return (
        WorkerStatus(False, None) if found is None else WorkerStatus(True, found.pid, trouble_of(workspace, found.pid))
    )


def ensure_worker(workspace: Workspace, wait_seconds: float = 0.0, *, resume: bool = False) -> bool:
    """Start a worker in a session of its own where none runs; True when one was started.

    Call it after the job was queued: a worker that is about to end looks once more after it has given its lock back.

    Args:
        workspace: whose jobs it shall start.
        wait_seconds: wait so long until it holds its lock (screens don't wait, commands may).
        resume: it queues again what died without a word.

    Raises:
        JobError: it could not be started, or had ended already while we waited.
    """
    _started[:] = [child for child in _started if child.poll() is None]
    if holder(workspace.worker_lock) is not None:
        return False
    command = [*python_module("engine.jobs"), "--workspace", str(workspace.root), *(["--resume"] if resume else [])]
    try:
        child = spawn_detached(command, workspace.worker_log, child_environment(), workspace.root)
    except OSError as error:
        raise JobError(
            "The worker could not be started", str(error), "Check free disk space and permissions of the workspace."
        ) from error
    _started.append(child)
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline and holder(workspace.worker_lock) is None:
        if child.poll():
            raise JobError(
                "The worker ended at once", f"Exit code {child.returncode}.", f"Read {workspace.worker_log}."
            )
        time.sleep(0.02)
    return True


def stop_worker(workspace: Workspace, wait_seconds: float = 10.0) -> bool:
    """End the worker and wait for it; running jobs go on. False when there was none.

    Raises:
        JobError: it did not end in time.
    """
    found = holder(workspace.worker_lock)
    if found is None or found.pid is None:
        return False
    signal_process(found.pid, found.process_start, signal.SIGTERM)
    deadline = time.monotonic() + wait_seconds
    while (now := holder(workspace.worker_lock)) is not None and now.pid == found.pid:
        if time.monotonic() > deadline:
            raise JobError(
                f"The worker (process {found.pid}) did not end within {wait_seconds:.0f} s",
                next_step=f"Read {workspace.worker_log}; `kill -9 {found.pid}` ends it, and jobs go on.",
            )
        time.sleep(0.02)
    return True


def run_worker(
    workspace: Workspace,
    *,
    idle_exit_seconds: float = IDLE_EXIT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
    cancel_grace_seconds: float = CANCEL_GRACE_SECONDS,
    job_command: JobCommand = job_command,
    device_list: Sequence[Device] | None = None,
    stay: bool = False,
    resume: bool = False,
) -> bool:
    """Be the workspace's worker until there has been nothing to do for a while, or until SIGTERM or SIGINT.

    Never ends a job, but for one that ignores a request to cancel it: SIGTERM after `cancel_grace_seconds`, SIGKILL
    after twice that.

    Args:
        workspace: whose jobs to start.
        idle_exit_seconds: how long to stay with nothing running and nothing that could start.
        poll_seconds: pause between two looks.
        cancel_grace_seconds: see above.
        job_command: builds a job's argument list (tests start other programs).
        device_list: devices to use; what this machine has where none is given.
        stay: wait while another worker is there, and never end for want of work.
        resume: queue again what died without a word (`engine.jobs.auto_resume`).

    Returns:
        False when another worker is already there.
    """
    lock, ended = WorkerLock(workspace.worker_lock), threading.Event()
    # Handlers first: from the moment the lock is held, others know this process and may send it SIGTERM.
    with _ended_by_signals(ended):
        if not _taken(lock, ended, stay=stay):
            return ended.is_set()
        try:
            canceller = Canceller(cancel_grace_seconds)
            worker = Worker(workspace, job_command, device_list or devices(), canceller, resume=resume)
            logger.info("worker %d for %s on %s", os.getpid(), workspace.root, ", ".join(d.id for d in worker.devices))
            forget_stop(workspace)
            _work(worker, lock, ended, math.inf if stay else idle_exit_seconds, poll_seconds)
        finally:
            if ended.is_set():
                note_stop(workspace)  # before the lock is free: running jobs start another worker otherwise
            lock.release()
    logger.info("worker %d ends; %d jobs go on", os.getpid(), len(worker.processes))
    return True


def _taken(lock: WorkerLock, ended: threading.Event, *, stay: bool) -> bool:
    """Take the lock; one that stays waits for as long as another worker (which ends when its work is done) has it."""
    if lock.acquire(wait_seconds=2.0):
        return True
    if stay:
        logger.info("another worker is at work here: waiting until it ends")
    while stay and not ended.wait(STAY_POLL_SECONDS):
        if lock.acquire():
            return True
    return False


def _work(
    worker: Worker, lock: WorkerLock, ended: threading.Event, idle_exit_seconds: float, poll_seconds: float
) -> None:
    idle_since = time.monotonic()
    while not ended.is_set():
        if worker.turn():
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since >= idle_exit_seconds:
            # Whoever queued a job before this release saw the lock held and started no worker: look once more.
            lock.release()
            if not worker.has_work() or not lock.acquire():
                return
            idle_since = time.monotonic()
            continue
        ended.wait(poll_seconds)


@contextmanager
def _ended_by_signals(ended: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    # Ignored, and not only handled: its jobs inherit that, so the end of a terminal touches none, not even one that is
    # still loading.
    previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
