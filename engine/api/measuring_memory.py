"""A measured preflight: a process of its own takes a few real steps of a recipe and says what they took.

It is no job of the queue: it ends with whoever started it, writes no run, and does not start on a GPU that a job has,
because two trainings on one card may both run out of memory.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.measured_outcome import keep_measured
from engine.ask.places import AUTO, SHARED, BusyDeviceError, Place, choose_place
from engine.errors import JobError, SonotuneError
from engine.jobs.dispatch import python_module
from engine.jobs.watched import WatchedProcess
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

AGAIN = "`sonotune doctor` shows what this machine has; free memory, and measure again."

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
        self._watched = WatchedProcess("measuring")
        self._folder = tempfile.TemporaryDirectory(prefix="sonotune-measure-")
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
        command = self._command or [*python_module("engine.training.measuring"), *words]
        process = self._watched.start(command, self.workspace.root, self.place.visible, self.place.device)
        threading.Thread(target=self._listen, args=(process,), name="measuring", daemon=True).start()

    def close(self) -> None:
        """End the process and wait for it (two seconds at most, before it is killed); no more events come."""
        if self._closed:
            return
        self._closed = True
        self._watched.close()
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
            self._deliver(self._watched.death(process.wait(), AGAIN))

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
