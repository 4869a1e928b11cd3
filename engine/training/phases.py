"""What a run is doing, told where it changes: one small write before and after whatever is no step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from engine.jobs.phases import Phase


class Progress(Protocol):
    """Where the phase goes (`engine.training.record.RunRecord`)."""

    def progress(self, **columns: object) -> None:
        """Columns of the run that changed."""


class Phases:
    """The phase of one run."""

    def __init__(self, record: Progress, now: Phase | None = None) -> None:
        """Args: `now`: what has been said already; None: nothing."""
        self._record = record
        self.now = now

    def enter(self, phase: Phase) -> None:
        """Say what is done from now on; costs nothing where that has been said."""
        if phase is not self.now:
            self.now = phase
            self._record.progress(phase=phase.value)

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """What happens inside is of another phase; afterwards the one before goes on, also where it failed."""
        before = self.now
        self.enter(phase)
        try:
            yield
        finally:
            if before is not None:
                self.enter(before)
