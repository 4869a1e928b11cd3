"""Telling dead jobs from living ones, and giving the dead a state that says what happened."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from engine.jobs.lock import WorkerLock
from engine.jobs.process import is_alive, last_lines
from engine.store.connection import BUSY_SECONDS
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ACTIVE, Action, JobKind, State
from engine.workspace import Workspace

ELSEWHERE_SILENT_SECONDS = 600.0
"""A job of another host name cannot be looked for by PID (most often a container that came back under a new name):
only after so long a silence is it taken for dead."""

WITHOUT_A_WORD = "the process ended without a word: killed?"
_KILLED_BY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that come from outside; any other one is a crash of the program itself."""


def is_dead(job: JobRow, now: float) -> bool:
    """Whether an active job's process is gone. Silence alone is no death: a compilation can last minutes."""
    if job.host is not None and job.host != socket.gethostname():
        return now - (job.heartbeat or job.queued_at) > ELSEWHERE_SILENT_SECONDS
    return not is_alive(job.pid, job.process_start)


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
        if job.state not in ACTIVE or not is_dead(job, now):
            continue
        code = exit_codes.get(job.pid) if job.pid is not None else None
        state, reason, columns = _verdict(workspace, writer, job, code)
        if writer.transition(job.kind, job.id, job.state, state, reason, only_pid=job.pid, **columns):
            settled.append(job)
    return settled


def settle_dead_jobs(workspace: Workspace, busy_seconds: float = BUSY_SECONDS) -> list[JobRow]:
    """Settle dead jobs of a workspace that has no worker (a reboot ends workers as well), and return them.

    Where a worker lives this does nothing: it looks twice a second itself, and it alone knows exit codes. Another
    writer is waited for up to `busy_seconds`.
    """
    if not workspace.database.exists():
        return []
    lock = WorkerLock(workspace.worker_lock)
    with Writer.open(workspace, busy_seconds=busy_seconds) as writer, Reader(workspace) as reader:
        jobs = reader.jobs(ACTIVE)
        if not jobs or not lock.acquire():
            return []
        try:
            return settle_dead(workspace, writer, jobs, {})
        finally:
            lock.release()


def _verdict(workspace: Workspace, writer: Writer, job: JobRow, code: int | None) -> tuple[State, str, dict[str, Any]]:
    """State, reason and error columns for a job that is gone."""
    if any(request.action == Action.CANCEL for request in writer.pending_requests(job.kind, job.id)):
        return State.CANCELLED, "cancelled on request; its process was ended from outside", {}
    tail = last_lines(workspace.root / job.directory / "log.txt")
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
