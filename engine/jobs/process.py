"""Processes: is it still the one we started, and how to start one that outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_STAT = "/proc/{pid}/stat"
_SAME_START_SECONDS = 0.005
"""Half a kernel clock tick: starts are exact on Linux, and only printing may round them."""


def process_start(pid: int) -> float | None:
    """When process `pid` started, in seconds since the machine booted; None when there is no such living process.

    With the PID it identifies a process: PIDs are used again. Seconds since boot and not Unix time, because the kernel
    derives the latter from the wall clock, and a corrected clock would make every running job look like another one.
    A zombie (ended, but not yet collected by its parent) counts as gone.
    """
    if not sys.platform.startswith("linux"):
        return _process_start_elsewhere(pid)
    try:
        text = Path(_STAT.format(pid=pid)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc(5): "pid (command) state ppid ... starttime": the command may hold blanks and brackets.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZXx":
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _process_start_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, start: float | None) -> bool:
    """Whether the process with this PID is there and is the one that started at `start`; False where either is None."""
    if pid is None or start is None:
        return False
    found = process_start(pid)
    return found is not None and same_start(found, start)


def same_start(one: float, other: float) -> bool:
    """Whether two starts of a process (seconds since boot) are one, however they were stored."""
    return abs(one - other) < _SAME_START_SECONDS


def spawn_detached(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, so that it survives the end of this terminal and of this process.

    Its standard input is empty; output and errors are appended to `log` (made for its owner only). The caller may
    drop the result, or `poll()` it to learn the exit code.

    Raises:
        OSError: the program or the folder of the log cannot be used.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def signal_process(pid: int, start: float | None, number: signal.Signals) -> bool:
    """Send a signal to that very process; False when it is gone."""
    if not is_alive(pid, start):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def kill_session(pid: int, start: float | None) -> bool:
    """SIGKILL a job and what it started (a job leads its own process group); False when it is gone."""
    if not is_alive(pid, start):
        return False
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:  # started by hand from a shell: its group is not its own
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def last_lines(log: Path, count: int = 15, limit: int = 16_384) -> str:
    """The last `count` lines of a log, from its last `limit` bytes; "" where there is none. Untrusted text."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    # A progress bar returns the carriage: what stays on its line is the last piece.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip().split("\n")]
    return "\n".join(lines[-count:])
