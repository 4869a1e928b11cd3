"""The heartbeat of a job process: a thread of its own, because a compilation can hold the main one for a minute."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from types import TracebackType

from engine.errors import SonotuneError, StoreError
from engine.jobs.database_file import DatabaseFile, FileId, Place, file_id, put_back
from engine.jobs.devices import nvml_indices
from engine.jobs.disk import DiskWatch
from engine.jobs.process import process_start
from engine.store.recorded import Owner
from engine.store.records import Request
from engine.store.writer import Writer
from engine.telemetry import sample_gpu, sample_host
from engine.types import JobKind
from engine.workspace import Workspace

BEAT_SECONDS = 2.0
POLL_SECONDS = 0.5
"""How often requests are looked for; much cheaper than a beat, and a user waits for it."""
BUSY_SECONDS = 2.0
"""How long one beat waits for another writer: the next one comes soon, and requests are looked for in between."""
OPEN_SECONDS = 2.0
"""How long the work waits, at its beginning, until the thread has runs.db open: some milliseconds."""
PUT_BACK_AGAIN_SECONDS = 10.0
KEEP_SECONDS = 5.0
"""How often is looked whether the queue has a worker."""

logger = logging.getLogger(__name__)


def _nobody(kind: str, detail: str) -> None:
    """Where there is no history to tell."""


class Heartbeat:
    """Writes signs of life and telemetry, collects requests, and looks after runs.db, while its block runs."""

    def __init__(
        self,
        workspace: Workspace,
        kind: JobKind,
        job_id: int,
        *,
        device: str | None = None,
        beat_seconds: float | None = None,
        poll_seconds: float | None = None,
        tell: Callable[[str, str], None] = _nobody,
        keep_worker: bool = False,
    ) -> None:
        """Args:
        workspace: whose runs.db has the row.
        kind: of the job.
        job_id: of the job.
        device: `cuda:N` or `cpu`, whose telemetry is recorded.
        beat_seconds, poll_seconds: see above.
        tell: adds a line to the job's history; called from the thread.
        keep_worker: start a worker where there is none.
        """
        self._workspace, self._kind, self._job_id = workspace, kind, job_id
        self._gpus = nvml_indices(device)
        self._beat_seconds = BEAT_SECONDS if beat_seconds is None else beat_seconds
        self._poll_seconds = POLL_SECONDS if poll_seconds is None else poll_seconds
        self._tell, self._keep_worker = tell, keep_worker
        self._owner = Owner(os.getpid(), process_start(os.getpid()))
        # Now, while the claim is fresh: the thread may open runs.db for the first time after another came to its place.
        self._home: FileId | None = file_id(workspace)
        self._put_back_at = self._keep_at = 0.0
        self._said: str | None = None
        self._disk = DiskWatch(workspace.root, tell)
        self._ended, self._looked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{kind}-{job_id}", daemon=True)
        self._requests: tuple[Request, ...] = ()
        self.lost = False
        """The row is no longer this process's: somebody settled it, so the job must end without writing to it."""
        self.peak_gpu_bytes: int | None = None
        """Largest memory of the whole card seen so far."""

    def requests(self) -> tuple[Request, ...]:
        """Pending requests, oldest first, as of the last poll. Touches no database: may be called at every step."""
        return self._requests

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        # Until it has runs.db open, nobody could put that back where it is deleted.
        self._looked.wait(OPEN_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=30.0)
        # Once more at the end: a worker that was killed moments ago would leave the next job waiting.
        self._keep_at = 0.0
        self._look_for_worker()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                # A connection belongs to the thread that opened it. It makes no runs.db: an empty one is no use.
                with (
                    Writer.open(self._workspace, busy_seconds=BUSY_SECONDS, make=False) as writer,
                    closing(DatabaseFile(self._workspace)) as file,
                ):
                    self._require_ours(writer, file)
                    self._say(None)
                    self._looked.set()
                    self._beat_until_ended(writer, file)
            except StoreError as error:
                # A locked or full disk passes; a job must not die of a missed beat, nor go silent for ever.
                self._looked.set()
                self._say(error)
                self._look_for_worker()
                self._ended.wait(self._beat_seconds)

    def _say(self, error: StoreError | None) -> None:
        """Each trouble once, and not at every beat."""
        if error is not None and error.title != self._said:
            logger.warning("heartbeat: %s", error)
        self._said = None if error is None else error.title

    def _require_ours(self, writer: Writer, file: DatabaseFile) -> None:
        """The first file is the one that the job was claimed in; another one must have its row.

        Raises:
            StoreError: it has not.
        """
        if self._home not in (None, file.id) and not writer.owns(self._kind, self._job_id, self._owner):
            raise StoreError(f"Another {self._workspace.database.name} has come to the place of this job's")
        self._home = file.id

    def _beat_until_ended(self, writer: Writer, file: DatabaseFile) -> None:
        beat_at = 0.0
        while not self._ended.is_set() and self._in_place(writer, file):
            self._requests = tuple(writer.pending_requests(self._kind, self._job_id))
            if time.monotonic() >= beat_at:
                writer.refuse_newer()
                self._beat(writer)
                self._look_for_worker()
                beat_at = time.monotonic() + self._beat_seconds
            self._ended.wait(self._poll_seconds)

    def _in_place(self, writer: Writer, file: DatabaseFile) -> bool:
        """Whether the open file is still of use; one that was deleted is put back, and opened anew like another one."""
        place = file.place()
        if place is Place.DELETED and time.monotonic() >= self._put_back_at:
            self._put_back_at = time.monotonic() + PUT_BACK_AGAIN_SECONDS
            try:
                if put_back(self._workspace, writer):
                    self._tell("database", "runs.db had been deleted; it was put back with all its rows")
            except StoreError as error:
                self._say(error)
                return True  # the deleted file is all there is: it must stay open
            return False
        if place is Place.MOVED:
            self._say(StoreError(f"{self._workspace.database} was moved away: this job goes on in the moved file"))
        return place is not Place.OTHER

    def _beat(self, writer: Writer) -> None:
        beaten = writer.heartbeat(self._kind, self._job_id, os.getpid())
        self.lost = not beaten and writer.is_taken(self._kind, self._job_id, self._owner)
        if not beaten:
            return
        # Of several cards the fullest one: it is the first that will be too small.
        seen = [gpu for gpu in map(sample_gpu, self._gpus) if gpu is not None]
        gpu = max(seen, key=lambda each: each.memory_used_bytes, default=None)
        if gpu is not None:
            self.peak_gpu_bytes = max(self.peak_gpu_bytes or 0, gpu.memory_used_bytes)
        writer.add_samples(self._kind, self._job_id, sample_host(), gpu)
        self._disk.look()

    def _look_for_worker(self) -> None:
        if not self._keep_worker or time.monotonic() < self._keep_at:
            return
        self._keep_at = time.monotonic() + KEEP_SECONDS
        from engine.jobs.keeping import keep_worker

        try:
            keep_worker(self._workspace)
        except SonotuneError as error:
            logger.warning("no worker could be started: %s", error)
