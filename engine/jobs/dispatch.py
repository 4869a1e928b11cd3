"""Starting the process of one job on one device, or on several that it shares its steps out to."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.errors import JobError, StoreError
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


PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS})
"""Errors that say something of the machine as it is now, and nothing of the job."""


class NoRoomError(JobError):
    """As things are no job can be started."""


@dataclass(slots=True)
class Process:
    """A living job process that this worker has started or adopted."""

    pid: int
    start: float | None
    device: str | None
    subject: str
    child: subprocess.Popen[bytes] | None
    """None for an adopted one: it is not our child, so its exit code will not be known."""
    unnoted: JobRow | None = None
    """Its job, whose row names this worker still, because runs.db could not be written."""

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

    What no job could be started with (a full disk, no more processes) leaves it in the queue.

    A job that takes several devices gets them as one (`engine.jobs.devices.joined`).

    Until the process is there the row names this worker and no start, so that a worker that dies in between leaves a
    row whose process is gone, and that goes back to the queue.

    Raises:
        NoRoomError: as things are no job can be started; this one waits on in the queue.
    """
    own = os.getpid()
    _make_room(workspace, job)
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
        started_at=None,  # nothing has been started yet (`engine.jobs.reconcile`)
    )
    if not claimed:
        return None
    environment = {**child_environment(), "CUDA_VISIBLE_DEVICES": device.visible, DEVICE_VARIABLE: device.id}
    try:
        log = _log_of(workspace, job)
        child = spawn_detached(command(job.kind, job.id, workspace), log, environment, workspace.root)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            _put_back(writer, job, error)
            raise NoRoomError(*_no_room(error)) from error
        _note_failed_start(writer, job, error)
        return None
    process = Process(child.pid, process_start(child.pid), device.id, job.subject, child)
    try:
        note_process(writer, job, process)
    except StoreError as error:
        # The process lives and will write the same into its row; it must not be lost to this worker.
        logger.warning("process %d of %s job %d is not on record yet: %s", child.pid, job.kind, job.id, error)
        process.unnoted = job
    return process


def note_process(writer: Writer, job: JobRow, process: Process) -> None:
    """Write the process into its job's row, where that still names this worker; also after the process has ended, so
    that its end is noticed.

    Raises:
        StoreError: it cannot be written now.
    """
    writer.hand_over(job.kind, job.id, os.getpid(), process.pid, process.start)
    process.unnoted = None


def _log_of(workspace: Workspace, job: JobRow) -> Path:
    """Raises StoreError where the row names a folder outside of outputs/: this job fails, and the queue goes on."""
    return workspace.job_folder(job.directory) / "log.txt"


def _make_room(workspace: Workspace, job: JobRow) -> None:
    """Make the log of a job before it is claimed; what is wrong with this log alone is met again by its start."""
    try:
        log = _log_of(workspace, job)
        log.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except (OSError, ValueError, StoreError) as error:
        everywhere = workspace.outputs.exists() and not os.access(workspace.outputs, os.W_OK | os.X_OK)
        if isinstance(error, OSError) and (error.errno in PASSING or everywhere):
            raise NoRoomError(*_no_room(error)) from error


def _no_room(error: OSError) -> tuple[str, str, str]:
    step = "Free disk space or memory, or mend the permissions of outputs/; the worker tries again by itself."
    return "No job can be started now", f"{error.filename or 'fork'}: {error.strerror or error}.", step


def _put_back(writer: Writer, job: JobRow, error: OSError) -> None:
    reason = f"waits: not started: {error.strerror or error}"
    writer.transition(job.kind, job.id, State.STARTING, State.QUEUED, reason, only_pid=os.getpid())


def _note_failed_start(writer: Writer, job: JobRow, error: Exception) -> None:
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
