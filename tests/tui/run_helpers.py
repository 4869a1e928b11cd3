"""Runs in every state, for the tests of the screens that show runs."""

from __future__ import annotations

import os
import socket
from typing import Any

from store_helpers import add_run

from engine.jobs.process import process_start
from engine.store.writer import Writer
from engine.types import JobKind, State

TRAINING = JobKind.TRAINING
ALIVE = {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid()), "device": "cpu"}
"""A process that is there as long as the test."""


def start(writer: Writer, run: int, steps: int = 0, **columns: Any) -> int:
    """Let a queued run train for some steps; returns its number."""
    assert writer.transition(TRAINING, run, State.QUEUED, State.STARTING, "starts on cpu", **{**ALIVE, **columns})
    assert writer.transition(TRAINING, run, State.STARTING, State.RUNNING, "training on cpu")
    train(writer, run, 1, steps)
    return run


def train(writer: Writer, run: int, first: int, last: int, **more: float) -> None:
    """Write the metrics of some steps."""
    for step in range(first, last + 1):
        values = {"loss": 1 / step, "learning_rate": 1e-4, "grad_norm": 1.0, "step_seconds": 2.0}
        writer.add_metrics(run, step, {**values, "samples_per_second": 16.0, **more})


def end(writer: Writer, run: int, state: State, reason: str = "", **columns: Any) -> None:
    assert writer.transition(TRAINING, run, State.RUNNING, state, reason or f"it has {state}", **columns)


def every_state(writer: Writer) -> dict[str, int]:
    """One run in each state, by the name of the state as it is shown; the newest is queued."""
    runs: dict[str, int] = {}
    for state in (State.SUCCEEDED, State.FAILED, State.INTERRUPTED, State.CANCELLED):
        runs[state] = start(writer, add_run(writer, f"run-{state}", planned_steps=10), 4)
        end(writer, runs[state], state, train_seconds=200.0, final_loss=0.5 if state == State.SUCCEEDED else None)
    runs["lost"] = start(writer, add_run(writer, "run-lost", planned_steps=10), 6)
    writer.update(TRAINING, runs["lost"], heartbeat=1000.0)
    runs["running"] = start(writer, add_run(writer, "run-running", planned_steps=10), 5)
    runs["starting"] = add_run(writer, "run-starting", planned_steps=10)
    writer.transition(TRAINING, runs["starting"], State.QUEUED, State.STARTING, "starts", **ALIVE)
    runs["queued"] = add_run(writer, "run-queued", planned_steps=10)
    return runs
