"""A job's log as it grows: read in the poller's thread, a progress bar shown as the last thing it wrote."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from engine import api
from tui.widgets.lines import Paragraph

WARNING_WORDS = ("warning", "warn:")
ERROR_WORDS = ("error", "traceback", "exception", "out of memory")


class LogFeed:
    """What was added to a log, numbered, so that equal pieces are not taken for the same."""

    def __init__(self, file: Path) -> None:
        self._tail = api.LogTail(file)
        self._numbers = count()
        self._last = (-1, "")

    def read(self, _live: api.Live) -> tuple[int, str]:
        """The newest piece; the same answer as before as long as there is none."""
        added = self._tail.read()
        if added or self._last[0] < 0:
            self._last = (next(self._numbers), added)
        return self._last


def paragraphs_of(text: str) -> list[Paragraph]:
    """Lines of a log; what returned the carriage is left out. Untrusted text."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip("\n").split("\n"))
    return [[(line, _tone(line))] for line in lines]


def _tone(line: str) -> str:
    low = line.lower()
    if any(word in low for word in ERROR_WORDS):
        return "bad"
    return "warn" if any(word in low for word in WARNING_WORDS) else "text"
