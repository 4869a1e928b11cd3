"""Running the user's command for one notice: in a thread, without a shell, for a limited time, with limited output."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from engine.text import one_line

LIMIT_SECONDS = 30.0
KEPT_OUTPUT_BYTES = 4096
LARGEST_LOG_BYTES = 256 * 1024
LONGEST_TEXT = 2000
LONGEST_NAME = 200
_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Notice:
    """What the command is told. All texts are without control characters, on one line; they remain untrusted."""

    event: str
    """One of `engine.jobs.notify_settings.OCCASIONS`, or `test`."""
    text: str
    """A sentence for people."""
    kind: str = ""
    """`training` or `evaluation`; "" for the queue as a whole."""
    id: int | None = None
    run: int | None = None
    """Number of the run; for an evaluation, of the run that it measures."""
    name: str = ""
    state: str = ""
    reason: str = ""
    next_step: str = ""
    time: float = 0.0
    """Unix time of the event."""
    workspace: str = ""

    def cleaned(self) -> Notice:
        """The same, with texts that are safe on a terminal and in an environment variable, and not too long."""
        texts = {
            key: one_line(value)[: LONGEST_NAME if key == "name" else LONGEST_TEXT].strip()
            for key, value in asdict(self).items()
            if isinstance(value, str)
        }
        texts["workspace"] = one_line(self.workspace)  # whole: it is a path
        return Notice(**{**asdict(self), **texts})

    def variables(self) -> dict[str, str]:
        """Environment variables of the command."""
        return {
            "SONOTUNE_EVENT": self.event,
            "SONOTUNE_TEXT": self.text,
            "SONOTUNE_KIND": self.kind,
            "SONOTUNE_ID": "" if self.id is None else str(self.id),
            "SONOTUNE_RUN": "" if self.run is None else str(self.run),
            "SONOTUNE_NAME": self.name,
            "SONOTUNE_STATE": self.state,
            "SONOTUNE_REASON": self.reason,
            "SONOTUNE_NEXT_STEP": self.next_step,
            "SONOTUNE_WORKSPACE": self.workspace,
        }


class Delivery:
    """One run of the command."""

    def __init__(
        self,
        command: Sequence[str],
        notice: Notice,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Prepare it; `environment` is the command's, to which variables are added."""
        self.command, self.notice = tuple(command), notice.cleaned()
        self.limit_seconds, self._environment = limit_seconds, environment
        self.output = b""
        """The first 4096 bytes of what it wrote; untrusted."""
        self.problem = "it has not ended"
        """Why it did not do its work, in words; "" where it ended with exit code 0."""
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> Delivery:
        """Run it beside everything else."""
        self._thread.start()
        return self

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return not self._thread.is_alive()

    def wait(self) -> Delivery:
        """Wait until it is over: for as long as its limit at most, and a moment."""
        self._thread.join(self.limit_seconds + 10.0)
        return self

    def _run(self) -> None:
        try:
            self.problem = self._carried_out()
        except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in an argument; RuntimeError: no home
            self.problem = f"it could not be run: {getattr(error, 'strerror', None) or error}"

    def _carried_out(self) -> str:
        deadline = time.monotonic() + self.limit_seconds
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self._environment, **self.notice.variables()},
            cwd=Path.home() if Path.home().is_dir() else "/",  # never the workspace: it may be somebody else's
            start_new_session=True,
        )
        try:
            with contextlib.suppress(BrokenPipeError):  # it does not read; the pipe holds all of it in any case
                process.stdin.write(json.dumps(asdict(self.notice)).encode())  # type: ignore[union-attr]
                process.stdin.close()  # type: ignore[union-attr]
            return self._watched(process, deadline)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()  # type: ignore[union-attr]

    def _watched(self, process: subprocess.Popen[bytes], deadline: float) -> str:
        """Read until it ends; what it has started and left behind is not waited for."""
        stream: IO[bytes] = process.stdout  # type: ignore[assignment]  # a pipe
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                ended = process.poll() is not None
                if selector.select(0.0 if ended else 0.1):
                    piece = os.read(stream.fileno(), _PIECE_BYTES)
                    self.output = (self.output + piece)[:KEPT_OUTPUT_BYTES]
                    if not piece and not ended:
                        # Nobody can write any more: only its end is left to wait for.
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            process.wait(max(0.0, deadline - time.monotonic()))
                        break
                    if piece:
                        continue
                if ended:
                    break
        code = process.poll()
        if code is None:
            return f"it did not end within {self.limit_seconds:.0f} s and was killed"
        return "" if code == 0 else f"it ended with exit code {code}" if code > 0 else f"signal {-code} ended it"


def log_delivery(log: Path, delivery: Delivery) -> None:
    """Add what came of a delivery to a log of limited size (owner-only; the one before is kept as `.1`).

    The command itself is named by its program alone: its arguments may hold a secret.

    Raises:
        OSError: the log cannot be written.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    program = Path(delivery.command[0]).name if delivery.command else "?"
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M:%S')} {delivery.notice.event}: {delivery.notice.text}",
        f"  {one_line(program)}: {delivery.problem or 'done'}",
        *(f"  | {one_line(line)}" for line in delivery.output.decode("utf-8", "replace").splitlines()),
    ]
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, ("\n".join(lines) + "\n").encode("utf-8", "replace"))
    finally:
        os.close(descriptor)
