"""The worker: one detached process a workspace that starts queued jobs, one a device, and buries the dead.

It keeps nothing that runs.db does not hold, so it may be killed at any moment: the next one adopts what lives.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from engine.errors import JobError, StoreError
from engine.jobs.cancelling import Canceller
from engine.jobs.devices import Device, devices, gpu_count, ids_of, joined
from engine.jobs.dispatch import (
    JobCommand,
    Process,
    child_environment,
    job_command,
    python_module,
    start_job,
    wanted,
)
from engine.jobs.lock import WorkerLock, holder
from engine.jobs.process import is_alive, signal_process, spawn_detached
from engine.jobs.queue import next_job
from engine.jobs.reconcile import settle_dead
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ACTIVE
from engine.workspace import Workspace

IDLE_EXIT_SECONDS = 60.0
POLL_SECONDS = 0.5
CANCEL_GRACE_SECONDS = 10.0

logger = logging.getLogger(__name__)

_started: list[subprocess.Popen[bytes]] = []
"""Workers that this process has started: kept so that those that have ended can be collected."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Whether a workspace has a worker."""

    running: bool
    pid: int | None


def worker_status(workspace: Workspace) -> WorkerStatus:
    """Whether a worker holds the workspace's lock now."""
    found = holder(workspace.worker_lock)
    return WorkerStatus(found is not None, None if found is None else found.pid)


def ensure_worker(workspace: Workspace, wait_seconds: float = 0.0) -> bool:
    """Start a worker in a session of its own where none runs; True when one was started.

    Call it after the job was queued: a worker that is about to end looks once more after it has given its lock back.

    Args:
        workspace: whose jobs it shall start.
        wait_seconds: wait so long until it holds its lock (screens don't wait, commands may).

    Raises:
        JobError: it could not be started, or had ended already while we waited.
    """
    _started[:] = [child for child in _started if child.poll() is None]
    if holder(workspace.worker_lock) is not None:
        return False
    command = [*python_module("engine.jobs"), "--workspace", str(workspace.root)]
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

    Returns:
        False when another worker is already there.
    """
    lock, ended = WorkerLock(workspace.worker_lock), threading.Event()
    # Handlers first: from the moment the lock is held, others know this process and may send it SIGTERM.
    with _ended_by_signals(ended):
        if not lock.acquire(wait_seconds=2.0):
            return False
        try:
            worker = Worker(workspace, job_command, device_list or devices(), Canceller(cancel_grace_seconds))
            logger.info("worker %d for %s on %s", os.getpid(), workspace.root, ", ".join(d.id for d in worker.devices))
            _work(worker, lock, ended, idle_exit_seconds, poll_seconds)
        finally:
            lock.release()
    logger.info("worker %d ends; %d jobs go on", os.getpid(), len(worker.processes))
    return True


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
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Worker:
    """What the worker does each time it looks."""

    def __init__(
        self, workspace: Workspace, command: JobCommand, device_list: Sequence[Device], canceller: Canceller
    ) -> None:
        self.workspace = workspace
        self.devices = tuple(device_list)
        self.processes: dict[int, Process] = {}
        """Living job processes by PID."""
        self._command = command
        self._canceller = canceller
        self._exit_codes: dict[int, int] = {}

    def turn(self) -> bool:
        """Look once: collect, settle, cancel, dispatch. False when nothing runs and nothing could be started."""
        self._collect()
        try:
            self._look()
        except StoreError as error:
            # A lock or a full disk passes; jobs need no worker to go on.
            logger.warning("%s", error)
        return bool(self.processes)

    def has_work(self) -> bool:
        """Whether there is a job to start or to settle."""
        if not self.workspace.database.exists():
            return False
        with Reader(self.workspace) as reader:
            return bool(reader.jobs(ACTIVE)) or next_job(reader, gpus=gpu_count(self.devices)) is not None

    def _collect(self) -> None:
        for pid, process in list(self.processes.items()):
            if process.has_ended():
                del self.processes[pid]
                if process.child is not None:
                    self._exit_codes[pid] = process.child.returncode

    def _look(self) -> None:
        # Opened anew each time (under a millisecond): a runs.db that was removed and made again is then noticed.
        if not self.workspace.database.exists():
            return
        with Writer.open(self.workspace) as writer, Reader(self.workspace) as reader:
            # A process that has ended since it was collected is left for the next turn, which knows its exit code.
            ended = [job for job in reader.jobs(ACTIVE) if job.pid not in self.processes]
            for job in settle_dead(self.workspace, writer, ended, self._exit_codes):
                logger.info("%s job %d is dead and settled", job.kind, job.id)
            living = reader.jobs(ACTIVE)
            self._adopt(living)
            self._canceller.enforce(writer, living)
            self._dispatch(writer, reader)

    def _adopt(self, living: Sequence[JobRow]) -> None:
        for job in living:
            # A row that names this worker itself is one whose process has not reported yet.
            if job.pid is None or job.pid == os.getpid() or job.pid in self.processes:
                continue
            if not is_alive(job.pid, job.process_start):
                continue
            self.processes[job.pid] = Process(job.pid, job.process_start, job.device, job.subject, None)
            logger.info("%s job %d adopted: process %d lives", job.kind, job.id, job.pid)

    def _dispatch(self, writer: Writer, reader: Reader) -> None:
        busy = {name for process in self.processes.values() for name in ids_of(process.device)}
        free = [device for device in self.devices if device.id not in busy]
        while free:
            loaded = {process.subject for process in self.processes.values() if process.subject}
            job = next_job(reader, loaded, gpu_count(self.devices))
            if job is None:
                return
            count = wanted(job, self.devices)
            if count > len(free):
                return  # what is free is held for it
            device, free = joined(free[:count]), free[count:]
            process = start_job(self.workspace, writer, job, device, self._command)
            if process is not None:
                self._exit_codes.pop(process.pid, None)
                self.processes[process.pid] = process
                logger.info("%s job %d started on %s: process %d", job.kind, job.id, device.id, process.pid)
