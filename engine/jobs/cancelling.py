"""Making a cancel request come true for a job that does not answer it."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Sequence

from engine.jobs.process import kill_session, signal_process
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import Action, JobKind

logger = logging.getLogger(__name__)

_Key = tuple[JobKind, int]


class Canceller:
    """Sends SIGTERM to a job that has had a cancel request for `grace_seconds`, and SIGKILL after twice that.

    Counted from when this worker first saw the request: a clock that is set, or a new worker, only prolongs it.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._seen: dict[_Key, float] = {}
        self._termed: set[_Key] = set()

    def enforce(self, writer: Writer, living: Sequence[JobRow]) -> None:
        """Look at the active jobs once; their rows are settled when they are found dead, not here."""
        now = time.monotonic()
        wanted = {(job.kind, job.id): job for job in living if self._must_go(writer, job)}
        self._seen = {key: self._seen.get(key, now) for key in wanted}
        self._termed &= set(wanted)
        for key, job in wanted.items():
            waited = now - self._seen[key]
            if job.pid is None:
                continue
            if waited >= 2 * self._grace:
                kill_session(job.pid, job.process_start)
                logger.warning("%s job %d did not answer: killed", job.kind, job.id)
            elif waited >= self._grace and key not in self._termed:
                self._termed.add(key)
                signal_process(job.pid, job.process_start, signal.SIGTERM)

    @staticmethod
    def _must_go(writer: Writer, job: JobRow) -> bool:
        if job.host != socket.gethostname():
            return False
        return any(request.action == Action.CANCEL for request in writer.pending_requests(job.kind, job.id))
