"""What a rank has in place of a job session: the first one writes into the run's row, the others write nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine.jobs.journal import Attempt, boot_id
from engine.jobs.recording import Recording
from engine.store.reader import Reader
from engine.training.distributed.reports import Outcome
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.writer import Writer
    from engine.training.distributed.ranks import Ranks


class NoRecord:
    """Takes figures and keeps none."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """The first rank writes them."""

    def progress(self, **columns: object) -> None:
        """The first rank writes them."""


class Wishes:
    """What the user asks for, as the job process passes it on: one word a line on standard input.

    The job process has the session with its heartbeat and its signals; the input ends with that process, and so does
    this one then.
    """

    def __init__(self) -> None:
        self.asked: Action | None = None

    def listen(self, on_end: Callable[[], None]) -> None:
        """Read in a thread of its own until the input ends, then call `on_end`."""

        def read() -> None:
            # Not through `sys.stdin`: a thread that waits in it holds its lock, which a forked process inherits locked,
            # and every worker of a data loader closes `sys.stdin` first of all. It would wait for ever.
            kept = b""
            while piece := os.read(sys.stdin.fileno(), 4096):
                *lines, kept = (kept + piece).split(b"\n")
                for line in lines:
                    self.hear(line.decode("utf-8", "replace").strip())
            on_end()

        threading.Thread(target=read, name="wishes", daemon=True).start()

    def hear(self, word: str) -> None:
        """Take a word for what is asked; one that is no action is passed over."""
        if word in tuple(Action):
            self.asked = Action(word)


DRAIN_SECONDS = 30.0
"""How long the first rank waits at its end for a runs.db that is locked or full."""


def _recording(workspace: Workspace, run_id: int) -> Recording:
    with Reader(workspace) as reader:
        row = reader.run(run_id)
    # Its process is the one that has started this rank; a row that no process has taken yet is nobody's.
    attempt = None if row.pid is None else Attempt(row.pid, row.process_start, boot_id())
    return Recording(workspace, JobKind.TRAINING, run_id, workspace.job_folder(row.directory), attempt)


class RankSession:
    """The side of a run's session that the training talks to, for one rank."""

    def __init__(self, workspace: Workspace, run_id: int, ranks: Ranks, wishes: Wishes) -> None:
        self.job_id = run_id
        self.outcome: Outcome | None = None
        self._ranks, self._wishes = ranks, wishes
        self.recording = _recording(workspace, run_id) if ranks.first else None
        """Of the first rank alone, in the name of the job process: the row is that one's."""

    def __enter__(self) -> RankSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.recording is not None:
            # What is still missing then stands in the journal, which the job process replays before it ends.
            self.recording.drain(DRAIN_SECONDS)
            self.recording.close()

    @property
    def writer(self) -> Writer | None:
        """A connection to runs.db; of the first rank alone."""
        return None if self.recording is None else self.recording.writer

    def event(self, event: str, detail: str) -> None:
        """Add a line to the run's history, in the name of all ranks."""
        if self.recording is not None:
            self.recording.event(event, detail)

    def update(self, **values: Any) -> None:
        """Set columns of the run's row."""
        if self.recording is not None:
            self.recording.update(**values)

    def finish(self, state: State, reason: str) -> None:
        """Say how the run ends; the job process writes it."""
        self.outcome = Outcome(state, reason)

    def check(self) -> Action | None:
        """What the user asks for, the same on all ranks: call it on all of them at the same point of a step."""
        return self._ranks.of_first(self._wishes.asked)

    def heard(self) -> Action | None:
        """What this rank has heard of the user by now, without asking the others."""
        return self._wishes.asked
