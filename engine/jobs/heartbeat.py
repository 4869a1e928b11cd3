"""The heartbeat of a job process: a thread of its own, because a compilation can hold the main one for a minute."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType

from engine.errors import StoreError
from engine.jobs.devices import nvml_indices
from engine.store.records import Request
from engine.store.writer import Writer
from engine.telemetry import sample_gpu, sample_host
from engine.types import JobKind
from engine.workspace import Workspace

BEAT_SECONDS = 2.0
POLL_SECONDS = 0.5
"""How often requests are looked for; much cheaper than a beat, and a user waits for it."""

logger = logging.getLogger(__name__)


class Heartbeat:
    """Writes signs of life and telemetry, and collects requests, while its block runs."""

    def __init__(
        self,
        workspace: Workspace,
        kind: JobKind,
        job_id: int,
        *,
        device: str | None = None,
        beat_seconds: float | None = None,
        poll_seconds: float | None = None,
    ) -> None:
        self._workspace, self._kind, self._job_id = workspace, kind, job_id
        self._gpus = nvml_indices(device)
        self._beat_seconds = BEAT_SECONDS if beat_seconds is None else beat_seconds
        self._poll_seconds = POLL_SECONDS if poll_seconds is None else poll_seconds
        self._ended = threading.Event()
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
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=30.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                # A connection belongs to the thread that opened it.
                with Writer.open(self._workspace) as writer:
                    self._beat_until_ended(writer)
            except StoreError as error:
                # A locked or full disk passes; a job must not die of a missed beat, nor go silent for ever.
                logger.warning("heartbeat: %s", error)
                self._ended.wait(self._beat_seconds)

    def _beat_until_ended(self, writer: Writer) -> None:
        beat_at = 0.0
        while not self._ended.is_set():
            self._requests = tuple(writer.pending_requests(self._kind, self._job_id))
            if time.monotonic() >= beat_at:
                self._beat(writer)
                beat_at = time.monotonic() + self._beat_seconds
            self._ended.wait(self._poll_seconds)

    def _beat(self, writer: Writer) -> None:
        self.lost = not writer.heartbeat(self._kind, self._job_id, os.getpid())
        if self.lost:
            return
        # Of several cards the fullest one: it is the first that will be too small.
        seen = [gpu for gpu in map(sample_gpu, self._gpus) if gpu is not None]
        gpu = max(seen, key=lambda each: each.memory_used_bytes, default=None)
        if gpu is not None:
            self.peak_gpu_bytes = max(self.peak_gpu_bytes or 0, gpu.memory_used_bytes)
        writer.add_samples(self._kind, self._job_id, sample_host(), gpu)
