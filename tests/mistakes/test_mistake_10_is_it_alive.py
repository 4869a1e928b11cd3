"""Nobody could see from a phone-sized SSH window whether a run was alive."""

from __future__ import annotations

import os
import time

import pytest
from cli_helpers import CommandLine
from mistake_helpers import phone
from store_helpers import add_run

from engine.jobs.process import process_start
from engine.store.writer import Writer
from engine.types import JobKind, State
from engine.workspace import Workspace

HOUR = 3600.0


def two_runs(workspace: Workspace) -> None:
    """One that works, and one whose process has said nothing for an hour."""
    own = {"pid": os.getpid(), "process_start": process_start(os.getpid())}
    with Writer.open(workspace) as writer:
        for name, silent in (("alive", 0.0), ("silent", HOUR)):
            run = add_run(writer, name, planned_steps=200)
            for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
                assert writer.transition(JobKind.TRAINING, run, before, after, "test", **own)
            writer.add_metrics(run, 50, {"loss": 0.5})
            writer.update(JobKind.TRAINING, run, heartbeat=time.time() - silent)


def test_mistake_10_json(command: CommandLine, workspace: Workspace) -> None:
    two_runs(workspace)
    states = {row["name"]: row["shown_state"] for row in command("runs", "--json").json}
    assert states == {"alive": "running", "silent": "lost"}


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_mistake_10_screen(workspace: Workspace, size: tuple[int, int]) -> None:
    two_runs(workspace)
    text = await phone(workspace, ["3"], "silent", size)
    alive, silent = (next(line for line in text.splitlines() if name in line) for name in ("alive", "silent"))
    assert "lost" in silent
    assert "running" in alive
    assert size != (80, 24) or "25" in alive  # per cent of its steps
    assert "lost" not in alive
