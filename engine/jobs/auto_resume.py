"""Queueing again what died without a word: only where the user has asked the worker for it (`--resume`).

A run that its user has stopped or cancelled stays as it is, and so does one that failed: it would fail again.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.jobs.reconcile import WITHOUT_A_WORD
from engine.store.reader import Reader
from engine.store.records import JobRow
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

MOST_TRIES = 3
"""Without a new checkpoint (for an evaluation: a new prediction) in between."""
NEWEST_SECONDS = 86_400.0
"""What died longer ago was left alone by its user, and is left alone here."""
EVENT = "resumed by the worker"
TRIES = "auto_resume"
"""Key of the setting: tries by job, as `{"training 3": {"reached": 40, "tries": 2}}`."""
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")

logger = logging.getLogger(__name__)


class AutoResume:
    """Looks for jobs to queue again each time the worker looks."""

    def __init__(self, workspace: Workspace, wall: Callable[[], float] = time.time) -> None:
        """Args: `wall`: Unix time; a test sets its own."""
        self.workspace, self._wall = workspace, wall
        self._newest_event = -1

    def look(self, writer: Writer, reader: Reader) -> list[JobRow]:
        """Queue what died, and return those jobs as they were; costs nothing while no event is new."""
        newest = reader.newest_ids()[0]
        if newest == self._newest_event:
            return []
        self._newest_event = newest
        dead = [job for job in reader.jobs((State.INTERRUPTED,)) if self._died(reader, job)]
        if not dead:
            return []
        kept = reader.setting(TRIES)
        tries: dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
        queued = [job for job in dead if self._queue(writer, reader, job, tries)]
        if queued:
            writer.set_setting(TRIES, tries)
        return queued

    def _died(self, reader: Reader, job: JobRow) -> bool:
        if self._wall() - (job.ended_at or 0.0) > NEWEST_SECONDS:
            return False
        if job.reason == WITHOUT_A_WORD:
            return True
        # A machine that shuts down sends SIGTERM: the job then saves and ends as if somebody had stopped it.
        return job.reason.startswith("stopped on request") and not self._asked(reader, job) and _before_boot(job)

    @staticmethod
    def _asked(reader: Reader, job: JobRow) -> bool:
        owner = {"run_id": job.id} if job.kind == JobKind.TRAINING else {"evaluation_id": job.id}
        return any(request.time >= (job.started_at or 0.0) for request in reader.requests(**owner))

    def _queue(self, writer: Writer, reader: Reader, job: JobRow, tries: dict[str, Any]) -> bool:
        key, reached = f"{job.kind.value} {job.id}", self._reached(reader, job)
        before = tries.get(key)
        earlier = before.get("tries") if isinstance(before, dict) and before.get("reached") == reached else 0
        count = (earlier if isinstance(earlier, int) else 0) + 1
        if count > MOST_TRIES:
            return False
        unit = "checkpoint of step" if job.kind == JobKind.TRAINING else "predictions:"
        detail = f"it died ({job.reason}); try {count} of {MOST_TRIES} from the same place ({unit} {reached})"
        others = {"resumes": reader.run(job.id).resumes + 1} if job.kind == JobKind.TRAINING else {}
        if not writer.transition(job.kind, job.id, State.INTERRUPTED, State.QUEUED, "resumed by the worker", **others):
            return False
        tries[key] = {"reached": reached, "tries": count}
        writer.add_event(job.kind, job.id, EVENT, detail)
        logger.info("%s job %d is queued again: %s", job.kind, job.id, detail)
        return True

    def _reached(self, reader: Reader, job: JobRow) -> int:
        if job.kind == JobKind.EVALUATION:
            return reader.prediction_count(job.id)
        folder = self.workspace.job_folder(job.directory) / "checkpoints"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return max((int(found.group(1)) for name in names if (found := _CHECKPOINT.fullmatch(name))), default=0)


def _before_boot(job: JobRow) -> bool:
    """Whether it ended before this machine started: by the clock on the wall, which is all that a row has."""
    try:
        text = Path("/proc/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return False
    found = re.search(r"^btime (\d+)$", text, re.MULTILINE)
    return found is not None and (job.ended_at or 0.0) < float(found.group(1))
