"""What a job prints goes into its log.txt; a disk that is full must not end the job because of that."""

from __future__ import annotations

import sys
from typing import TextIO


class PatientOutput:
    """A text stream that drops what its file refuses; libraries print at every step, and expect it to work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.dropped = 0
        """Writes that were lost since the last one that was not."""

    def write(self, text: str) -> int:
        """Write if it can be written; a line says afterwards how much was not."""
        try:
            if self.dropped:
                self._stream.write(f"[{self.dropped} writes to this log were lost: the disk was full]\n")
                self.dropped = 0
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self.dropped += 1
        return len(text)

    def flush(self) -> None:
        """Nothing: each write is flushed."""

    def __getattr__(self, name: str) -> object:
        # Everything else (fileno, isatty, encoding ...) is the stream's own.
        return getattr(self._stream, name)


def outlast_full_log() -> None:
    """Make this process's output and errors patient; to be called once, where a job's process starts."""
    sys.stdout = PatientOutput(sys.stdout)
    sys.stderr = PatientOutput(sys.stderr)
