"""A full disk in mid-training: a checkpoint may be missed, the adapter may not, so it is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.errors import ModelError
from engine.files import free_bytes
from engine.formatting import size
from engine.jobs.phases import Phase
from engine.training.checkpoints import checkpoint_step, complete_checkpoints, give_up_for_room
from engine.training.phases import Phases
from engine.training.whole import is_disk_full
from engine.types import Action

PATIENCE_SECONDS = 12 * 3600.0
"""How long an adapter waits for room. Longer than a night: it is all that hours of a GPU have come to."""
POLL_SECONDS = 5.0
DISK_FULL = "disk full"
"""Kind of the event."""

T = TypeVar("T")


class NotAwaitedError(ModelError):
    """The user did not want to wait for room: the run is interrupted, and has not failed."""


@dataclass(frozen=True, slots=True)
class DiskPatience:
    """Writes what must not be lost, however long it takes."""

    checkpoints: Path
    """Of the run: all but the newest are given up for room."""
    asked: Callable[[], Action | None]
    """What the user asks for now. Asks no other rank: those do not wait for the disk."""
    event: Callable[[str, str], None]
    """Writes a line (kind, detail) into the run's history."""
    phases: Phases
    seconds: float | None = None
    """How long; None: `PATIENCE_SECONDS`."""

    def write(self, what: str, action: Callable[[], T]) -> T:
        """Do something that writes; where the disk is full, make room, then wait and try again.

        Args:
            what: such as `the adapter`.
            action: may be called many times.

        Raises:
            ModelError: there was no room for so long.
            NotAwaitedError: the user does not want to wait.
        """
        deadline = time.monotonic() + (PATIENCE_SECONDS if self.seconds is None else self.seconds)
        before: Action | None = None
        told = False
        while True:
            try:
                return action()
            except Exception as error:
                if not is_disk_full(error):
                    raise
                if give_up_for_room(self.checkpoints):
                    self.event(DISK_FULL, f"no room for {what}: checkpoints but the newest were given up for it")
                    continue
                if not told:
                    told = True
                    # Who has asked for a stop by now wants just this to be saved.
                    before = self.asked()
                    self.phases.enter(Phase.WAITING_FOR_DISK)
                    self.event(DISK_FULL, f"no room for {what}: free some space, and it is saved within seconds")
                if self.asked() not in (None, before):
                    raise self._given_up(NotAwaitedError, what) from error
                if time.monotonic() >= deadline:
                    raise self._given_up(ModelError, what) from error
            time.sleep(POLL_SECONDS)

    def _given_up(self, kind: type[ModelError], what: str) -> ModelError:
        kept = complete_checkpoints(self.checkpoints)
        step = checkpoint_step(kept[-1]) if kept else None
        goes_on = "the run begins anew" if step is None else f"the run goes on from its checkpoint of step {step}"
        return kind(
            f"The disk is full: {what} could not be saved",
            f"{size(free_bytes(self.checkpoints))} are free in {self.checkpoints.parent}.",
            f"Free some space; when it is resumed, {goes_on}, and saves what is missing.",
        )
