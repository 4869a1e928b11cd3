"""A measured preflight: a process of its own takes a few real steps of a recipe and says what they took.

It is no job of the queue: it ends with whoever started it, writes no run, and does not start on a GPU that a job has,
because two trainings on one card may both run out of memory.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.measured_outcome import keep_measured
from engine.ask.places import AUTO, SHARED, BusyDeviceError, Place, choose_place
from engine.errors import JobError, SonotuneError
from engine.jobs.dispatch import child_environment, python_module
from engine.jobs.session import DEVICE_VARIABLE
from engine.recipe import Recipe, recipe_json
from engine.training.measure_memory.wire import (
    MeasureFailed,
    MeasureMessage,
    MeasureStage,
    MeasureStep,
    MemoryMeasured,
    WireError,
    decode,
)
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.preflight.models import Preflight

PATIENCE_SECONDS = 2.0
"""How long a process that was closed may take to end by itself."""
TAIL_BYTES, TAIL_LINES = 8_192, 12
"""Of what the process wrote, shown where it ended without a word."""

MeasureEvent = MeasureStage | MeasureStep | MemoryMeasured | SonotuneError


class MemoryMeasurement:
    """One measured preflight; the process ends with `close`, or with this process, whichever way that ends.

    Made in one thread and used from that one; events come from a thread of its own, in order. The last one is a
    `MemoryMeasured`, which is on record then, or a `SonotuneError`.
    """

    def __init__(
        self,
        workspace: Workspace,
        recipe: Recipe,
        *,
        deliver: Callable[[MeasureEvent], None],
        forced: bool = False,
        command: Sequence[str] = (),
    ) -> None:
        """Estimate and find a device; nothing is started yet.

        Args:
            workspace: with the dataset.
            recipe: what is measured.
            deliver: gets the events.
            forced: measure on a GPU that a job has too.
            command: the process to start (tests start other ones).

        Raises:
            BusyDeviceError: a job is at work on every GPU, and it is not forced.
            SonotuneError: dataset or model is missing.
        """
        from engine.api.preflighting import preflight

        self.workspace = workspace
        self.recipe = recipe
        self.place: Place = _place(workspace, forced)
        self.estimated: Preflight = preflight(workspace, recipe)
        self._deliver = deliver
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="sonotune-measure-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._closed = False

    @property
    def note(self) -> str:
        """What the user must know of the place, in a sentence; "" mostly. Untrusted text."""
        return self.place.note

    def start(self) -> None:
        """Start the process.

        Raises:
            JobError: it could not be started.
        """
        file = Path(self._folder.name) / "recipe.json"
        file.write_text(recipe_json(self.recipe), encoding="utf-8")
        words = [str(file), "--workspace", str(self.workspace.root), "--watched"]
        environment = {
            **child_environment(),
            "CUDA_VISIBLE_DEVICES": self.place.visible,
            DEVICE_VARIABLE: self.place.device,
        }
        try:
            self._process = subprocess.Popen(
                self._command or [*python_module("engine.training.measuring"), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                cwd=self.workspace.root,
                # ctrl+c on this terminal is ours to understand; the end of our pipe ends it all the same.
                start_new_session=True,
            )
        except OSError as error:
            step = "`sonotune doctor` shows what this machine has."
            raise JobError("The measuring process could not be started", str(error), step) from error
        threading.Thread(target=self._listen, args=(self._process,), name="measuring", daemon=True).start()

    def close(self) -> None:
        """End the process and wait for it (two seconds at most, before it is killed); no more events come."""
        if self._closed:
            return
        self._closed = True
        process = self._process
        if process is not None:
            with contextlib.suppress(BrokenPipeError):  # it was gone already
                process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._errors.close()
        self._folder.cleanup()

    # ----- the process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """The thread of the events."""
        ended = False
        for line in process.stdout or ():
            event = self._event(line)
            if self._closed:
                return
            ended = ended or isinstance(event, (MemoryMeasured, SonotuneError))
            self._deliver(event)
        if not ended and not self._closed:
            self._deliver(self._death(process.wait()))

    def _event(self, line: bytes) -> MeasureEvent:
        try:
            message: MeasureMessage = decode(line)
        except WireError as error:
            return JobError("The measuring process said something else than agreed", str(error))
        if isinstance(message, MeasureFailed):
            return message.error()
        if isinstance(message, MemoryMeasured):
            try:
                keep_measured(self.workspace, self.recipe, self.estimated, message)
            except SonotuneError as error:
                return error
        return message

    def _death(self, code: int) -> JobError:
        how = f"Signal {-code} ended it" if code < 0 else f"It ended with exit code {code}"
        step = "`sonotune doctor` shows what this machine has; free memory, and measure again."
        return JobError("The measuring process has ended by itself", f"{how}.\n{self._tail()}".strip(), step)

    def _tail(self) -> str:
        """The last lines of what the process wrote; untrusted text."""
        try:
            written = os.fstat(self._errors.fileno()).st_size
            data = os.pread(self._errors.fileno(), TAIL_BYTES, max(0, written - TAIL_BYTES))
        except (OSError, ValueError):  # closed meanwhile
            return ""
        return "\n".join(data.decode("utf-8", "replace").rstrip().splitlines()[-TAIL_LINES:])


def _place(workspace: Workspace, forced: bool) -> Place:
    """The device to measure on.

    Raises:
        BusyDeviceError: a job is at work on every GPU.
    """
    try:
        return choose_place(workspace, SHARED if forced else AUTO)
    except BusyDeviceError as error:
        step = "Wait for its end; or measure beside it (--force), which may end the job for want of memory."
        raise BusyDeviceError(error.title, error.reason, step) from error
