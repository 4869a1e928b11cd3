"""A job's own record of what it measures, beside runs.db: one line an entry in `journal.jsonl` of its folder.

Whatever befalls runs.db, a line that was written outlives the process (it is not synced, so a power cut may take the
last moments, as in SQLite's own log). Each attempt begins with a line that names its process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from engine.jobs.journal_lines import Attempt, Ending, Line, boot_id, decoded, encoded
from engine.store.recorded import Entry

__all__ = [
    "FILE_NAME",
    "Attempt",
    "Ending",
    "Journal",
    "attempts",
    "boot_id",
    "last_attempt",
    "leave_word",
    "lines_of",
    "read",
]

FILE_NAME = "journal.jsonl"
_AGAIN_SECONDS = 1.0
"""How often an append is tried again where the disk refuses."""

logger = logging.getLogger(__name__)


class Journal:
    """Appends lines; made (owner-only) with its folder by the first of them. Used under a lock of its user's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._descriptor: int | None = None
        self._torn = False
        self._waiting: list[bytes] = []
        """What the disk has refused; written before anything else as soon as it can be."""
        self._again_at = 0.0

    def append(self, line: Line) -> bool:
        """Write one line; False where the disk refuses (told once in the log, and tried again with the next lines)."""
        self._waiting.append(json.dumps(encoded(line), separators=(",", ":"), default=float).encode("ascii") + b"\n")
        if len(self._waiting) > 1 and time.monotonic() < self._again_at:
            return False
        try:
            while self._waiting:
                self._write(self._waiting[0])
                del self._waiting[0]
        except OSError as error:
            if not self._again_at:
                logger.warning("%s cannot be written: %s; its lines are kept in memory", self.path, error)
            self._again_at = time.monotonic() + _AGAIN_SECONDS
            return False
        self._again_at = 0.0
        return True

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = self._open()
        # After a write that was cut short the next line begins on a line of its own.
        data = b"\n" + line if self._torn else line
        self._torn = True
        if os.write(self._descriptor, data) != len(data):
            raise OSError(f"only a part of a line of {len(data)} bytes was written")
        self._torn = False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        size = os.fstat(descriptor).st_size
        self._torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        return descriptor

    def remove(self) -> None:
        """Remove the file; one that cannot be removed does no harm."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def leave_word(folder: Path, ending: Ending) -> None:
    """Write an attempt of this process that never began, and how it ended, for whoever finds the process gone."""
    journal = Journal(folder)
    try:
        journal.append(Attempt.of_this_process())
        journal.append(ending)
    finally:
        journal.close()


def read(path: Path) -> Iterator[Line]:
    """All lines that can be understood, oldest first; none where there is no journal. Torn ones are passed over."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("%s cannot be read: %s", path, error)
        return
    with file:
        for raw in file:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                yield decoded(json.loads(raw))


def attempts(path: Path) -> list[Attempt]:
    """The attempts that a journal tells of, oldest first."""
    try:
        with path.open("rb") as file:
            raw_lines = [line for line in file if line.startswith(b'{"attempt"')]
    except OSError:
        return []
    found = []
    for raw in raw_lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            line = decoded(json.loads(raw))
            found += [line] if isinstance(line, Attempt) else []
    return found


def last_attempt(path: Path) -> tuple[Attempt | None, list[Entry | Ending]]:
    """The newest attempt that a journal tells of, and what it has left; None and nothing where there is none."""
    found = attempts(path)
    return (found[-1], lines_of(path, found[-1].pid, found[-1].process_start)) if found else (None, [])


def lines_of(path: Path, pid: int | None, start: float | None) -> list[Entry | Ending]:
    """What the attempt of that process has left, in its order; empty where it is not the journal's last one."""
    kept: list[Entry | Ending] = []
    ours = False
    for line in read(path):
        if isinstance(line, Attempt):
            kept, ours = [], line.is_of(pid, start)
        elif ours:
            kept.append(line)
    return kept
