"""Telling the user what happened, by a command of theirs: the worker's part, which never waits for that command.

At least once: a cursor over `events` lies in `settings` and moves on when the command has ended. So a death that
somebody else has settled, and what happened while no worker lived, is told by the next worker (up to a day late).
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.errors import JobError
from engine.jobs.notify_command import Delivery, Notice, log_delivery
from engine.jobs.notify_settings import NotifySettings, notify_settings
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import ENDED, Event, JobKind, State
from engine.user_files import settings_file
from engine.workspace import Workspace

CURSOR = "notified"
"""Key of the setting: `{"event": id}`, of the last event that was dealt with."""
OLDEST_SECONDS = 86_400.0
RETRY_SECONDS = (10.0, 60.0)
"""Pauses before the command is tried again where it failed; after the last one the notice is given up, and logged."""
_EVENT_WORDS = {
    **{state.value: state.value for state in ENDED},
    "stalled": "stalled",
    "low disk": "low disk",
    "disk full": "low disk",
}
"""Occasion by kind of event."""
_OF_EVALUATIONS = frozenset({"failed", "interrupted", "stalled", "low disk"})
"""A run has several evaluations, and that each of them succeeded is no news."""

logger = logging.getLogger(__name__)


def notify_log(workspace: Workspace) -> Path:
    """What became of each notice."""
    return workspace.outputs / "notify.log"


class Notifier:
    """Reads new events each time the worker looks, and runs the command for one after the other."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.workspace, self._environment = workspace, environment
        self._clock, self._wall = clock, wall
        self._settings, self._stamp = NotifySettings(), object()
        self._read_to: int | None = None
        """Newest event that was looked at; None before the cursor was read."""
        self._waiting: deque[tuple[int, Notice]] = deque()
        self._delivery: Delivery | None = None
        self._tries, self._not_before = 0, 0.0
        self._busy_from: int | None = None
        """Newest event at the time when the queue began to be busy; None while it is empty."""

    @property
    def busy(self) -> bool:
        """Whether somebody still has to be told: the worker does not end before."""
        return self._delivery is not None or bool(self._waiting)

    def look(self, writer: Writer, reader: Reader, *, jobs_left: Callable[[], bool]) -> None:
        """Read new events, and start, collect or repeat the command; returns at once.

        Args:
            writer: keeps the cursor.
            reader: of the same database.
            jobs_left: tells whether a job runs or can start; asked only where the user wants to be told.
        """
        if not self._refreshed().command:
            self._read_to, self._busy_from, self._delivery = None, None, None
            self._waiting.clear()
            return
        self._read_events(writer, reader)
        self._watch_queue(reader, jobs_left())
        self._collect(writer)
        self._deliver()

    def _refreshed(self) -> NotifySettings:
        try:
            found = settings_file(self._environment).stat()
            stamp: object = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._stamp = stamp
            self._settings = notify_settings(self.workspace, self._environment)
            for problem in self._settings.problems:
                logger.warning("notifications: %s", problem)
        return self._settings

    def _read_events(self, writer: Writer, reader: Reader) -> None:
        newest = reader.newest_ids()[0]
        if self._read_to is None:
            kept = reader.setting(CURSOR)
            known = kept.get("event") if isinstance(kept, dict) else None
            # A database that was put back from a backup may know fewer events than the cursor.
            self._read_to = min(known, newest) if isinstance(known, int) else newest
            if known != self._read_to:
                writer.set_setting(CURSOR, {"event": self._read_to})
        if newest <= self._read_to:
            return
        oldest = self._wall() - OLDEST_SECONDS
        for event in reader.events(after_id=self._read_to):
            self._read_to = event.id
            occasion = _EVENT_WORDS.get(event.kind)
            if occasion not in self._settings.on or event.time < oldest:
                continue
            if event.evaluation_id is None or occasion in _OF_EVALUATIONS:
                self._waiting.append((event.id, notice_of(reader, event, occasion, self.workspace)))

    def _watch_queue(self, reader: Reader, jobs_left: bool) -> None:
        if jobs_left:
            if self._busy_from is None:
                self._busy_from = self._read_to
            return
        begun, self._busy_from = self._busy_from, None
        if begun is None or "queue finished" not in self._settings.on:
            return
        counts = Counter(event.kind for event in reader.events(after_id=begun))
        ends = ", ".join(f"{counts[state]} {state}" for state in ENDED if counts[state])
        left = len(reader.jobs((State.QUEUED,)))
        waiting = f"; {left} cannot start (`sonotune queue` says why)" if left else ""
        text = f"the queue is finished: {ends or 'nothing ended'}{waiting}"
        self._waiting.append(
            (self._read_to or 0, Notice("queue finished", text, time=self._wall(), workspace=str(self.workspace.root)))
        )

    def _collect(self, writer: Writer) -> None:
        delivery = self._delivery
        if delivery is None or not delivery.ended:
            return
        try:
            log_delivery(notify_log(self.workspace), delivery)
        except OSError as error:
            logger.warning("notify.log: %s", error)
        self._delivery = None
        if delivery.problem and self._tries < len(RETRY_SECONDS):
            self._not_before = self._clock() + RETRY_SECONDS[self._tries]
            self._tries += 1
            return
        if delivery.problem:
            logger.warning("a notice was given up after %d tries: %s", self._tries + 1, delivery.problem)
        self._tries, self._not_before = 0, 0.0
        event_id = self._waiting.popleft()[0] if self._waiting else 0
        # All events up to here are dealt with: also those that nobody wanted to be told of.
        writer.set_setting(CURSOR, {"event": event_id if self._waiting else self._read_to})

    def _deliver(self) -> None:
        if self._delivery is None and self._waiting and self._clock() >= self._not_before:
            notice = self._waiting[0][1]
            self._delivery = Delivery(self._settings.command, notice, environment=self._environment).start()


def notice_of(reader: Reader, event: Event, occasion: str, workspace: Workspace) -> Notice:
    """An event in words, with the job that it happened to."""
    common: dict[str, Any] = {
        "event": occasion,
        "reason": event.detail,
        "time": event.time,
        "workspace": str(workspace.root),
    }
    kind = JobKind.TRAINING if event.run_id is not None else JobKind.EVALUATION
    job_id = event.run_id if event.run_id is not None else event.evaluation_id
    try:
        job = None if job_id is None else reader.job(kind, job_id)
    except JobError:  # it was removed since
        job = None
    if job is None:
        return Notice(text=f"{event.kind}: {event.detail}", **common)
    verb = {"stalled": "has stalled", "low disk": "is short of disk"}.get(occasion, f"has {_past(occasion)}")
    return Notice(
        text=f"{'run' if kind == JobKind.TRAINING else 'evaluation'} {job.id} ({job.name}) {verb}: {event.detail}",
        kind=kind.value,
        id=job.id,
        run=job.run_id,
        name=job.name,
        state=job.state.value,
        next_step=job.error_next_step or "",
        **common,
    )


def _past(occasion: str) -> str:
    return f"been {occasion}" if occasion in ("cancelled", "interrupted") else occasion


def try_notification(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Delivery | None:
    """Run the command once with a notice that says it is a test, and wait for it; None where none is set."""
    settings = notify_settings(workspace, environment)
    if not settings.command:
        return None
    text = "a test: this is how sonotune tells you what happened"
    notice = Notice("test", text, time=time.time(), workspace=str(workspace.root))
    delivery = Delivery(settings.command, notice, environment=environment).start().wait()
    try:
        log_delivery(notify_log(workspace), delivery)
    except OSError as error:
        logger.warning("notify.log: %s", error)
    return delivery
