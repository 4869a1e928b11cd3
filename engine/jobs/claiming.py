"""How a process takes a job: its row becomes `running` and its own, also where runs.db has to be waited for."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from engine.errors import JobError, StoreError
from engine.jobs.process import is_alive, process_start
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.store.writer_recording import may_pass
from engine.types import JobKind, State
from engine.workspace import Workspace

DEVICE_VARIABLE = "SONOTUNE_DEVICE"
"""Environment variable in which the worker names the device of a job process (`cuda:1`, `cpu`)."""
CLAIM_PATIENCE_SECONDS = 120.0
"""How long a job waits for a runs.db that is locked or full before it gives up beginning."""
RETRY_SECONDS = 0.5

T = TypeVar("T")

logger = logging.getLogger(__name__)


class StoppedWhileWaiting(SystemExit):
    """A signal has come while runs.db was waited for."""


def claim(writer: Writer, kind: JobKind, job_id: int) -> bool:
    """Take a queued job for this process (queued -> starting); False when somebody else was faster.

    For jobs that no worker dispatched: the next evaluation of an evaluation process, or one started by hand.
    """
    pid = os.getpid()
    return writer.transition(
        kind,
        job_id,
        State.QUEUED,
        State.STARTING,
        f"claimed by process {pid}",
        pid=pid,
        process_start=process_start(pid),
        host=socket.gethostname(),
        device=os.environ.get(DEVICE_VARIABLE),
    )


class Claim:
    """One process's way to its job."""

    def __init__(self, workspace: Workspace, kind: JobKind, job_id: int, signalled: Callable[[], bool]) -> None:
        """`signalled`: whether somebody wants this process to end."""
        self._workspace, self._kind, self._job_id = workspace, kind, job_id
        self._signalled = signalled
        self._unsure = False

    def waiting(self, action: Callable[[], T]) -> T:
        """Do something that begins a job, tried again for as long as runs.db may come round.

        Raises:
            StoreError: it has not in `CLAIM_PATIENCE_SECONDS`, or never will.
            StoppedWhileWaiting: somebody wanted this process to end meanwhile.
        """
        deadline = time.monotonic() + CLAIM_PATIENCE_SECONDS
        while True:
            try:
                return action()
            except StoreError as error:
                if not may_pass(error) or time.monotonic() >= deadline:
                    raise
                logger.warning("%s job %d waits: %s", self._kind, self._job_id, error.title)
                self._unsure = True
            if self._signalled():
                raise StoppedWhileWaiting(0)
            time.sleep(RETRY_SECONDS)

    def row(self) -> JobRow:
        """The job as it is now; JobError where there is none."""
        with Reader(self._workspace) as reader:
            return reader.job(self._kind, self._job_id)

    def take(self, writer: Writer) -> str | None:
        """Make the row this process's; the device that it runs on.

        Raises:
            JobError: it is neither queued nor starting.
        """
        job, pid = self.row(), os.getpid()
        if self._unsure and job.state == State.RUNNING and job.pid == pid and is_alive(pid, job.process_start):
            return job.device  # the claim that we were told had failed had not
        if job.state == State.QUEUED and claim(writer, self._kind, self._job_id):
            job = self.row()
        device = job.device or os.environ.get(DEVICE_VARIABLE)
        taken = job.state == State.STARTING and writer.transition(
            self._kind,
            self._job_id,
            State.STARTING,
            State.RUNNING,
            f"process {pid} is at work",
            pid=pid,
            process_start=process_start(pid),
            host=socket.gethostname(),
            device=device,
            started_at=job.started_at or time.time(),  # where its worker could not say so
        )
        if not taken:
            raise _not_to_be_had(job)
        return device


def _not_to_be_had(job: JobRow) -> JobError:
    return JobError(
        f"{job.kind} job {job.id} is {job.state}: this process cannot take it",
        f"It belongs to process {job.pid}." if job.pid else "",
        "Only queued jobs, and those that a worker has just dispatched, can be started.",
    )
