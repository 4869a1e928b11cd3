"""A job's log as it grows: read in the poller's thread, a progress bar shown as the last thing it wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

from engine import api
from tui.widgets.lines import Paragraph

WARNING_WORDS = ("warning", "warn:")
ERROR_WORDS = ("error", "traceback", "exception", "out of memory")


@dataclass(frozen=True, slots=True)
class LogPiece:
    """What was added to a log."""

    number: int
    """Each piece has another one, so that equal ones are not taken for the same."""
    text: str = ""
    """Whole lines; untrusted."""
    tail: str = ""
    """The line that is being written."""


class LogFeed:
    """Follows a log; belongs to the poller's thread."""

    def __init__(self, workspace: api.Workspace, directory: str) -> None:
        """Name the job by its folder, as its row does; nothing is looked at before the first reading."""
        self._workspace, self._directory = workspace, directory
        self._tail: api.LogTail | None = None
        self._numbers = count()
        self._last = LogPiece(-1)
        self.paused = False
        """Nobody sees the log: nothing is read until it is in sight again, and nothing is lost."""

    def read(self, _live: api.Live) -> LogPiece:
        """The newest piece; the same answer as before as long as there is none."""
        if self.paused:
            return self._last
        text, tail = self._read()
        if text or tail != self._last.tail or self._last.number < 0:
            self._last = LogPiece(next(self._numbers), text, tail)
        return self._last

    def _read(self) -> tuple[str, str]:
        if self._tail is None:
            try:
                self._tail = api.LogTail(self._workspace.job_folder(self._directory) / "log.txt")
            except api.StoreError as error:  # a row of somebody else's workspace that leads elsewhere
                return "", str(error).replace("\n", " ")
        return self._tail.read()


def paragraphs_of(text: str) -> list[Paragraph]:
    """Lines of a log; what returned the carriage is left out, and so are sequences for terminals. Untrusted text."""
    return [paragraph_of(line) for line in text.removesuffix("\n").split("\n")] if text else []


def paragraph_of(line: str) -> Paragraph:
    """One line of a log; an empty one where nothing is left."""
    shown = _SEQUENCE.sub("", line.rstrip("\r").rpartition("\r")[2]).translate(_CONTROLS)
    return [(shown, _tone(shown))]


_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b[\]P^_]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160)))


def _tone(line: str) -> str:
    low = line.lower()
    if any(word in low for word in ERROR_WORDS):
        return "bad"
    return "warn" if any(word in low for word in WARNING_WORDS) else "text"
