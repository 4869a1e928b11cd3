"""The measured preflight of the launch screen: one at a time, in a process of its own, ended with a key.

Finding the device and starting the process is done in threads; what the process says comes from a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from engine import api
from tui.poller import attempt


class Measurement(Protocol):
    """What measures; `engine.api.MemoryMeasurement` does."""

    estimated: api.Preflight

    def start(self) -> None:
        """Start the process."""

    def close(self) -> None:
        """End the process."""


MakeMeasurement: TypeAlias = "Callable[[api.Workspace, api.Recipe, bool, Callable[[Any], None]], Measurement]"


def make_measurement(
    workspace: api.Workspace, recipe: api.Recipe, forced: bool, deliver: Callable[[Any], None]
) -> Measurement:
    """A measurement by the engine; belongs into a thread, because it reads files."""
    return api.MemoryMeasurement(workspace, recipe, deliver=deliver, forced=forced)


class Measured:
    """See the module's text. `changed` is called for what is new to show, `busy` where a job has the GPU."""

    def __init__(
        self,
        workspace: api.Workspace,
        act: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        from_thread: Callable[[Callable[[], None]], None],
        changed: Callable[[], None],
        busy: Callable[[api.SonotuneError], None],
        make: MakeMeasurement = make_measurement,
    ) -> None:
        self.recipe: api.Recipe | None = None
        """What is or was measured."""
        self.current = True
        """The form still holds that recipe."""
        self.words = ""
        """How far it is."""
        self.result: api.MemoryMeasured | None = None
        self.error: api.SonotuneError | None = None
        self.estimated: api.Preflight | None = None
        """The preflight before it."""
        self.settled: api.Preflight | None = None
        """The preflight after a measurement that contradicts it, with what fits instead."""
        self._workspace, self._act, self._from_thread = workspace, act, from_thread
        self._changed, self._busy, self._make = changed, busy, make
        self._measurement: Measurement | None = None
        self._opening: object = None
        """Tells the events of this measurement from those of one before it; None where none is going on."""

    @property
    def running(self) -> bool:
        """Whether something is being measured."""
        return self._opening is not None

    def begin(self, recipe: api.Recipe, *, forced: bool = False) -> None:
        """Measure a recipe; what was measured before is forgotten."""
        self.stop()
        self.recipe, self.current, self.words = recipe, True, "starting"
        self.result = self.error = self.estimated = self.settled = None
        self._opening = opening = object()

        def heard(event: api.MeasureEvent) -> None:
            self._from_thread(lambda: self._hear(event) if self._opening is opening else None)

        def work() -> Measurement:
            measurement = self._make(self._workspace, recipe, forced, heard)
            measurement.start()
            return measurement

        self._act(lambda: attempt(work), lambda found: self._started(opening, found))
        self._changed()

    def _started(self, opening: object, found: Measurement | api.SonotuneError) -> None:
        if self._opening is not opening:
            if not isinstance(found, api.SonotuneError):
                _let_go(found)
        elif isinstance(found, api.BusyDeviceError):
            self.stop()
            self._changed()
            self._busy(found)
        elif isinstance(found, api.SonotuneError):
            self._end(found)
        else:
            self._measurement = found

    def stop(self) -> None:
        """End the measurement, and its process; nothing of it is kept."""
        measurement, self._measurement, self._opening = self._measurement, None, None
        if measurement is not None:
            _let_go(measurement)

    def now_holds(self, recipe: api.Recipe | None) -> None:
        """The form holds this recipe now."""
        self.current = recipe == self.recipe

    def preflight_of(self, found: api.Preflight) -> api.Preflight:
        """The preflight to show: after a measurement that contradicts it, the one that knows of it."""
        return self.settled if self.settled is not None and self.current else found

    def _hear(self, event: api.MeasureEvent) -> None:
        if isinstance(event, api.SonotuneError):
            self._end(event)
        elif isinstance(event, api.MemoryMeasured):
            self.result = event
            self._settle(event)
        else:
            self.words = api.measuring_progress(event)
            self._changed()

    def _settle(self, result: api.MemoryMeasured) -> None:
        """Work out, in a thread, what the measurement means for the preflight."""
        measurement, recipe = self._measurement, self.recipe
        self.estimated = None if measurement is None else measurement.estimated
        self.stop()
        self._changed()
        if measurement is None or recipe is None:
            return
        estimated = measurement.estimated

        def settled(found: api.Preflight | api.SonotuneError) -> None:
            if self.result is not result:
                return
            if isinstance(found, api.SonotuneError):
                self.error = found
            elif found is not estimated:
                self.settled = found
            self._changed()

        self._act(lambda: attempt(lambda: api.after_measuring(self._workspace, recipe, estimated, result)), settled)

    def _end(self, error: api.SonotuneError) -> None:
        self.stop()
        self.error = error
        self._changed()


def _let_go(measurement: Measurement) -> None:
    """End a process without waiting for it; should this program end first, the process ends by itself."""
    threading.Thread(target=measurement.close, name="letting go", daemon=True).start()
