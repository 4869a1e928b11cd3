"""Starting the process of one job on one device, or on several that it shares its steps out to."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.errors import StoreError
from engine.jobs.devices import Device, is_gpu
from engine.jobs.process import is_alive, process_start, spawn_detached
from engine.jobs.session import DEVICE_VARIABLE
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

logger = logging.getLogger(__name__)

JobCommand = Callable[[JobKind, int, Workspace], list[str]]
"""Argument list of a job's process, from its kind, its id and the workspace."""


@dataclass(slots=True)
class Process:
    """A living job process that this worker has started or adopted."""

    pid: int
    start: float | None
    device: str | None
    subject: str
    child: subprocess.Popen[bytes] | None
    """None for an adopted one: it is not our child, so its exit code will not be known."""

    def has_ended(self) -> bool:
        """Whether it is gone; collects the exit code of a child (`child.returncode`)."""
        if self.child is not None:
            return self.child.poll() is not None
        return not is_alive(self.pid, self.start)


def wanted(job: JobRow, devices: Sequence[Device]) -> int:
    """How many of a machine's devices a job takes: the ranks of a run have a GPU each, or all the same CPU."""
    return job.devices if is_gpu(devices[0]) else 1


def job_command(kind: JobKind, job_id: int, workspace: Workspace) -> list[str]:
    """The command that carries out a job: `python -m engine.training 3 --workspace DIR`."""
    return [*python_module(f"engine.{kind}"), str(job_id), "--workspace", str(workspace.root)]


def python_module(module: str) -> list[str]:
    """`python -m module`, with -P: a torch.py or a datasets folder in the workspace must not be imported."""
    return [sys.executable, "-P", "-m", module]


def child_environment() -> dict[str, str]:
    """This process's environment, in which a child finds the same `engine` also where it is not installed."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    root = Path(engine.__file__).resolve().parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{inherited}" if inherited else str(root)
    return environment


def start_job(workspace: Workspace, writer: Writer, job: JobRow, device: Device, command: JobCommand) -> Process | None:
    """Claim a queued job for a device and start its process; None when it could not be had or not be started.

    A job that takes several devices gets them as one (`engine.jobs.devices.joined`).

    Until the process is there the row names this worker, so that a worker that dies in between leaves a row whose
    process is gone, and not one that waits for ever.
    """
    own = os.getpid()
    claimed = writer.transition(
        job.kind,
        job.id,
        State.QUEUED,
        State.STARTING,
        f"dispatched to {device.id} ({device.name})",
        pid=own,
        process_start=process_start(own),
        host=socket.gethostname(),
        device=device.id,
    )
    if not claimed:
        return None
    environment = {**child_environment(), "CUDA_VISIBLE_DEVICES": device.visible, DEVICE_VARIABLE: device.id}
    log = workspace.root / job.directory / "log.txt"
    try:
        child = spawn_detached(command(job.kind, job.id, workspace), log, environment, workspace.root)
    except OSError as error:
        _note_failed_start(writer, job, error)
        return None
    start = process_start(child.pid)
    try:
        writer.update(job.kind, job.id, pid=child.pid, process_start=start)
    except StoreError as error:
        # The process lives and will write the same into its row; it must not be lost to this worker.
        logger.warning("process %d of %s job %d is not on record yet: %s", child.pid, job.kind, job.id, error)
    return Process(child.pid, start, device.id, job.subject, child)


def _note_failed_start(writer: Writer, job: JobRow, error: OSError) -> None:
    title = "The process could not be started"
    writer.transition(
        job.kind,
        job.id,
        State.STARTING,
        State.FAILED,
        title,
        only_pid=os.getpid(),
        error_title=title,
        error_detail=str(error),
        error_next_step="Check free disk space and the permissions of the workspace; `sonotune doctor` looks for more.",
    )
