"""What keeps the worker from its work: logged once, not twice a second, and left where `worker --status` finds it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import SonotuneError
from engine.files import write_whole
from engine.text import one_line
from engine.workspace import Workspace

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
"""Between two tries: a busy loop helps nobody, and what has become well must be noticed within seconds."""
SAY_AGAIN_SECONDS = 600.0
LONGEST_TROUBLE_SECONDS = 3600.0
LONGEST_WORDS = 500

logger = logging.getLogger(__name__)


def trouble_file(workspace: Workspace) -> Path:
    """Where a worker in trouble says so; absent while all is well."""
    return workspace.outputs / "worker-trouble.json"


def trouble_of(workspace: Workspace, pid: int | None) -> str:
    """What the worker with this PID is in trouble with, and since when; "" where all is well. Untrusted text."""
    try:
        found = json.loads(trouble_file(workspace).read_text(encoding="utf-8"))
        since = time.strftime("%d %b %H:%M", time.localtime(float(found["since"])))
        return f"{one_line(found['words'])} (since {since})" if found["pid"] == pid else ""
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return ""  # none was left, or by another worker that died while it wrote


class Trouble:
    """Counts tries that failed in a row."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace, self._clock = workspace, clock
        self._words, self._said_at, self._since = "", 0.0, 0.0
        self._pause, self._not_before, self._passing = 0.0, 0.0, False

    @property
    def waits(self) -> bool:
        """Whether it is too early for another try."""
        return self._clock() < self._not_before

    @property
    def passes(self) -> bool:
        """Whether the worker is in trouble that passes by itself, such as a locked database or a full disk: it stays
        for up to an hour, because who would start the queued jobs if it went?"""
        return self._passing and time.time() - self._since < LONGEST_TROUBLE_SECONDS

    def meet(self, error: Exception) -> None:
        """A try has failed: log it where it is new, and wait a little longer each time."""
        now = self._clock()
        self._passing = isinstance(error.__cause__, sqlite3.OperationalError)
        self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause or FIRST_PAUSE_SECONDS)
        self._not_before = now + self._pause
        expected = isinstance(error, SonotuneError)
        words = one_line(error if expected else f"{type(error).__name__}: {error}")[:LONGEST_WORDS]
        if words != self._words or now - self._said_at > SAY_AGAIN_SECONDS:
            self._said_at = now
            logger.warning("%s", words, exc_info=None if expected else error)
            self._since = self._since or time.time()
            self._leave(words)
        self._words = words

    def over(self) -> None:
        """A try has worked."""
        if not self._words:
            return
        logger.info("the worker is at work again")
        self._words, self._pause, self._since, self._passing = "", 0.0, 0.0, False
        with contextlib.suppress(OSError):  # it names this worker, and nobody reads it once that has gone
            trouble_file(self._workspace).unlink(missing_ok=True)

    def _leave(self, words: str) -> None:
        file = trouble_file(self._workspace)
        text = json.dumps({"pid": os.getpid(), "since": self._since, "words": words})
        with contextlib.suppress(OSError):  # a full disk is often the very trouble; the log has it too
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text)
