"""What the worker does each time it looks: collect, settle, cancel, dispatch; then watch, resume and tell.

Nothing that goes wrong with one job keeps the others, and nothing at all ends the worker.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from engine.errors import StoreError
from engine.jobs.auto_resume import AutoResume
from engine.jobs.cancelling import Canceller
from engine.jobs.daily_backups import DailyBackups
from engine.jobs.devices import Device, gpu_count, ids_of, joined
from engine.jobs.dispatch import JobCommand, NoRoomError, Process, note_process, start_job, wanted
from engine.jobs.notify import Notifier
from engine.jobs.process import is_alive
from engine.jobs.queue import next_job
from engine.jobs.reconcile import settle_dead
from engine.jobs.stall_watch import StallWatch
from engine.jobs.trouble import Trouble
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import ACTIVE, JobKind
from engine.workspace import Workspace

AGAIN_SECONDS = 60.0
"""After which a job that could not be started is tried again."""
NO_ROOM_SECONDS = 10.0
"""After which starting is tried again where no job could be started."""

logger = logging.getLogger(__name__)


class Worker:
    """One worker; it keeps nothing that runs.db does not hold, or that the next worker would miss."""

    def __init__(
        self,
        workspace: Workspace,
        command: JobCommand,
        device_list: Sequence[Device],
        canceller: Canceller,
        *,
        resume: bool = False,
    ) -> None:
        """Args: see `engine.jobs.worker.run_worker`; `resume`: queue again what died without a word."""
        self.workspace = workspace
        self.devices = tuple(device_list)
        self.processes: dict[int, Process] = {}
        """Living job processes by PID."""
        self._command = command
        self._canceller = canceller
        self._exit_codes: dict[int, int] = {}
        self._unnoted: list[Process] = []
        """Ended processes that their rows do not name yet."""
        self._trouble = Trouble(workspace)
        self._stalls, self._notifier = StallWatch(), Notifier(workspace)
        self._backups = DailyBackups(workspace)
        self._resume = AutoResume(workspace) if resume else None
        self._passed_over: dict[tuple[JobKind, int], float] = {}
        """Jobs that could not be started, and when they are tried again (monotonic seconds)."""
        self._no_room_until = 0.0
        self._said: set[str] = set()

    def turn(self) -> bool:
        """Look once. False when nothing runs, nothing could be started and nobody has to be told of anything."""
        self._collect()
        if not self._trouble.waits:
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - a lock or a full disk passes, and jobs need no worker to go on
                self._trouble.meet(error)
            else:
                self._trouble.over()
        return bool(self.processes) or self._notifier.busy or self._trouble.passes

    def has_work(self) -> bool:
        """Whether there is a job to start or to settle."""
        try:
            if not self.workspace.database.exists():
                return False
            with Reader(self.workspace) as reader:
                return bool(reader.sound_jobs(ACTIVE)[0]) or self._next(reader) is not None
        except StoreError as error:
            self._trouble.meet(error)
            return False  # a worker that cannot read is of no use; whoever queues the next job starts another

    def _next(self, reader: Reader) -> JobRow | None:
        now = time.monotonic()
        self._passed_over = {key: until for key, until in self._passed_over.items() if until > now}
        loaded = {process.subject for process in self.processes.values() if process.subject}
        return next_job(reader, loaded, gpu_count(self.devices), self._passed_over)

    def _collect(self) -> None:
        for pid, process in list(self.processes.items()):
            if process.has_ended():
                del self.processes[pid]
                self._unnoted += [process] if process.unnoted is not None else []
                if process.child is not None:
                    self._exit_codes[pid] = process.child.returncode

    def _look(self) -> None:
        # Opened anew each time (under a millisecond): a runs.db that was removed and made again is then noticed.
        if not self.workspace.database.exists():
            return
        # It makes none: a job whose runs.db was deleted puts it back.
        with Writer.open(self.workspace, make=False) as writer, Reader(self.workspace) as reader:
            self._note_processes(writer)
            # A process that has ended since it was collected is left for the next turn, which knows its exit code.
            ended = [job for job in self._active(reader) if job.pid not in self.processes]
            for job in ended:
                self._apart(f"settling {job.kind} job {job.id}", partial(self._settle, writer, job))
            living = self._active(reader)
            self._adopt(living)
            self._apart("cancelling", partial(self._canceller.enforce, writer, living))
            self._apart("watching for stalls", partial(self._stalls.look, writer, reader, living))
            if self._resume is not None:
                self._apart("resuming", partial(self._resume.look, writer, reader))
            self._dispatch(writer, reader)
            self._apart("notifications", partial(self._tell, writer, reader))
            self._apart("backup", self._backups.look)

    def _note_processes(self, writer: Writer) -> None:
        """Those that runs.db could not be told of as they started; one that has ended meanwhile is settled then."""
        for process in (*self._unnoted, *self.processes.values()):
            if process.unnoted is not None:
                note_process(writer, process.unnoted, process)
        self._unnoted.clear()

    def _active(self, reader: Reader) -> list[JobRow]:
        jobs, broken = reader.sound_jobs(ACTIVE)
        self._say_once(broken)
        return jobs

    def _apart(self, what: str, work: Callable[[], object]) -> None:
        """Do something whose failure shall not keep the worker from anything else; the database is everybody's."""
        try:
            work()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - logged once with its trace
            self._say_once([f"{what} failed: {type(error).__name__}: {error}"], error)

    def _say_once(self, texts: Sequence[str], error: Exception | None = None) -> None:
        for text in texts:
            if text not in self._said and len(self._said) < 1000:
                self._said.add(text)
                logger.warning("%s", text, exc_info=error)

    def _settle(self, writer: Writer, job: JobRow) -> None:
        if settle_dead(self.workspace, writer, [job], self._exit_codes):
            logger.info("%s job %d is dead and settled", job.kind, job.id)

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
        if time.monotonic() < self._no_room_until:
            return
        busy = {name for process in self.processes.values() for name in ids_of(process.device)}
        free = [device for device in self.devices if device.id not in busy]
        self._say_once(reader.sound_jobs()[1] if free else [])
        while free:
            job = self._next(reader)
            if job is None:
                return
            count = wanted(job, self.devices)
            if count > len(free):
                return  # what is free is held for it
            try:
                process = start_job(self.workspace, writer, job, joined(free[:count]), self._command)
            except NoRoomError as error:
                self._no_room_until = time.monotonic() + NO_ROOM_SECONDS
                self._say_once([str(error)])
                return
            if process is None:
                self._passed_over[job.kind, job.id] = time.monotonic() + AGAIN_SECONDS
                continue
            free = free[count:]
            self._exit_codes.pop(process.pid, None)
            self.processes[process.pid] = process
            logger.info("%s job %d started on %s: process %d", job.kind, job.id, process.device, process.pid)

    def _tell(self, writer: Writer, reader: Reader) -> None:
        def jobs_left() -> bool:
            return bool(self.processes) or bool(reader.sound_jobs(ACTIVE)[0]) or self._next(reader) is not None

        self._notifier.look(writer, reader, jobs_left=jobs_left)
