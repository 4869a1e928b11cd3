"""What the journals of a workspace tell: who is at work, what runs.db lacks, how a run whose row is lost has ended."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from engine.errors import SonotuneError
from engine.jobs.journal import FILE_NAME, Attempt, Ending, boot_id, last_attempt, read
from engine.jobs.liveness import is_lost
from engine.jobs.process import is_alive
from engine.jobs.reconcile import is_dead
from engine.store.reader import Reader
from engine.store.recorded import ANEW, GOES_ON, Answered, Entry, Happened
from engine.store.records import JobRow
from engine.types import ACTIVE, JobKind
from engine.workspace import Workspace


def living_jobs(workspace: Workspace) -> list[str]:
    """Names of jobs whose process is at work, by their rows, where these can be read, and by their journals."""
    now = time.time()
    found = {f"{_NAMES[job.kind]} {job.id}" for job in _rows(workspace) if _lives(workspace, job, now)}
    for kind, name, path in journal_files(workspace):
        last, lines = last_attempt(path)
        if last is None or (lines and isinstance(lines[-1], Ending)):
            continue
        if last.boot in ("", boot_id()) and is_alive(last.pid, last.process_start):
            found.add(f"{_NAMES[kind]} {name}")
    return sorted(found)


_NAMES = {JobKind.TRAINING: "run", JobKind.EVALUATION: "evaluation"}


def journal_files(workspace: Workspace) -> list[tuple[JobKind, int, Path]]:
    """Journals by the numbers in the names of their folders."""
    runs = sorted(workspace.outputs.glob(f"*/{FILE_NAME}"))
    evaluations = sorted(workspace.outputs.glob(f"evaluations/*/{FILE_NAME}"))
    numbered = [(JobKind.TRAINING, path.parent.name.partition("-")[0], path) for path in runs]
    numbered += [(JobKind.EVALUATION, path.parent.name, path) for path in evaluations]
    return [(kind, int(number), path) for kind, number, path in numbered if number.isdecimal()]


def _rows(workspace: Workspace) -> Sequence[JobRow]:
    try:
        with Reader(workspace) as reader:
            return reader.sound_jobs(ACTIVE)[0]
    except SonotuneError:
        return []  # damaged or gone: the journals tell


def _lives(workspace: Workspace, job: JobRow, now: float) -> bool:
    if job.host is not None and job.host != socket.gethostname():
        return not is_lost(job.state, job.heartbeat, now)  # its process cannot be seen from here
    return not is_dead(workspace, job, now)


def entries_of(kind: JobKind, path: Path) -> list[Entry]:
    """What a journal holds that still counts, in its order.

    The curves of a run go on over all attempts. Of an evaluation the answers of an earlier attempt count only where
    each later one has said that it goes on with them.
    """
    told: list[list[Entry]] = [[]]
    for line in read(path):
        if isinstance(line, Attempt):
            told.append([])
        elif not isinstance(line, Ending):
            told[-1].append(line)
    if kind is JobKind.EVALUATION:
        _leave_out_superseded(told)
    return [entry for attempt in told for entry in attempt]


def _leave_out_superseded(told: list[list[Entry]]) -> None:
    counts = True
    for place in range(len(told) - 1, -1, -1):
        attempt = told[place]
        if not counts:
            told[place] = [entry for entry in attempt if not isinstance(entry, Answered)]
        said = {entry.kind for entry in attempt if isinstance(entry, Happened)}
        answered = any(isinstance(entry, Answered) for entry in attempt)
        # One that has neither answered nor said anything was ended before it began.
        if ANEW in said or (answered and GOES_ON not in said):
            counts = False


def last_ending(journal: Path) -> Ending | None:
    """How the last attempt has ended, in its own words; None where it has left none."""
    _, lines = last_attempt(journal)
    return lines[-1] if lines and isinstance(lines[-1], Ending) else None
