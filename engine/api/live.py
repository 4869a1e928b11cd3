"""What a screen that stays open asks: one read-only connection that is kept, and answers that are ready to be shown.

A `Live` belongs to one thread. It survives everything that may happen to runs.db: a file that is not there yet reads
as empty, one that was replaced is opened anew, and one that cannot be read is a StoreError that says what to do, each
time, until it can be read again.
"""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import JobError, StoreError, UnmadeError
from engine.jobs.liveness import LOST, STALLED, shown_state
from engine.jobs.reconcile import settle_dead_jobs
from engine.jobs.worker import WorkerStatus, worker_status
from engine.store.reader import Reader
from engine.store.reader_live import CurveBatch, RunListRow
from engine.types import ACTIVE, Event, State
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.records import EvaluationRow, Note, RunRow, SampleRow
    from engine.types import Score

BUSY_SECONDS = 2.0
"""How long a read waits for a lock: a reader in WAL mode waits for nobody but a checkpoint or an exclusive lock."""
LONGEST_LINE = 8 * 1024
"""Bytes that are kept of a line of a log that has not ended."""
MOST_BYTES = 1 << 20
"""Read of a log at a time; what is more comes with the next call."""
SPEED_STEPS = 32
"""Steps whose median duration the remaining time is reckoned with: one slow step must not double it."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What goes on in the workspace, in figures."""

    running: int
    """Runs and evaluations with a sign of life; also those that are starting."""
    lost: int
    """Those that should be alive and have gone silent."""
    queued: int
    worker: WorkerStatus
    paused: bool
    """The queue is paused: nothing new is started."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run with everything but its curves and its log."""

    run: RunRow
    evaluations: tuple[EvaluationRow, ...]
    scores: Mapping[int, tuple[Score, ...]]
    """By evaluation id."""
    events: tuple[Event, ...]
    tags: tuple[str, ...]
    notes: tuple[Note, ...]
    pending: tuple[str, ...]
    """Actions that were asked for and not carried out yet."""
    sample: SampleRow | None
    """The newest telemetry."""
    step_seconds: float | None
    """Median duration of the newest steps."""
    eta_seconds: float | None
    """Remaining time; None unless it runs and its length is known."""


@dataclass(slots=True)
class Live:
    """Reads for one thread; see the module's text."""

    workspace: Workspace
    _reader: Reader | None = None
    _file: tuple[int, int] | None = None
    _opened: int = 0
    """How often a database was opened: a new file may get the number of one that was deleted."""
    _version: object = None
    """What `version` said last."""
    _listed: tuple[object, tuple[RunListRow, ...]] = (None, ())
    """The last list of runs, and what it was true for."""

    def close(self) -> None:
        """Close the connection; a later question opens it again."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._file = None, None

    def reader(self) -> Reader | None:
        """The open reader; None where nothing has been recorded yet.

        Raises:
            StoreError: runs.db is damaged, foreign, locked or of another version.
        """
        now = _identity(self.workspace.database)
        if now != self._file:
            self.close()
        if self._reader is None and now is not None:
            try:
                self._reader = Reader(self.workspace, busy_seconds=BUSY_SECONDS)
            except UnmadeError:
                return None
            self._file = now
            self._opened += 1
        return self._reader

    def version(self) -> object:
        """A value that changes when somebody has written; equal values mean that nothing has happened.

        Raises:
            StoreError: see `reader`; also where somebody has brought the database to a newer version meanwhile.
        """
        reader = self.reader()
        version = None if reader is None else (self._opened, reader.data_version())
        if reader is not None and version != self._version:
            reader.check_version()
        self._version = version
        return version

    def overview(self, now: float | None = None) -> Overview:
        """Counts of jobs, the worker, the state of the queue; `now` is Unix time, the present by default."""
        reader = self.reader()
        jobs = [] if reader is None else reader.jobs()
        states = Counter(shown_state(job, now) for job in jobs)
        return Overview(
            running=sum(states[state] for state in (*ACTIVE, STALLED)),
            lost=states[LOST],
            queued=states[State.QUEUED],
            worker=worker_status(self.workspace),
            paused=reader is not None and bool(reader.setting("queue_paused")),
        )

    def run_list(self, filter_text: str = "") -> tuple[RunListRow, ...]:
        """All runs that a filter leaves, newest first, in the columns of a list.

        Ten thousand rows are read again only when an event says that something other than progress has changed; between
        two events only the active ones are.

        Raises:
            FilterError: what cannot be understood, and where.
        """
        reader = self.reader()
        if reader is None:
            return ()
        stamp = (self._opened, reader.newest_ids()[0], filter_text)
        if self._listed[0] != stamp:
            self._listed = (stamp, tuple(reader.run_list(filter_text=filter_text)))
        rows = self._listed[1]
        active = {row.id: row for row in reader.active_runs()}
        return tuple(active.get(row.id, row) for row in rows) if active else rows

    def sparks(self, run_ids: Sequence[int], points: int = 24) -> dict[int, list[float]]:
        """Loss curves of some runs, about `points` values each, for sparklines."""
        reader = self.reader()
        return {} if reader is None else {run: reader.sampled_curve(run, "loss", points) for run in run_ids}

    def progress(self, run_ids: Sequence[int]) -> dict[int, tuple[float | None, float | None]]:
        """Latest loss, and median seconds a step of the newest steps, by run."""
        reader = self.reader()
        if reader is None:
            return {}
        return {run: (reader.latest_metric(run, "loss"), self._step_seconds(reader, run)) for run in run_ids}

    def run_view(self, run: int | str) -> RunView:
        """One run by id or name; JobError where there is none."""
        reader = self.reader()
        if reader is None:
            raise JobError(f"There is no run {run}", next_step="`sonotune runs` lists them.")
        row = reader.run(run)
        evaluations = tuple(reader.evaluations(row.id))
        seconds = self._step_seconds(reader, row.id)
        return RunView(
            run=row,
            evaluations=evaluations,
            scores={each.id: tuple(reader.scores(each.id)) for each in evaluations},
            events=tuple(reader.events(run_id=row.id)),
            tags=tuple(reader.tags(row.id)),
            notes=tuple(reader.notes(row.id)),
            pending=tuple(str(each.action) for each in reader.requests(run_id=row.id) if each.settled_at is None),
            sample=reader.latest_sample(row.id),
            step_seconds=seconds,
            eta_seconds=eta_seconds(row.state, row.step, row.planned_steps, seconds),
        )

    def curves(self, run_id: int, keys: Sequence[str], after_id: int = 0) -> CurveBatch:
        """New points of some curves of a run; see `Reader.curve_points`."""
        reader = self.reader()
        return CurveBatch(0) if reader is None else reader.curve_points(run_id, keys, after_id)

    def settle(self) -> int:
        """Where no worker is left to notice it: mark jobs that died, and return how many. The one thing that writes."""
        reader = self.reader()
        if reader is None or not reader.jobs(ACTIVE) or worker_status(self.workspace).running:
            return 0
        return len(settle_dead_jobs(self.workspace, busy_seconds=BUSY_SECONDS))

    @staticmethod
    def _step_seconds(reader: Reader, run_id: int) -> float | None:
        values = reader.recent_values(run_id, "step_seconds", SPEED_STEPS)
        return statistics.median(values) if values else None


def eta_seconds(state: State, step: int, planned: int | None, step_seconds: float | None) -> float | None:
    """Remaining training time of a running run, from its recent speed; None where it cannot be told."""
    if state != State.RUNNING or planned is None or step_seconds is None:
        return None
    return max(0, planned - step) * step_seconds


def _identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where it is absent, or still empty because somebody is about to fill it.

    Raises:
        StoreError: its folder may not be looked into.
    """
    try:
        found = os.stat(file)  # noqa: PTH116 - four times a second: a Path would only cost
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"{file}: {error.strerror or error}."
        step = "Check the permissions of the folder, or choose another with --workspace."
        raise StoreError(f"{file.name} cannot be opened", reason, step) from error
    return (found.st_dev, found.st_ino) if found.st_size else None


@dataclass(slots=True)
class LogTail:
    """Follows a log file by position; belongs to one thread."""

    file: Path
    first_bytes: int = 96 * 1024
    """Of a long log, the first read takes only so much of its end."""
    _position: int = -1
    _inode: int = 0

    def read(self) -> tuple[str, str]:
        """Lines that were added since the last call (at first, the end of the log), and the line being written now.

        Both are "" where there is nothing, as where there is no file; untrusted text. A line that is written over again
        and again (a progress bar) has carriage returns in it.
        """
        try:
            data = self._data()
        except OSError:  # it is not there yet, or not any more
            return "", ""
        whole = data.rfind(b"\n") + 1
        rest = data[whole:]
        if len(rest) > LONGEST_LINE:  # its end will do, and shall not be read again twice a second
            self._position += len(rest) - LONGEST_LINE
            rest = rest[-LONGEST_LINE:]
        self._position += whole
        return data[:whole].decode("utf-8", "replace"), rest.decode("utf-8", "replace")

    def _data(self) -> bytes:
        with self.file.open("rb") as stream:
            found = os.fstat(stream.fileno())
            first = self._position < 0
            if first:
                self._position = max(0, found.st_size - self.first_bytes)
            elif found.st_size < self._position or found.st_ino != self._inode:  # cut short, or another file
                self._position = 0
            self._inode = found.st_ino
            stream.seek(self._position)
            data = stream.read(MOST_BYTES)
        if first and self._position:  # begun in the middle of a line
            begun = data.find(b"\n") + 1
            self._position += begun
            data = data[begun:]
        return data
