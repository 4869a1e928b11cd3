"""Telling dead jobs from living ones, and giving the dead a state that says what happened."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from engine.jobs import silence
from engine.jobs.journal import FILE_NAME, Ending, attempts, boot_id, lines_of
from engine.jobs.lock import WorkerLock
from engine.jobs.process import is_alive, last_lines
from engine.jobs.replay import replay
from engine.jobs.silence import Silences
from engine.store.connection import BUSY_SECONDS
from engine.store.reader import Reader
from engine.store.recorded import Owner
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ACTIVE, TRANSITIONS, Action, JobKind, State
from engine.workspace import Workspace

WITHOUT_A_WORD = "the process ended without a word: killed?"
_KILLED_BY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that come from outside; any other one is a crash of the program itself."""


_silences = Silences()
"""Of jobs of other host names, as this process has seen them."""
_this_boot: set[tuple[str, int, float | None]] = set()
"""Jobs (by journal, PID and start) whose process was started since the machine has."""


def is_dead(workspace: Workspace, job: JobRow, now: float) -> bool:
    """Whether an active job's process is gone. Silence alone is no death: a compilation can last minutes.

    Args:
        workspace: where its journal lies.
        job: an active one.
        now: Unix time.
    """
    if _is_elsewhere(job):
        return _silences.is_dead(_key(workspace, job), job.heartbeat, job.queued_at, now)
    return not is_alive(job.pid, job.process_start) or _is_of_another_boot(workspace, job)


def _is_elsewhere(job: JobRow) -> bool:
    return job.host is not None and job.host != socket.gethostname()


def _key(workspace: Workspace, job: JobRow) -> tuple[str, JobKind, int, int | None]:
    return str(workspace.root), job.kind, job.id, job.pid


def _is_of_another_boot(workspace: Workspace, job: JobRow) -> bool:
    """Whether the living process only looks like the job's: starts count from the boot, and after a restart the same
    PID may have the same start, as services are started in the same order each time."""
    journal = workspace.job_folder(job.directory) / FILE_NAME
    key = (str(journal), job.pid or 0, job.process_start)
    if key in _this_boot:
        return False
    boot = next((each.boot for each in reversed(attempts(journal)) if each.is_of(job.pid, job.process_start)), None)
    if boot is None or not boot or not boot_id():
        return False  # it has not begun yet, or there is nothing to compare
    if boot != boot_id():
        return True
    _this_boot.add(key)
    return False


def settle_dead(
    workspace: Workspace, writer: Writer, jobs: Iterable[JobRow], exit_codes: Mapping[int, int]
) -> list[JobRow]:
    """Settle those of `jobs` that are active but whose process is gone, and return them as they were.

    Args:
        workspace: where their logs lie.
        writer: writes the outcome; a job that settled itself in the meantime is left alone.
        jobs: job rows, of any state.
        exit_codes: exit code (negative: signal number) by PID, of the processes that the caller started.
    """
    settled = []
    now = time.time()
    for job in jobs:
        if job.state not in ACTIVE or not is_dead(workspace, job, now):
            continue
        code = exit_codes.get(job.pid) if job.pid is not None else None
        ending = recover(workspace, writer, job)
        if ending is None:
            state, reason, columns = _verdict(workspace, writer, job, code)
        else:
            state, reason, columns = _legal(writer, job, ending)
        if writer.transition(job.kind, job.id, job.state, state, reason, only_pid=job.pid, **columns):
            settled.append(job)
    return settled


def recover(workspace: Workspace, writer: Writer, job: JobRow) -> Ending | None:
    """Bring into runs.db what the journal of a dead job holds beyond it, and return the end that the job has left.

    Harmless where everything is there already.

    Raises:
        StoreError: runs.db cannot be written now.
    """
    if job.pid is None:
        return None
    lines = lines_of(workspace.job_folder(job.directory) / FILE_NAME, job.pid, job.process_start)
    entries = [line for line in lines if not isinstance(line, Ending)]
    owner = Owner(job.pid, job.process_start)
    if not replay(writer, job.kind, job.id, entries, owner):
        return None
    endings = [line for line in lines if isinstance(line, Ending)]
    return endings[-1] if endings else None


def _legal(writer: Writer, job: JobRow, ending: Ending) -> tuple[State, str, dict[str, Any]]:
    """What the row gets from a job's own last word: only columns that a job writes at its end."""
    columns = ending.of_row
    if ending.state is State.INTERRUPTED and _cancel_is_pending(writer, job):
        return State.CANCELLED, "cancelled on request", columns
    # An interruption where it succeeded without ever having been seen to run.
    return ending.state if ending.state in TRANSITIONS[job.state] else State.INTERRUPTED, ending.reason, columns


def _cancel_is_pending(writer: Writer, job: JobRow) -> bool:
    return any(request.action == Action.CANCEL for request in writer.pending_requests(job.kind, job.id))


def settle_dead_jobs(workspace: Workspace, busy_seconds: float = BUSY_SECONDS) -> list[JobRow]:
    """Settle dead jobs of a workspace that has no worker (a reboot ends workers as well), and return them.

    Where a worker lives this does nothing: it looks twice a second itself, and it alone knows exit codes. Another
    writer is waited for up to `busy_seconds`.
    """
    if not workspace.database.exists():
        return []
    lock = WorkerLock(workspace.worker_lock)
    with Writer.open(workspace, busy_seconds=busy_seconds, make=False) as writer, Reader(workspace) as reader:
        jobs = reader.jobs(ACTIVE)
        if any(_is_doubtful(workspace, job) for job in jobs):
            time.sleep(silence.CONFIRM_SECONDS)
            jobs = reader.jobs(ACTIVE)
        if not jobs or not lock.acquire():
            return []
        try:
            return settle_dead(workspace, writer, jobs, {})
        finally:
            lock.release()


def _is_doubtful(workspace: Workspace, job: JobRow) -> bool:
    return _is_elsewhere(job) and _silences.is_doubtful(_key(workspace, job), job.heartbeat, job.queued_at, time.time())


def _verdict(workspace: Workspace, writer: Writer, job: JobRow, code: int | None) -> tuple[State, str, dict[str, Any]]:
    """State, reason and error columns for a job that is gone."""
    if _cancel_is_pending(writer, job):
        return State.CANCELLED, "cancelled on request; its process was ended from outside", {}
    if job.state == State.STARTING and job.started_at is None:
        # Its worker ended between claiming it and noting its process. Should there be a process all the same, it takes
        # the job from the queue like any other (`engine.jobs.claiming`).
        return State.QUEUED, "waits again: the worker that had claimed it has ended", {}
    tail = last_lines(workspace.job_folder(job.directory) / "log.txt")
    if code is not None and code != 0 and -code not in _KILLED_BY:
        title = f"The process ended with exit code {code}" if code > 0 else f"The process crashed ({_signal(-code)})"
        return State.FAILED, title, _error(title, tail, f"Read its log; then {_again(job)}.")
    if code == 0:
        title = "The process ended without reporting a result"
        return State.FAILED, title, _error(title, tail, f"Read its log; then {_again(job)}.")
    by = f" It was ended by {_signal(-code)}." if code else ""
    memory = " The kernel does so when memory runs out (`dmesg` tells)." if code == -signal.SIGKILL else ""
    detail = f"Last sign of life: {_ago(job)}.{by}{memory}" + (f"\n{tail}" if tail else "")
    columns = _error(WITHOUT_A_WORD.capitalize(), detail, f"{_again(job)}.".capitalize())
    return State.INTERRUPTED, WITHOUT_A_WORD, columns


def _error(title: str, detail: str, next_step: str) -> dict[str, Any]:
    return {"error_title": title, "error_detail": detail, "error_next_step": next_step}


def _again(job: JobRow) -> str:
    if job.kind == JobKind.TRAINING:
        return f"`sonotune resume {job.id}` goes on from its last checkpoint"
    return f"`sonotune resume --evaluation {job.id}` queues it again"


def _ago(job: JobRow) -> str:
    return (
        "none" if job.heartbeat is None else f"{max(0.0, time.time() - job.heartbeat):.0f} s before it was found dead"
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
