"""A process beside the queue that talks over its pipes, and ends with whoever started it, whichever way that ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.errors import JobError
from engine.jobs.dispatch import child_environment
from engine.jobs.session import DEVICE_VARIABLE

PATIENCE_SECONDS = 2.0
"""How long a process that was closed may take to end by itself."""
TAIL_BYTES, TAIL_LINES = 8_192, 12
"""Of what the process wrote, shown where it ended without a word."""


class WatchedProcess:
    """One such process; it watches its standard input, and ends when that does."""

    def __init__(self, name: str) -> None:
        """`name`: in words, such as "asking"."""
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    def start(self, command: Sequence[str], folder: Path, visible: str, device: str) -> subprocess.Popen[bytes]:
        """Start the process.

        Args:
            command: with its arguments.
            folder: that it works in.
            visible: of CUDA_VISIBLE_DEVICES.
            device: `cuda:N` or `cpu`.

        Raises:
            JobError: it could not be started.
        """
        environment = {**child_environment(), "CUDA_VISIBLE_DEVICES": visible, DEVICE_VARIABLE: device}
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                cwd=folder,
                # ctrl+c on this terminal is ours to understand; the end of our pipe ends it all the same.
                start_new_session=True,
            )
        except OSError as error:
            step = "`sonotune doctor` shows what this machine has."
            raise JobError(f"The {self.name} process could not be started", str(error), step) from error
        return self.process

    def close(self) -> None:
        """End the process and wait for it (two seconds at most, before it is killed)."""
        process = self.process
        if process is not None:
            with contextlib.suppress(BrokenPipeError):  # it was gone already
                process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._errors.close()

    def death(self, code: int, next_step: str) -> JobError:
        """That the process has ended by itself, with its last words.

        Args:
            code: its exit code; negative where a signal ended it.
            next_step: for the user.
        """
        how = f"Signal {-code} ended it" if code < 0 else f"It ended with exit code {code}"
        return JobError(f"The {self.name} process has ended by itself", f"{how}.\n{self.tail()}".strip(), next_step)

    def tail(self) -> str:
        """The last lines of what the process wrote; untrusted text."""
        try:
            written = os.fstat(self._errors.fileno()).st_size
            data = os.pread(self._errors.fileno(), TAIL_BYTES, max(0, written - TAIL_BYTES))
        except (OSError, ValueError):  # closed meanwhile
            return ""
        return "\n".join(data.decode("utf-8", "replace").rstrip().splitlines()[-TAIL_LINES:])
